//! New shells know `conda activate`.

use std::path::{Path, PathBuf};

use aitk_plan::{Plan, Step};
use aitk_system::quote;

use super::{Check, Exact, Kind, Made, Work, base};
use crate::context::Context;
use crate::error::ExecError;

pub(super) struct ShellInit;

/// What stands around the lines that are aitk's.
const BEGIN: &str = "# >>> aitk >>>";
const END: &str = "# <<< aitk <<<";

/// The file that new shells read, and the lines that it shall have.
struct Wanted {
    file: PathBuf,
    lines: String,
}

fn wanted(cx: &Context<'_>, plan: &Plan) -> Wanted {
    let home = &cx.machine.folders.home;
    let shell = cx.system.env("SHELL").unwrap_or_default();
    let quoted = |path: PathBuf| quote(&path.to_string_lossy());
    let conda = base::folder(cx, plan);
    let (file, lines) = match shell.rsplit('/').next() {
        Some("fish") => {
            let script = quoted(conda.join("etc/fish/conf.d/conda.fish"));
            (
                home.join(".config/fish/config.fish"),
                format!("test -r {script}; and source {script}\n"),
            )
        }
        name => {
            let script = |tool: &str| {
                let script = quoted(conda.join("etc/profile.d").join(format!("{tool}.sh")));
                format!("[ -r {script} ] && . {script}\n")
            };
            let file = if name == Some("zsh") { ".zshrc" } else { ".bashrc" };
            (home.join(file), script("conda") + &script("mamba"))
        }
    };
    Wanted { file, lines: format!("{BEGIN}\n{lines}{END}\n") }
}

/// A shell's file without the lines that are aitk's.
pub fn without_init(text: &str) -> String {
    let Some((before, rest)) = text.split_once(BEGIN) else { return text.to_owned() };
    // Without an end the lines are somebody's own by now.
    let Some((_, after)) = rest.split_once(END) else { return text.to_owned() };
    before.to_owned() + after.strip_prefix('\n').unwrap_or(after)
}

fn read(cx: &Context<'_>, file: &Path) -> Result<String, ExecError> {
    match cx.system.text(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(ExecError::io(file)),
    }
}

impl Kind for ShellInit {
    fn check(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Result<Check, ExecError> {
        let Wanted { file, lines } = wanted(cx, plan);
        Ok(match read(cx, &file)?.contains(&lines) {
            true => Check::Holds,
            false => Check::missing(format!("{} does not load conda", file.display())),
        })
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let Wanted { file, lines } = wanted(cx, plan);
        let commands =
            lines.lines().map(|line| format!("echo \"{line}\" >> {}", file.display())).collect();
        Ok(Exact::one(Step { commands, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let Wanted { file, lines } = wanted(cx, work.plan);
        let mut text = without_init(&read(cx, &file)?);
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text += &lines;
        let place = place(cx, &file);
        let mode = cx.system.stat(&place).map_or(0o644, |stat| stat.mode);
        cx.system.write(&place, text.as_bytes(), mode).map_err(ExecError::io(&place))?;
        Ok(vec![made(&place)])
    }

    fn own(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Vec<Made> {
        let place = place(cx, &wanted(cx, plan).file);
        let ours = read(cx, &place).is_ok_and(|text| without_init(&text) != text);
        ours.then(|| made(&place)).into_iter().collect()
    }
}

/// The file itself: a link to it, as dotfile managers make, stays one.
fn place(cx: &Context<'_>, file: &Path) -> PathBuf {
    let target = cx.system.read_link(file);
    target.map_or_else(|_| file.to_owned(), |target| file.with_file_name(target))
}

fn made(place: &Path) -> Made {
    Made { key: format!("init:{}", place.display()), ..Made::path(place, None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aitks_lines_leave_everything_else_as_it_was() {
        let own = "alias ll='ls -l'\n";
        let lines = format!("{BEGIN}\n. conda.sh\n{END}\n");
        assert_eq!(without_init(&format!("{own}{lines}")), own);
        assert_eq!(without_init(&format!("{own}{lines}more\n")), format!("{own}more\n"));
        assert_eq!(without_init(own), own);
        let cut = format!("{own}{BEGIN}\nmine\n");
        assert_eq!(without_init(&cut), cut);
    }
}
