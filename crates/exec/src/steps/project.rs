//! The files of a project are in its folder.

use std::path::Path;

use aitk_plan::step::{FileChange, ProjectFile, ProjectFiles};
use aitk_plan::{Action, EnvironmentPlan, Plan, Project, Step};
use aitk_system::{Command, Message, message};

use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Work, hash_of, resolve_environment};
use crate::context::Context;
use crate::error::ExecError;
use crate::project::{self, Begun, CONFLICTS, PlannedFile, changes};

/// The plan of a hosted notebook with the packages of its session.
fn with_packages(cx: &Context<'_>, plan: &Plan) -> Result<Exact, ExecError> {
    let Some(wanted) = plan.environment().filter(|_| !plan.builds_here()) else {
        return Ok(Exact::default());
    };
    let lock = resolve_environment(cx, plan)?.lock;
    let packages = |step: &Step| -> Option<Step> {
        let packages = lock.layer(&step.id)?.packages.iter().map(|locked| locked.package.clone());
        Some(Step { packages: packages.collect(), ..step.clone() })
    };
    let steps = plan.steps.iter().filter_map(packages).collect();
    let environment = Some(EnvironmentPlan { lock: Some(lock), ..wanted.clone() });
    Ok(Exact { steps, environment, ..Exact::default() })
}

/// What a project is to be, and what it is.
struct WantedProject<'a> {
    folder: &'a Path,
    files: Vec<aitk_export::File>,
    /// What is to be noted of it.
    made: project::ProjectRecord,
    /// What was noted.
    before: Option<project::ProjectRecord>,
    /// What runs have noted that have begun to write, and have not come to their end.
    begun: Option<Begun>,
}

impl<'a> WantedProject<'a> {
    fn of(cx: &Context<'_>, plan: &'a Plan) -> Result<Self, ExecError> {
        let missing = || ExecError::StillMissing { reason: message!("the plan has no project") };
        let project: &Project = plan.project.as_ref().ok_or_else(missing)?;
        let targets = cx.targets.ok_or_else(missing)?;
        let files = targets.project_files(project, plan, cx.machine, cx.catalog)?;
        let folder = Path::new(&project.folder);
        Ok(Self {
            before: project::ProjectRecord::read(folder, cx.system)?,
            made: project::ProjectRecord::of(project, &files),
            begun: Begun::read(folder, cx.system),
            folder,
            files,
        })
    }

    fn holds(&self) -> bool {
        let same = |before: &project::ProjectRecord| before.says_the_same(&self.made);
        self.begun.is_none() && self.before.as_ref().is_some_and(same)
    }

    fn changes(&self, cx: &Context<'_>) -> Result<Vec<PlannedFile>, ExecError> {
        changes(self.folder, self.before.as_ref(), &self.files, cx.force, cx.system)
    }

    /// What is noted before the first file is written, with what a run that was killed has noted.
    fn notes(&self, changes: &[PlannedFile]) -> Begun {
        let mut notes = self.begun.clone().unwrap_or_default();
        for change in changes {
            let new = self.files.iter().find(|file| file.path == change.path);
            match (change.what, new) {
                (FileChange::Delete, _) => notes.note_gone(&change.path),
                (FileChange::Write | FileChange::Replace | FileChange::Merge, Some(new)) => {
                    notes.note(&change.path, new.content.as_bytes(), &change.bytes);
                }
                (FileChange::Conflict, Some(new)) => {
                    let aside = format!("{}/{CONFLICTS}/{}", project::OWN, change.path);
                    notes.note(&aside, new.content.as_bytes(), &change.bytes);
                }
                _ => {}
            }
        }
        notes
    }

    /// Writes the files, and what is known of them; returns those in which both sides have changed the same.
    fn write(&self, cx: &Context<'_>, changes: &[PlannedFile]) -> Result<Vec<String>, ExecError> {
        let of = |what: FileChange| changes.iter().filter(move |change| change.what == what);
        self.notes(changes).save(self.folder, cx.system)?;
        project::write(self.folder, changes, cx.system)?;
        let newer: Vec<_> = of(FileChange::Yours).map(|change| change.path.as_str()).collect();
        let made = self.made.clone().after(self.before.as_ref(), &newer);
        made.save(self.folder, &self.files, cx.system)?;
        Ok(match self.begun.is_some() {
            // What a run that was killed has laid aside nobody was told of.
            true => project::conflicting(self.folder, cx.system),
            false => of(FileChange::Conflict).map(|change| change.path.clone()).collect(),
        })
    }

