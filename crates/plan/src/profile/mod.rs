//! What a budget recommends: steps with their needs and conditions, as data.

mod error;
mod read;

use std::sync::OnceLock;

use aitk_system::{Message, builtin, message};
use serde::Deserialize;

pub use self::error::ProfileError;
pub use self::read::{LONGEST, PROFILE, STEP, parse};
use crate::manager::Manager;
use crate::model::Phase;
use crate::names;
use crate::project::{Project, ServiceSpec};
use crate::size::Bytes;
use crate::step::StepKind;
use crate::step::form::EachService;

/// The profiles that come with the program.
const BUILTIN: [&str; 5] = ["free", "low", "workstation", "sme", "enterprise"];

/// A budget's recommendation.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// What `--budget` takes: `low`.
    pub name: String,
    /// One line for people.
    pub title: Message,
    /// What it brings, in a sentence for people.
    pub summary: Message,
    /// Whether its environment is that of a session of hosted notebooks: it is resolved for it, and nothing of it is
    /// installed on this machine.
    pub hosted: bool,
    /// Whether it writes a project for a platform, which has to be named.
    pub projects: bool,
    /// The framework that is meant where none is chosen.
    pub framework: Option<String>,
    /// Thresholds of memory.
    pub memory: MemoryThresholds,
    /// What a machine for it should have.
    pub hardware: Option<Hardware>,
    /// The steps, each after those that it needs.
    pub steps: Vec<ProfileStep>,
    /// The project that is to be written, where the choices name one.
    pub project: Option<Project>,
}

/// Main memory at which a plan warns, proposes swap or says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryThresholds {
    /// Below it a warning is given.
    pub minimum: Bytes,
    /// From it on everything is comfortable.
    pub comfortable: Bytes,
    /// Below it, without swap, a swap file is proposed.
    pub swap_below: Bytes,
    /// How large that file should be.
    pub swap_size: Bytes,
}

/// What a machine should have, for words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// Memory of a graphics processor.
    pub vram: Bytes,
    /// What has so much, for people.
    #[serde(deserialize_with = "names::sentence")]
    pub example: Message,
    /// The kind of disk, as [`aitk_detect::Disk::kind`] has it.
    #[serde(deserialize_with = "names::line::one")]
    pub disk: String,
}

/// A step as a profile describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileStep {
    /// By this other steps and receipts name it; it stays from version to version.
    pub id: String,
    /// Where in the order it belongs.
    pub phase: Phase,
    /// What it is, for people.
    pub title: Message,
    /// Why it is there.
    pub why: Message,
    /// The manager that it belongs to; `None` where it belongs to both.
    pub manager: Option<Manager>,
    /// What the user must have asked for (`--with`) for it to be there.
    pub with: Option<String>,
    /// Whether it is there only where a project is written.
    pub project: bool,
    /// The maker of a GPU that must be here for it to be there.
    pub gpu: Option<String>,
    /// What to do instead in WSL, where the step is left out then.
    pub wsl: Option<Message>,
    /// Steps that come before it.
    pub needs: Vec<String>,
    /// What it ensures, as the keys of its kind say it.
    pub kind: StepKind,
    /// What the machine must have, else the step is blocked.
    pub requires: Requirements,
    /// What it takes as long as no source can be asked.
    pub estimate: Estimate,
}

impl ProfileStep {
    /// Whether another one is the same but for what comes before it and what it takes.
    fn says_the_same(&self, other: &Self) -> bool {
        let said = |step: &Self| {
            let other = Self { needs: Vec::new(), estimate: Estimate::default(), ..step.clone() };
            Self { requires: Requirements::default(), ..other }
        };
        said(self) == said(other)
    }
}

/// What a machine must have for a step.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requirements {
    /// Memory, with a tenth of tolerance for what firmware and kernel keep to themselves.
    pub memory: Option<Bytes>,
    /// `x86-64-v2`, … (other architectures are not concerned).
    #[serde(deserialize_with = "names::line::maybe")]
    pub cpu_level: Option<String>,
    /// Flags that the processor must have, as `/proc/cpuinfo` writes them.
    #[serde(deserialize_with = "names::line::all")]
    pub cpu_features: Vec<String>,
    /// The oldest glibc, `2.28`.
    #[serde(deserialize_with = "names::version::maybe")]
    pub glibc: Option<String>,
    /// The framework that has to be chosen.
    #[serde(deserialize_with = "names::step_id::maybe")]
    pub framework: Option<String>,
}

