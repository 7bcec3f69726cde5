//! A role and a playbook for Ansible: aitk itself does the work, on each of many machines, from the choices and the lock.
//!
//! A saved plan would be of no use there: it is for one machine.

use aitk_plan::{CHOICES, Choices, Request, Status};

use crate::quote::{ansible, quoted};
use crate::{Export, ExportError, File, Source};

const ROLE: &str = "roles/aitk";
/// What is the same for every plan.
const FILES: [(&str, &str); 6] = [
    ("README.md", include_str!("../../../profiles/export/ansible/README.md")),
    ("ansible.cfg", include_str!("../../../profiles/export/ansible/ansible.cfg")),
    (
        "inventory.example.yml",
        include_str!("../../../profiles/export/ansible/inventory.example.yml"),
    ),
    ("playbook.yml", include_str!("../../../profiles/export/ansible/playbook.yml")),
    (
        "roles/aitk/meta/argument_specs.yml",
        include_str!("../../../profiles/export/ansible/roles/aitk/meta/argument_specs.yml"),
    ),
    (
        "roles/aitk/tasks/aside.yml",
        include_str!("../../../profiles/export/ansible/roles/aitk/tasks/aside.yml"),
    ),
];
const TASKS: &str = include_str!("../../../profiles/export/ansible/roles/aitk/tasks/main.yml");
const DEFAULTS: &str =
    include_str!("../../../profiles/export/ansible/roles/aitk/defaults/main.yml");
/// What comes after the variables that are the plan's own.
const VARIABLES: &str = include_str!("../../../profiles/export/ansible/roles/aitk/vars/main.yml");

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    let lock = source.plan.manager.lock_file();
    let mut carried = vec![(lock, source.lock)];
    carried.extend(source.profile.map(|profile| ("profile.toml", profile)));
    let names: Vec<_> = carried.iter().map(|(name, _)| (*name).to_owned()).collect();
    let defaults = DEFAULTS.replace("USER_ONLY", &source.plan.choices.user_only.to_string());
    let variables = format!(
        "---\n# What was chosen, as flags of aitk.\naitk_flags:\n{}\n# What the environment is called.\naitk_env: {}\n\
         # What the lock is for, as `uname -m` says it.\naitk_architecture: {}\n# What aitk goes by.\naitk_files:\n{}\n\n\
         {VARIABLES}",
        list(&flags(source, lock)),
        ansible(source.name()),
        ansible(&source.machine.arch),
        list(&names.iter().map(|name| quoted(name)).collect::<Vec<_>>()),
    );
    let mut files: Vec<_> = FILES.map(|(path, content)| File::new(path, content)).into();
    files.push(File::new(format!("{ROLE}/defaults/main.yml"), defaults));
    files.push(File::new(format!("{ROLE}/tasks/main.yml"), TASKS));
    files.push(File::new(format!("{ROLE}/vars/main.yml"), variables));
    files.extend(
        carried.iter().map(|(name, content)| File::new(format!("{ROLE}/files/{name}"), *content)),
    );
    let restarts = source
        .plan
        .steps
        .iter()
        .any(|step| step.status == Status::Needed && step.action.facts().pauses);
    Ok(Export { files, without: if restarts { vec!["restart"] } else { Vec::new() } })
}

/// The flags that choose the same on another machine, as YAML has them, where the files that they name lie in a folder of the role's.
/// `--user-only` is none of them: whether a user may become root is each machine's own.
fn flags(source: &Source<'_>, lock: &str) -> Vec<String> {
    // These alone Ansible fills in.
    let there = |flag: &str, name: &str| quoted(&format!("{flag}={{{{ aitk_folder }}}}/{name}"));
    let mut flags = vec![match source.profile {
        Some(_) => there("--profile", "profile.toml"),
        None => ansible(&format!("--budget={}", source.plan.budget)),
    }];
    flags.push(there("--locked", lock));
    // All managers would do, but the lock is for the one that was taken.
    let choices = Choices { manager: source.plan.manager.into(), ..source.plan.choices.clone() };
    let chosen = Request { choices, ..Request::default() };
    let others = CHOICES.iter().filter(|row| !["profile", "user-only"].contains(&row.flag));
    flags.extend(others.filter_map(|row| row.typed(&chosen)).map(|flag| ansible(&flag)));
    flags
}

/// A list in YAML of what is written so, on lines of its own.
fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("  - {item}")).collect::<Vec<_>>().join("\n")
}