    /// # Errors
    /// Where nothing may be written there.
    fn may_be_written(&self, cx: &Context<'_>) -> Result<(), ExecError> {
        self.refusal(cx).map_or(Ok(()), |(reason, remedy)| {
            Err(ExecError::Yours { path: self.folder.to_owned(), reason, remedy })
        })
    }

    /// Why nothing may be written there, and what to do.
    fn refusal(&self, cx: &Context<'_>) -> Option<(Message, Message)> {
        let folder = self.folder.display();
        if self.before.is_some() {
            return uncommitted(cx, self.folder, self.begun.as_ref()).then(|| {
                (
                    message!("{folder} has changes that are not committed"),
                    message!("commit them, so that what comes new can be told from them"),
                )
            });
        }
        let names = cx.system.list(self.folder);
        let is_free = match (&names, cx.system.stat(self.folder)) {
            (_, Err(_)) => true,
            (Ok(names), _) => {
                // A run that was killed before its first note has made its own folder.
                let is_nothing = |name: &String| [".git", project::OWN].contains(&name.as_str());
                self.begun.is_some() || cx.force || names.iter().all(is_nothing)
            }
            (Err(_), Ok(_)) => false,
        };
        (!is_free).then(|| {
            (
                message!("{folder} is not empty, and no project of aitk's"),
                message!("name another folder with --folder DIR"),
            )
        })
    }
}

/// The step with its files, beside what is known by now.
fn planned(
    cx: &Context<'_>,
    plan: &Plan,
    step: &Step,
    mut exact: Exact,
) -> Result<Exact, ExecError> {
    let mut plan = plan.clone();
    exact.clone().fill(&mut plan);
    let (wanted, mut step) = (WantedProject::of(cx, &plan)?, step.clone());
    let is_exact = has_packages(&plan);
    if is_exact && wanted.holds() {
        step.done();
    } else if let Some((why, remedy)) = wanted.refusal(cx) {
        step.block(why, remedy);
    } else {
        fill(&mut step, &wanted.changes(cx)?, is_exact);
    }
    exact.steps.push(step);
    Ok(exact)
}

/// Whether all is known that a project says: of a notebook the packages of its session belong to it.
fn has_packages(plan: &Plan) -> bool {
    plan.builds_here() || plan.environment().is_some_and(|wanted| wanted.lock.is_some())
}

/// What becomes of the files, as a plan shows it.
fn shown(changes: &[PlannedFile]) -> Vec<ProjectFile> {
    let file = |change: &PlannedFile| ProjectFile {
        path: change.path.clone(),
        sha256: hash_of(&change.bytes),
        size: change.bytes.len() as u64,
        change: change.what,
    };
    changes.iter().map(file).collect()
}

/// Writes into a step what becomes of the files; their sizes are known where all is that they say.
fn fill(step: &mut Step, changes: &[PlannedFile], is_exact: bool) {
    let size: u64 = changes.iter().map(|change| change.bytes.len() as u64).sum();
    if let Action::ProjectFiles(project) = &mut step.action {
        project.files = shown(changes);
    }
    step.commands = changes.iter().filter_map(|change| describe(change, is_exact)).collect();
    step.files =
        Some(changes.iter().filter(|change| change.what == FileChange::Write).count() as u64);
    (step.download, step.disk) = (Some(0), Some(size));
    step.estimated = !is_exact;
}

/// Whether a folder is git's and has changes of the user's that are not committed. What a run that was killed has written
/// is not committed either, and is no reason to stay half-way.
fn uncommitted(cx: &Context<'_>, folder: &Path, begun: Option<&Begun>) -> bool {
    if !cx.system.exists(folder.join(".git")) {
        return false;
    }
    // What the folder's own settings would run is not run.
    let status = Command::reads(["git", "-c", "core.fsmonitor=false", "-C"])
        .arg(folder.to_string_lossy())
        .args(["status", "--porcelain", "-z", "--untracked-files=no"]);
    let Ok(said) = cx.system.run(&status) else { return false };
    // Nobody but the user puts a change into the index; what has not been put there begins with a space.
    let is_ours = |change: &str| {
        let path = change.strip_prefix(" M ").or_else(|| change.strip_prefix(" D "));
        path.is_some_and(|path| is_half_written(cx, folder, path, begun))
    };
    let changes = said.stdout.trim_end_matches('\n').split('\0');
    said.success() && changes.filter(|change| !change.is_empty()).any(|change| !is_ours(change))
}