/// What a step takes as long as no source can be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Estimate {
    /// Bytes to download, written `147 MB`.
    pub download: Bytes,
    /// Bytes on disk, likewise.
    pub disk: Bytes,
    /// How many files: file systems run out of inodes as well.
    pub files: u64,
}

impl Profile {
    /// The names of the profiles that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILTIN.into_iter()
    }

    /// A profile that comes with the program.
    ///
    /// # Errors
    /// [`ProfileError::Unknown`], with the nearest name.
    pub fn builtin(name: &str) -> Result<Self, ProfileError> {
        let Some(at) = BUILTIN.iter().position(|known| *known == name) else {
            return Err(ProfileError::Unknown {
                name: name.to_owned(),
                nearest: nearest(name, Self::names()),
            });
        };
        // A command asks for it several times.
        static READ: [OnceLock<Profile>; BUILTIN.len()] =
            [const { OnceLock::new() }; BUILTIN.len()];
        if let Some(read) = READ[at].get() {
            return Ok(read.clone());
        }
        let file = format!("{name}.toml");
        let profile = Self::from_toml(&file, builtin(&file))?;
        Ok(READ[at].get_or_init(|| profile).clone())
    }

    /// The budget whose platforms it writes projects for.
    pub fn platforms_of(&self) -> &str {
        if self.hosted { "free" } else { &self.name }
    }

    /// The same for a project: what stands for all of its services becomes a step for each.
    #[must_use]
    pub fn with_project(self, project: Project) -> Self {
        let each = |step: ProfileStep| match &step.kind {
            StepKind::EachService(EachService { name: None }) => {
                let one = |ServiceSpec { name, .. }: &ServiceSpec| ProfileStep {
                    id: format!("{}.{name}", step.id),
                    title: message!("Run the service {name}"),
                    kind: StepKind::EachService(EachService { name: Some(name.clone()) }),
                    ..step.clone()
                };
                project.services.iter().map(one).collect()
            }
            _ => vec![step],
        };
        let steps = self.steps.into_iter().flat_map(each).collect();
        Self { steps, project: Some(project), ..self }
    }

    /// What can be added to it (`--with`), in the order of its steps.
    pub fn options(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for name in self.steps.iter().filter_map(|step| step.with.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Looks whether there is everything that is to be added.
    ///
    /// # Errors
    /// [`ProfileError::NoOption`] with the first that there is not.
    pub fn has_options(&self, wanted: &[String]) -> Result<(), ProfileError> {
        let known = self.options();
        match wanted.iter().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(ProfileError::NoOption {
                name: name.clone(),
                nearest: nearest(name, known.iter().copied()),
                known: known.into_iter().map(str::to_owned).collect(),
            }),
        }
    }

    /// The steps that change the system by more than packages of its archive, and that no profile of aitk's own has word
    /// for word: what root writes, and where, comes from aitk.
    ///
    /// # Errors
    /// Where a profile of aitk's own is damaged, which a test rules out.
    pub fn system_changes(&self) -> Result<Vec<&str>, ProfileError> {
        let mut changes: Vec<&ProfileStep> =
            self.steps.iter().filter(|step| step.kind.facts().changes_system).collect();
        if !changes.is_empty() {
            for name in BUILTIN {
                let own = Self::builtin(name)?;
                changes.retain(|step| !own.steps.iter().any(|known| known.says_the_same(step)));
            }
        }
        Ok(changes.into_iter().map(|step| step.id.as_str()).collect())
    }
}

/// The name that is most like another, if any is.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        // Half of it may be wrong.
        .filter(|(distance, known)| *distance <= known.len().div_ceil(2))
        .min()
        .map(|(_, known)| known.to_owned())
}

#[cfg(test)]
mod tests {
    use aitk_system::{Exit, Explain};

    use super::*;

    const HEAD: &str = "schema = 1\nname = \"t\"\ntitle = \"t\"\nsummary = \"t\"\n\
        memory = { minimum = \"8 GiB\", comfortable = \"16 GiB\", swap_below = \"2 GiB\", swap_size = \"2 GiB\" }\n";

    fn error(steps: &str) -> String {
        Profile::from_toml("t.toml", &format!("{HEAD}{steps}")).unwrap_err().to_string()
    }

    fn step(id: &str, rest: &str) -> String {
        format!("[[step]]\nid = \"{id}\"\nphase = \"system\"\ntitle = \"t\"\nwhy = \"w\"\n{rest}\n")
    }

    #[test]
    fn the_builtin_profiles_are_valid() {
        for name in Profile::names() {
            assert_eq!(Profile::builtin(name).unwrap().name, name);
        }
    }

    #[test]
    fn a_misspelt_budget_gets_the_nearest_name() {
        let error = Profile::builtin("lwo").unwrap_err();
        assert!(error.hint().unwrap().to_string().contains("did you mean `low`?"));
        assert_eq!(error.exit(), Exit::Usage);
    }

    #[test]
    fn what_can_be_added_is_known_and_the_nearest_is_named() {
        let low = Profile::builtin("low").unwrap();
        assert_eq!(
            low.options(),
            ["llm", "mlflow", "pytest", "poetry", "docker", "cuda-toolkit", "vscode"]
        );
        assert!(low.has_options(&["docker".to_owned()]).is_ok());
        let error = low.has_options(&["dokcer".to_owned()]).unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean `--with docker`?");
        assert_eq!(error.exit(), Exit::Usage);
    }

    #[test]
    fn a_profile_takes_the_steps_of_another_or_has_its_own() {
        let (low, workstation) =
            (Profile::builtin("low").unwrap(), Profile::builtin("workstation").unwrap());
        assert_eq!(low.steps, workstation.steps);
        let head = HEAD.replace("memory", "steps_of = \"low\"\nmemory");
        let both = format!("{head}{}", step("a", "kind = \"uv\""));
        let said = Profile::from_toml("t.toml", &both).unwrap_err().to_string();
        assert!(said.starts_with("t.toml:5:12: "), "{said}");
        let other = head.replace("\"low\"", "\"lwo\"");
        assert!(Profile::from_toml("t.toml", &other).is_err());
    }

    #[test]
    fn names_requirements_and_texts_of_a_profile_are_nothing_else() {
        let environment = step("e", "kind = \"environment\"");
        for requirement in [
            "-e git+http://127.0.0.1/",
            "-r /etc/shadow",
            "--index-url http://x",
            "x @ file:///x",
            "x @ git+file:///x",
            "six\\n-r /etc/passwd",
            "/x.whl",
            "--no-binary :all:",
        ] {
            let layer = step(
                "l",
                &format!("kind = \"layer\"\nrequirements = [\"six\", \"{requirement}\"]"),
            );
            let said = error(&(environment.clone() + &layer));
            assert!(said.starts_with("t.toml:18:16: ") && said.contains("PEP 508"), "{said}");
        }
        for spec in ["https://x/y.conda", "other::x", "x[url=http://x]"] {
            let rest = format!("kind = \"layer\"\nrequirements = [\"six\"]\nconda = [\"{spec}\"]");
            assert!(
                error(&(environment.clone() + &step("l", &rest))).contains("match spec"),
                "{spec}"
            );
            let base = format!("kind = \"base\"\nrequirements = [\"{spec}\"]");
            assert!(error(&step("b", &base)).contains("match spec"), "{spec}");
        }
        for package in ["/home/x.deb", "./x.deb", "-y", "curl-", "a b", "x/sid", "a=1"] {
            let rest = format!("kind = \"apt-packages\"\npackages = [\"curl\", \"{package}\"]");
            assert!(error(&step("a", &rest)).starts_with("t.toml:12:12: "), "{package}");
        }
        let uv = step("a", "kind = \"uv\"");
        for (from, to) in [
            ("why = \"w\"", "why = \"w\\u001b[8m\""),
            ("title = \"t\"\nwhy", "title = \"t\\u202e\"\nwhy"),
            ("id = \"a\"", "id = \"../a\""),
            ("id = \"a\"", "id = \"\""),
            ("kind = \"uv\"", "kind = \"uv\"\nwith = \"a b\""),
        ] {
            assert_ne!(uv.replace(from, to), uv);
            let said = error(&uv.replace(from, to));
            assert!(said.starts_with("t.toml:") && said.contains("is no "), "{said}");
        }
    }

    #[test]
    fn sizes_and_counts_of_a_profile_have_limits() {
        let many: String = (0..30_000).map(|i| step(&format!("s{i}"), "kind = \"uv\"")).collect();
        assert!(error(&many).contains("at most 1048576 bytes"));
        let reversed = |count: usize| -> String {
            let need = |i: usize| format!("kind = \"uv\"\nneeds = [\"s{}\"]", (i + 1).min(count));
            let last = step(&format!("s{count}"), "kind = \"uv\"");
            (0..count).map(|i| step(&format!("s{i}"), &need(i))).collect::<String>() + &last
        };
        assert!(error(&reversed(500)).contains("at most 400 steps"));
        assert!(Profile::from_toml("t.toml", &(HEAD.to_owned() + &reversed(399))).is_ok());
        for amount in ["18446744073709551615 B", "16777216 TB", "-1 B", "é"] {
            let head = HEAD.replace("\"8 GiB\"", &format!("\"{amount}\""));
            let said = Profile::from_toml("t.toml", &head).unwrap_err().to_string();
            assert!(said.starts_with("t.toml:5:"), "{said}");
        }
        let hours = step("a", "kind = \"apt-lists\"\nmax_age_hours = 9223372036854775807");
        assert!(error(&hours).starts_with("t.toml:12:"));
    }