/// Whether a run that was killed has left a file so.
fn is_half_written(cx: &Context<'_>, folder: &Path, path: &str, begun: Option<&Begun>) -> bool {
    let Some(begun) = begun else { return false };
    let within = Path::new(path).strip_prefix(project::OWN);
    // What aitk knows of the project is its own, all but what it has laid there for the user.
    within.is_ok_and(|within| !within.starts_with(CONFLICTS))
        || begun.has_done(path, cx.system.read(&folder.join(path)).ok().as_deref())
}

/// What is done with a file, for people.
fn describe(change: &PlannedFile, is_exact: bool) -> Option<Message> {
    let path = &change.path;
    Some(match change.what {
        FileChange::Write if is_exact => message!("write {path} ({} bytes)", change.bytes.len()),
        FileChange::Write => message!("write {path}"),
        FileChange::Replace => message!("replace {path}, which you have not changed"),
        FileChange::Merge => message!("put what is new into {path}, beside what you have changed"),
        FileChange::Conflict => {
            message!(
                "keep {path}, where both sides have changed the same; lay the new one into .aitk/conflicts"
            )
        }
        FileChange::Yours => message!("keep {path}, which is yours; there is a newer one"),
        FileChange::Away => message!("leave {path} away, as you have"),
        FileChange::Delete => message!("delete {path}, which nothing needs any more"),
        FileChange::Leave => {
            message!("keep {path}, which nothing needs any more and you have changed")
        }
        FileChange::Keep => return None,
    })
}