    #[test]
    fn what_changes_the_system_comes_word_for_word_from_a_profile_of_aitks() {
        let of = |text: &str| {
            let profile = Profile::from_toml("t.toml", text).unwrap();
            let changes = profile.system_changes().unwrap();
            changes.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let evil = [
            step("hold", "kind = \"driver-hold\"\npath = \"/etc/sudoers.d/x\"\ncontent = \"x\""),
            step("groups", "kind = \"groups\""),
            step("swap", "kind = \"swap-file\""),
            step("source", "kind = \"apt-source\"\nsource = \"nvidia\""),
            step("packages", "kind = \"apt-packages\"\npackages = [\"curl\"]"),
        ];
        assert_eq!(of(&(HEAD.to_owned() + &evil.concat())), ["hold", "groups", "swap", "source"]);
        for own in BUILTIN.map(|name| builtin(&format!("{name}.toml"))) {
            assert_eq!(of(own), [""; 0]);
        }
        // The place, the content and what it takes to be there count.
        let low = builtin("low.toml");
        assert_eq!(
            of(&low.replace("/etc/apt/apt.conf.d/60aitk", "/etc/sudoers.d/x")),
            ["accelerator.hold"]
        );
        let always = low.replacen("with = \"docker\"\n", "", 2);
        assert_ne!(always, low);
        assert_eq!(of(&always), ["tools.docker.source"]);
    }

    #[test]
    fn a_newer_form_is_named_before_its_keys() {
        let error =
            Profile::from_toml("t.toml", "# new\nschema = 2\nbudget = \"t\"\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "t.toml:2:10: this profile has form 2, and this version of aitk reads form 1"
        );
    }

    #[test]
    fn what_works_in_an_environment_needs_one_before_it_with_either_manager() {
        let layer = step("l", "kind = \"layer\"\nrequirements = [\"numpy\"]");
        let said = error(&layer);
        assert!(said.starts_with("t.toml:11:8: ") && said.contains("`environment`"), "{said}");
        let only_conda = step("e", "kind = \"environment\"\nmanager = \"conda\"");
        let said = error(&(only_conda.clone() + &layer));
        assert!(said.starts_with("t.toml:18:8: ") && said.contains("with venv"), "{said}");
        let said = error(&(layer.clone() + &step("e", "kind = \"environment\"")));
        assert!(said.starts_with("t.toml:11:8: "), "it comes too late: {said}");
        let both = step("e", "kind = \"environment\"");
        assert!(Profile::from_toml("t.toml", &format!("{HEAD}{both}{layer}")).is_ok());
        assert!(error(&(both + &only_conda.replace("\"e\"", "\"f\""))).contains("already"));
    }

    #[test]
    fn a_check_that_there_is_not_is_named_at_its_place() {
        let environment = step("e", "kind = \"environment\"");
        let said = error(&(environment + &step("c", "kind = \"check\"\nscript = \"nosuch.py\"")));
        assert!(said.starts_with("t.toml:18:10: there is no check `nosuch.py`"), "{said}");
        assert!(said.contains("libraries.py"), "{said}");
    }

    #[test]
    fn faults_are_named_with_file_line_and_column() {
        assert_eq!(
            error(&step("a", "kind = \"uv\"\ncolour = 1")),
            "t.toml:12:1: a step of this kind takes no `colour`"
        );
        assert!(error(&step("a", "kind = 3")).starts_with("t.toml:11:8: "));
        assert_eq!(
            error(&step("a", "kind = \"uv\"\nneeds = [\"b\"]")),
            "t.toml:12:10: there is no step `b`"
        );
        assert_eq!(
            error(&(step("e", "kind = \"environment\"") + &step("a", "kind = \"layer\""))),
            "t.toml:17:8: a step of this kind needs `requirements`"
        );
        assert_eq!(
            error(&step("a", "kind = \"uv\"\nscript = \"x\"")),
            "t.toml:12:1: a step of this kind takes no `script`"
        );
        let circle = step("a", "kind = \"uv\"\nneeds = [\"b\"]")
            + &step("b", "kind = \"uv\"\nneeds = [\"a\"]");
        assert_eq!(error(&circle), "t.toml:19:10: steps need each other in a circle: a → b → a");
    }
}