impl Ensure for ProjectFiles {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("the project in {} was written for what is asked", self.folder)
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        if !has_packages(plan) {
            return Ok(CheckOutcome::missing(message!(
                "the packages of its session are not resolved"
            )));
        }
        let wanted = WantedProject::of(cx, plan)?;
        Ok(match (wanted.holds(), &wanted.before) {
            (true, _) => CheckOutcome::Holds,
            (false, None) => {
                CheckOutcome::missing(message!("there is no project in {}", self.folder))
            }
            (false, Some(_)) => CheckOutcome::missing(message!(
                "the project in {} was written otherwise",
                self.folder
            )),
        })
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        planned(cx, plan, step, with_packages(cx, plan)?)
    }

    fn sketch(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        planned(cx, plan, step, Exact::default())
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let made = vec![ReceiptEntry::created(format!("project:{}", self.folder), None)];
        let folder = Path::new(&self.folder);
        WantedProject::of(cx, work.plan)?.may_be_written(cx)?;
        let mut conflicts = Vec::new();
        let there = || cx.system.exists(folder);
        cx.about_to(&work.step.id, &made, there, || {
            let _hold = project::hold(folder, cx.system)?;
            // Others may have written while this run waited.
            let wanted = WantedProject::of(cx, work.plan)?;
            wanted.may_be_written(cx)?;
            let changes = wanted.changes(cx)?;
            if !work.step.estimated && shown(&changes) != self.files {
                return Err(ExecError::ProjectChanged { folder: folder.to_owned() });
            }
            conflicts = wanted.write(cx, &changes)?;
            Ok(())
        })?;
        match conflicts.is_empty() {
            true => Ok(made),
            false => Err(ExecError::Conflicts { folder: folder.to_owned(), files: conflicts }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use aitk_env::Settings;
    use aitk_export::TargetList;
    use aitk_plan::{Catalog, Choices, Status};
    use aitk_system::{FileKind, Real, System};

    use super::*;
    use crate::context::no_log;
    use crate::project::{project_removal, project_state, remove_project};
    use crate::receipt::Receipt;
    use crate::steps::behaviour;
    use crate::steps::testing::{self, Dying, Silent, step};

    const TARGET: &str = r#"
schema = 1
budgets = ["sme"]
source = "made for this test"
as_of = "2026-11-28"
[parameter.name]
default = "cellar"
[optional.ab]
[[file]]
path = "README.md"
[[file]]
path = "src/data.py"
owner = "yours"
[[file]]
path = "run.sh"
mode = "755"
when = "parts.ab"
"#;

    /// A folder for a project, and what it is written from.
    struct ProjectPlace {
        folder: tempfile::TempDir,
        budget: &'static str,
        platform: String,
        readme: String,
        data: String,
        parts: Vec<String>,
    }

    impl ProjectPlace {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().unwrap(),
                budget: "sme",
                platform: "tiny".to_owned(),
                readme: "# «parameters.name»\n\none\n\ntwo\n".to_owned(),
                data: "X = 1\n".to_owned(),
                parts: Vec::new(),
            }
        }

        fn project(&self) -> PathBuf {
            self.folder.path().join("cellar")
        }

        fn put(&self, path: &str, text: &str) {
            Real.write(&self.project().join(path), text.as_bytes(), 0o644).unwrap();
        }

        fn text(&self, path: &str) -> Option<String> {
            let bytes = Real.read(&self.project().join(path)).ok()?;
            Some(String::from_utf8(bytes).unwrap())
        }

        /// What git says, as one who has settings of nobody's.
        fn git(&self, words: &[&str]) {
            let me = ["user.name=me", "user.email=me@example.org", "commit.gpgsign=false"];
            let git = Command::changes(["git", "-C"]).arg(self.project().to_string_lossy());
            let git = me.into_iter().fold(git, |git, setting| git.args(["-c", setting]));
            let said = (&Real as &dyn System).run(&git.args(words.iter().copied())).unwrap();
            assert!(said.success(), "{words:?}: {said:?}");
        }

        fn commit(&self) {
            self.git(&["add", "--all"]);
            self.git(&["commit", "--quiet", "--allow-empty", "-m", "mine"]);
        }

        fn with<T>(&self, look: impl FnOnce(&Context<'_>, &Plan) -> T) -> T {
            self.with_on(&Real, look)
        }

        fn with_on<T>(
            &self,
            system: &dyn System,
            look: impl FnOnce(&Context<'_>, &Plan) -> T,
        ) -> T {
            let own = [
                ("tiny/target.toml", TARGET),
                ("tiny/files/README.md", &self.readme),
                ("tiny/files/src/data.py", &self.data),
                ("tiny/files/run.sh", "#!/bin/sh\n"),
            ];
            let own = own.map(|(path, text)| (path.to_owned(), text.to_owned()));
            let targets = TargetList::with(own.into()).unwrap();
            let choices = Choices {
                platform: Some(self.platform.clone()),
                folder: Some(self.project().to_string_lossy().into_owned()),
                parts: self.parts.clone(),
                ..Choices::default()
            };
            let project = targets.project(self.budget, &choices).unwrap();
            let files = ProjectFiles { folder: project.folder.clone(), files: Vec::new() };
            let mut plan = testing::plan(vec![step(files)]);
            plan.project = Some(project);
            let catalog = Catalog::builtin().unwrap();
            let mut machine = aitk_detect::Machine::default();
            machine.folders.state = self.folder.path().join("state");
            let settings = Settings::default();
            let receipt = Receipt::load(&machine.folders.state, &Real).unwrap();
            let mut cx = Context::new(system, system, &machine, &catalog, &settings, receipt);
            cx.targets = Some(&targets);
            look(&cx, &plan)
        }

        fn holds(&self) -> bool {
            self.with(|cx, plan| {
                let step = &plan.steps[0];
                behaviour(&step.action).check(cx, plan, step).unwrap() == CheckOutcome::Holds
            })
        }

        /// What the plan shows of it.
        fn shown(&self) -> Step {
            self.shown_on(&Real).unwrap()
        }

        fn shown_on(&self, system: &dyn System) -> Result<Step, ExecError> {
            self.with_on(system, |cx, plan| {
                let mut shown = plan.clone();
                let step = &plan.steps[0];
                behaviour(&step.action).resolve(cx, plan, step)?.fill(&mut shown);
                Ok(shown.steps.remove(0))
            })
        }

        fn written(&self) -> Result<(), ExecError> {
            self.written_on(&Real)
        }

        fn refuses_as_not_committed(&self) {
            let before = tree(&self.project());
            let error = self.written().unwrap_err();
            let told = aitk_system::Explain::message(&error).to_string();
            assert!(told.contains("not committed"), "{told}");
            assert_eq!(tree(&self.project()), before);
        }

        fn written_on(&self, system: &dyn System) -> Result<(), ExecError> {
            match self.shown_on(system)? {
                step if step.status == Status::Done => Ok(()),
                step => self.agreed_on(system, &step),
            }
        }

        /// Does what was shown, and agreed to.
        fn agreed_on(&self, system: &dyn System, step: &Step) -> Result<(), ExecError> {
            self.with_on(system, |cx, plan| {
                let work = Work { plan, step, reporter: &Silent, log: no_log() };
                behaviour(&step.action).apply(cx, &work).map(|_| ())
            })
        }
    }

    #[test]
    fn a_project_is_written_once_and_then_holds() {
        let mut place = ProjectPlace::new();
        assert!(!place.holds());
        let shown = place.shown();
        assert_eq!(shown.commands, ["write README.md (19 bytes)", "write src/data.py (6 bytes)"]);
        assert_eq!((shown.files, shown.disk), (Some(2), Some(25)));
        place.written().unwrap();
        assert!(place.holds());
        assert_eq!(place.text("README.md").unwrap(), "# cellar\n\none\n\ntwo\n");
        // What the user changes is no reason to write it again.
        place.put("README.md", "mine\n");
        assert!(place.holds());
        place.parts = vec!["ab".to_owned()];
        assert!(!place.holds());
        place.written().unwrap();
        let mode = Real.stat(&place.project().join("run.sh")).unwrap().mode;
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(place.text("README.md").unwrap(), "mine\n");
    }

    #[test]
    fn what_is_new_goes_beside_what_the_user_has_changed() {
        let mut place = ProjectPlace::new();
        place.written().unwrap();
        place.put("README.md", "# cellar\n\none of mine\n\ntwo\n");
        place.put("src/data.py", "X = 2\n");
        place.put("src/own.py", "");
        place.readme = "# «parameters.name»\n\none\n\ntwo\n\nthree\n".to_owned();
        place.data = "X = 3\n".to_owned();
        let commands = place.shown().commands;
        assert!(
            commands[0].to_string().starts_with("put what is new into README.md"),
            "{commands:?}"
        );
        assert!(commands[1].to_string().starts_with("keep src/data.py"), "{commands:?}");
        place.written().unwrap();
        assert_eq!(place.text("README.md").unwrap(), "# cellar\n\none of mine\n\ntwo\n\nthree\n");
        assert_eq!(place.text("src/data.py").unwrap(), "X = 2\n");
        assert!(place.holds());
    }

    #[test]
    fn where_both_have_changed_the_same_the_users_stays_and_the_other_lies_beside() {
        let mut place = ProjectPlace::new();
        place.written().unwrap();
        let mine = "# cellar\n\nmine\n\ntwo\n";
        place.put("README.md", mine);
        place.readme = "# «parameters.name»\n\nnew\n\ntwo\n".to_owned();
        let error = place.written().unwrap_err();
        assert!(
            matches!(&error, ExecError::Conflicts { files, .. } if *files == ["README.md"]),
            "{error}"
        );
        assert_eq!(place.text("README.md").unwrap(), mine);
        let aside = place.text(".aitk/conflicts/README.md").unwrap();
        assert!(aside.contains("mine") && aside.contains("new"), "{aside}");
        let state = project_state(&place.project(), &Real).unwrap().unwrap();
        assert_eq!((state.changed.len(), state.away.len(), state.conflicts.len()), (1, 0, 1));
        assert!(place.holds(), "it is for the user to look after");
    }

    #[test]
    fn a_folder_of_somebody_elses_is_left_alone() {
        let place = ProjectPlace::new();
        place.put("thesis.txt", "mine");
        let shown = place.shown();
        assert_eq!(shown.status, Status::Blocked);
        assert!(shown.why.last().unwrap().to_string().contains("is not empty"));
        assert!(place.written().is_err());
        assert_eq!(Real.list(&place.project()).unwrap(), ["thesis.txt"]);
    }

    /// Every file below a folder, but for git's and for the day on which it was written.
    fn tree(folder: &Path) -> BTreeMap<PathBuf, String> {
        let (mut found, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
        while let Some(path) = open.pop() {
            match Real.stat(&path).map(|stat| stat.kind) {
                Ok(FileKind::Dir) => {
                    let names = Real.list(&path).unwrap().into_iter();
                    open.extend(names.filter(|name| name != ".git").map(|name| path.join(name)));
                }
                Ok(_) => {
                    let bytes = Real.read(&path).unwrap();
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let lines = text.lines().filter(|line| !line.starts_with("written = "));
                    let name = path.strip_prefix(folder).unwrap().to_owned();
                    found.insert(name, lines.collect::<Vec<_>>().join("\n"));
                }
                Err(_) => {}
            }
        }
        found
    }

    const MERGES: &str = "# cellar\n\none of mine\n\ntwo\n";
    const CLASHES: &str = "# cellar\n\none\n\nmine too\n";

    /// A project that the user has changed, with everything committed, and what is newer than it.
    fn changed_place(readme: &str, was: &[&str], becomes: &[&str]) -> ProjectPlace {
        let words = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
        let mut place = ProjectPlace::new();
        place.parts = words(was);
        place.written().unwrap();
        for (path, text) in
            [("README.md", readme), ("src/data.py", "MINE = 2\n"), ("notes.txt", "mine\n")]
        {
            place.put(path, text);
        }
        place.git(&["init", "--quiet"]);
        place.commit();
        place.readme = "# «parameters.name»\n\none\n\ntwo, newer\n\nthree\n".to_owned();
        place.data = "X = 3\n".to_owned();
        place.parts = words(becomes);
        place
    }

    #[test]
    fn an_update_that_is_killed_at_any_write_is_gone_on_with_and_no_edit_is_lost() {
        for (readme, was, becomes) in
            [(MERGES, &[][..], &["ab"][..]), (MERGES, &["ab"], &[]), (CLASHES, &[], &["ab"])]
        {
            let whole = changed_place(readme, was, becomes);
            assert_eq!(whole.written().is_err(), readme == CLASHES);
            let whole = tree(&whole.project());
            for writes in 0.. {
                let place = changed_place(readme, was, becomes);
                let dying = Dying::after(writes);
                let _ = place.written_on(&dying);
                let left = tree(&place.project());
                let mine = |path: &str| left[Path::new(path)].clone();
                assert_eq!((&*mine("src/data.py"), &*mine("notes.txt")), ("MINE = 2", "mine"));
                assert!(mine("README.md").contains("mine"), "{writes}: {left:?}");
                // The same command, where git sees what the killed one has written.
                if !place.holds() {
                    let again = place.written();
                    let is_told = matches!(again, Err(ExecError::Conflicts { .. }));
                    assert_eq!(is_told, readme == CLASHES, "{writes}: {again:?}");
                    assert!(is_told || again.is_ok(), "{writes}: {again:?}");
                }
                assert!(place.holds(), "{writes}");
                assert_eq!(tree(&place.project()), whole, "{writes}");
                if !dying.is_dead() {
                    assert!(writes > 5, "{writes}");
                    break;
                }
            }
        }
    }

    #[test]
    fn what_is_killed_while_it_is_written_first_or_taken_away_is_gone_on_with() {
        let whole = ProjectPlace::new();
        whole.written().unwrap();
        let whole = tree(&whole.project());
        for writes in 0.. {
            let place = ProjectPlace::new();
            let dying = Dying::after(writes);
            let _ = place.written_on(&dying);
            place.written().unwrap();
            assert!(place.holds());
            assert_eq!(tree(&place.project()), whole, "{writes}");
            if !dying.is_dead() {
                assert!(writes > 4, "{writes}");
                break;
            }
        }
        for writes in 0.. {
            let place = changed_place(MERGES, &["ab"], &[]);
            let folder = place.project();
            let dying = Dying::after(writes);
            for system in [&dying as &dyn System, &Real] {
                if let Some(removal) = project_removal(&folder, &Real).unwrap() {
                    let _ = remove_project(&folder, &removal, system);
                }
            }
            let left: Vec<_> = tree(&folder).into_keys().collect();
            assert_eq!(left, ["README.md", "notes.txt", "src/data.py"].map(PathBuf::from));
            if !dying.is_dead() {
                assert!(writes > 0);
                break;
            }
        }
    }

    #[test]
    fn a_tree_of_gits_with_changes_is_written_only_once_they_are_committed() {
        let place = changed_place(MERGES, &[], &["ab"]);
        place.put("notes.txt", "more of mine\n");
        place.refuses_as_not_committed();
        place.commit();
        place.written().unwrap();
    }

    #[test]
    fn what_the_user_has_changed_since_a_kill_is_committed_first() {
        for (was, becomes) in [(&[][..], &["ab"][..]), (&["ab"], &[])] {
            for writes in 0.. {
                for path in ["README.md", "notes.txt"] {
                    let place = changed_place(MERGES, was, becomes);
                    let dying = Dying::after(writes);
                    let _ = place.written_on(&dying);
                    if !dying.is_dead() {
                        assert!(writes > 5, "{writes}");
                        return;
                    }
                    let late = format!("late\n{}", place.text(path).unwrap());
                    place.put(path, &late);
                    place.refuses_as_not_committed();
                    // In the index it is the user's, whoever has written it.
                    place.git(&["add", "--all"]);
                    place.refuses_as_not_committed();
                    place.commit();
                    let _ = place.written();
                    assert!(place.holds(), "{writes}");
                    assert!(place.text(path).unwrap().starts_with("late\n"), "{writes}");
                    assert!(place.text("README.md").unwrap().contains("one of mine"), "{writes}");
                }
            }
        }
    }

    #[test]
    fn a_file_that_the_user_has_deleted_since_a_kill_is_a_change_as_well() {
        let place = changed_place(MERGES, &["ab"], &[]);
        let _ = place.written_on(&Dying::after(1));
        Real.remove(&place.project().join("notes.txt")).unwrap();
        place.refuses_as_not_committed();
    }

    #[test]
    fn a_folder_in_which_nothing_but_aitks_own_was_made_is_free() {
        let place = ProjectPlace::new();
        // It is killed within the first write, where it has only made the folder.
        Real.create_dir(&place.project().join(".aitk")).unwrap();
        place.written().unwrap();
        assert!(place.holds());
    }

    #[test]
    fn a_template_with_an_unknown_hole_or_an_endless_loop_writes_nothing() {
        for (bad, why) in [
            ("# «parameters.nothing»\n", "undefined"),
            (
                "«% for a in range(9999) %»«% for b in range(9999) %»x«% endfor %»«% endfor %»",
                "fuel",
            ),
            ("«% macro again() %»«{ again() }»«% endmacro %»«again()»", "README.md"),
        ] {
            let mut place = ProjectPlace::new();
            place.readme = bad.to_owned();
            let error = place.with(|cx, plan| {
                behaviour(&plan.steps[0].action).resolve(cx, plan, &plan.steps[0]).unwrap_err()
            });
            let told = aitk_system::Explain::message(&error).to_string();
            assert_eq!(aitk_system::Explain::code(&error), "AITK-O19");
            assert!(told.contains("tiny") && told.contains(why), "{why}: {told}");
            assert!(place.written().is_err());
            assert!(Real.stat(&place.project()).is_err(), "{why}");
            // The same where there is a project already: it stays as it was, whole.
            let mut place = ProjectPlace::new();
            place.written().unwrap();
            let before = place.text(".aitk/made.toml");
            (place.readme, place.data) = (bad.to_owned(), "X = 2\n".to_owned());
            assert!(place.written().is_err());
            assert_eq!(place.text("README.md").unwrap(), "# cellar\n\none\n\ntwo\n");
            assert_eq!(place.text("src/data.py").unwrap(), "X = 1\n");
            assert_eq!((place.text(".aitk/made.toml"), place.text(".aitk/begun")), (before, None));
        }
    }

    #[test]
    fn links_of_the_users_lead_nothing_out_of_the_folder() {
        let mut place = ProjectPlace::new();
        place.written().unwrap();
        let outside = place.folder.path().join("outside");
        Real.write(&outside.join("data.py"), b"precious", 0o644).unwrap();
        Real.remove(&place.project().join("src")).unwrap();
        Real.symlink(&outside, &place.project().join("src")).unwrap();
        place.data = "X = 3\n".to_owned();
        place.written().unwrap();
        assert_eq!(Real.read(&outside.join("data.py")).unwrap(), b"precious");
        let removal = project_removal(&place.project(), &Real).unwrap().unwrap();
        assert_eq!(removal.kept, [place.project().join("src/data.py")]);
    }

    #[test]
    fn one_run_at_a_time_is_at_work_in_a_folder_whoever_started_it() {
        let place = ProjectPlace::new();
        place.written().unwrap();
        Real.remove(&place.project().join("README.md")).unwrap();
        let place = ProjectPlace { data: "X = 3\n".to_owned(), ..place };
        let removal = project_removal(&place.project(), &Real).unwrap().unwrap();
        let before = tree(&place.project());
        let other = Real.hold_folder(&place.project().join(".aitk")).unwrap().unwrap();
        assert!(matches!(place.written(), Err(ExecError::ProjectBusy { .. })));
        let error = remove_project(&place.project(), &removal, &Real).unwrap_err();
        assert!(matches!(error, ExecError::ProjectBusy { .. }));
        assert_eq!(tree(&place.project()), before);
        drop(other);
        place.written().unwrap();
        assert!(place.holds());
    }

    #[test]
    fn what_has_changed_since_it_was_shown_is_shown_again_first() {
        let mut place = ProjectPlace::new();
        place.written().unwrap();
        place.readme.push_str("more\n");
        let shown = place.shown();
        place.put("README.md", "mine\n");
        let before = tree(&place.project());
        let error = place.agreed_on(&Real, &shown).unwrap_err();
        assert!(matches!(error, ExecError::ProjectChanged { .. }), "{error}");
        assert_eq!(tree(&place.project()), before);
        assert!(matches!(place.written(), Err(ExecError::Conflicts { .. })));
    }

    #[test]
    fn what_was_changed_after_its_removal_was_shown_stays() {
        let place = ProjectPlace::new();
        place.written().unwrap();
        let folder = place.project();
        let shown = project_removal(&folder, &Real).unwrap().unwrap();
        place.put("README.md", "mine\n");
        let done = remove_project(&folder, &shown, &Real).unwrap();
        assert_eq!(
            (done.goes, done.kept),
            (vec![folder.join("src/data.py")], vec![folder.join("README.md")])
        );
        assert_eq!(Real.list(&folder).unwrap(), ["README.md"]);
    }

    #[test]
    fn only_what_nobody_touched_is_taken_away() {
        let mut place = ProjectPlace::new();
        place.parts = vec!["ab".to_owned()];
        place.written().unwrap();
        place.put("README.md", "mine\n");
        place.put("notes.txt", "mine\n");
        let folder = place.project();
        let removal = project_removal(&folder, &Real).unwrap().unwrap();
        remove_project(&folder, &removal, &Real).unwrap();
        assert_eq!(Real.list(&folder).unwrap(), ["README.md", "notes.txt"]);
        assert_eq!(Real.stat(&folder).unwrap().kind, FileKind::Dir);
    }

    #[test]
    fn what_is_the_users_alone_and_untouched_is_not_told_as_changed() {
        let mut place = ProjectPlace::new();
        place.written().unwrap();
        for new in ["X = 3\n", "X = 4\n"] {
            place.data = new.to_owned();
            place.written().unwrap();
            assert_eq!(place.text("src/data.py").unwrap(), "X = 1\n");
            let state = project_state(&place.project(), &Real).unwrap().unwrap();
            assert_eq!(state.changed, [""; 0]);
            assert!(place.holds());
        }
        // Another file is written, and it is told all the same.
        place.readme += "more\n";
        place.written().unwrap();
        let state = project_state(&place.project(), &Real).unwrap().unwrap();
        assert_eq!(state.changed, [""; 0]);
        place.put("src/data.py", "X = 2\n");
        let state = project_state(&place.project(), &Real).unwrap().unwrap();
        assert_eq!(state.changed, ["src/data.py"]);
    }

    #[test]
    fn a_notebook_becomes_a_product_by_the_command_in_its_own_words() {
        let mut place = ProjectPlace::new();
        for platform in ["kaggle", "colab", "studio-lab"] {
            place.folder = tempfile::tempdir().unwrap();
            (place.budget, place.platform) = ("free", platform.to_owned());
            place.written().unwrap();
            assert!(place.holds());
            let readme = place.text("README.md").unwrap();
            let command = readme.lines().find(|line| line.starts_with("aitk apply --budget sme "));
            let words: Vec<_> = command.unwrap().split(' ').collect();
            let ["aitk", "apply", "--budget", "sme", "--platform", next] = words[..] else {
                panic!("{words:?}")
            };
            // The file that it names, with what is the user's.
            assert!(readme.contains("`src/churn/data.py`"), "{readme}");
            let data = "FEATURES = [\"mine\"]\n";
            place.put("src/churn/data.py", data);
            place.put("aitk-starter-notebook.ipynb", "{\"cells\": []}\n");
            place.put("notes.txt", "mine\n");
            (place.budget, place.platform) = ("sme", next.to_owned());
            let commands: Vec<_> = place.shown().commands.iter().map(ToString::to_string).collect();
            for told in
                ["keep src/churn/data.py, which is yours", "keep aitk-starter-notebook.ipynb"]
            {
                assert!(commands.iter().any(|line| line.starts_with(told)), "{told}: {commands:?}");
            }
            place.written().unwrap();
            assert!(place.holds());
            assert_eq!(place.text("src/churn/data.py").unwrap(), data);
            assert_eq!(place.text("aitk-starter-notebook.ipynb").unwrap(), "{\"cells\": []}\n");
            assert_eq!(place.text("notes.txt").unwrap(), "mine\n");
            assert!(
                place.text("Makefile").is_some() && place.text("kernel-metadata.json").is_none()
            );
            let state = project_state(&place.project(), &Real).unwrap().unwrap();
            assert_eq!((state.record.platform.as_str(), state.conflicts.len()), ("containers", 0));
        }
    }

    #[test]
    fn what_a_folder_says_of_itself_is_a_strangers_claim() {
        let place = ProjectPlace::new();
        place.written().unwrap();
        let made = place.text(".aitk/made.toml").unwrap();
        for (from, to) in [
            ("path = \"README.md\"", "path = \"../README.md\""),
            ("path = \"README.md\"", "path = \"/etc/passwd\""),
            ("path = \"README.md\"", "path = \".git/config\""),
            ("path = \"README.md\"", "path = \".aitk/made.toml\""),
            ("base = \"base-", "base = \"../base-"),
            ("schema = 1", "schema = 2"),
        ] {
            assert!(made.contains(from), "{made}");
            place.put(".aitk/made.toml", &made.replacen(from, to, 1));
            let error = project::ProjectRecord::read(&place.project(), &Real).unwrap_err();
            assert!(matches!(error, ExecError::BadProject { .. }), "{to}: {error}");
        }
    }
}
