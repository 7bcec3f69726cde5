//! What conda must know of a machine: its virtual packages, from the facts and never by looking.

use aitk_detect::Machine;
use aitk_plan::Cuda;
use aitk_plan::lock::conda::name_of;
use rattler_conda_types::{MatchSpec, ParseMatchSpecOptions, Version};

/// The virtual packages of a machine as `name`, `version`, `build`.
///
/// Of GPUs only what the plan computes on counts (`cuda`). `env` tells conda's own variables, `CONDA_OVERRIDE_CUDA`
/// and the like, which have the last word; an empty one takes the package away.
pub(super) fn of(
    machine: &Machine,
    cuda: Option<&Cuda>,
    env: impl Fn(&str) -> Option<String>,
) -> Vec<(&'static str, String, String)> {
    let glibc = machine.libc.as_ref().filter(|libc| libc.family == "glibc");
    let facts = [
        ("__unix", None, Some("0".to_owned())),
        ("__linux", Some("LINUX"), machine.kernel.as_deref().map(digits)),
        ("__glibc", Some("GLIBC"), glibc.and_then(|libc| libc.version.clone())),
        ("__cuda", Some("CUDA"), cuda.map(|cuda| cuda.version.clone())),
        ("__cuda_arch", Some("CUDA_ARCH"), cuda.and_then(|cuda| cuda.capability.clone())),
        ("__archspec", Some("ARCHSPEC"), Some(microarchitecture(machine))),
    ];
    facts
        .into_iter()
        .filter_map(|(name, variable, fact)| {
            let told = variable.and_then(|variable| env(&format!("CONDA_OVERRIDE_{variable}")));
            let value = told.or(fact).filter(|value| !value.is_empty())?;
            Some(match name {
                // Its version is always 1, and its build is the processor.
                "__archspec" => (name, "1".to_owned(), value),
                _ => (name, value, "0".to_owned()),
            })
        })
        .collect()
}

/// Whether a need of a package is met by what a machine has; needs of other packages are no concern of the machine.
pub(super) fn meet(here: &[(&'static str, String, String)], need: &str) -> bool {
    if !need.starts_with("__") {
        return true;
    }
    let Ok(spec) = MatchSpec::from_str(need, ParseMatchSpecOptions::lenient()) else { return true };
    here.iter().filter(|(name, ..)| *name == name_of(need)).any(|(_, version, build)| {
        let version = version.parse::<Version>().ok();
        spec.version
            .as_ref()
            .is_none_or(|spec| version.is_some_and(|version| spec.matches(&version)))
            && spec.build.as_ref().is_none_or(|spec| spec.matches(build))
    })
}

/// As archspec names it: `x86_64_v3`, `aarch64`.
fn microarchitecture(machine: &Machine) -> String {
    match machine.cpu.level.as_deref() {
        Some(level) if level.starts_with("x86-64-") => level.replace('-', "_"),
        _ => machine.arch.clone(),
    }
}

/// `6.1.0` of `6.1.0-13-amd64`.
fn digits(kernel: &str) -> String {
    let end = kernel.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(kernel.len());
    kernel[..end].trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use aitk_detect::Libc;

    use super::*;

    fn machine() -> Machine {
        let mut machine = Machine {
            arch: "x86_64".to_owned(),
            kernel: Some("6.1.0-13-amd64".to_owned()),
            libc: Some(Libc { family: "glibc".to_owned(), version: Some("2.36".to_owned()) }),
            ..Machine::default()
        };
        machine.cpu.level = Some("x86-64-v3".to_owned());
        machine
    }

    fn of(
        machine: &Machine,
        env: impl Fn(&str) -> Option<String>,
    ) -> Vec<(&'static str, String, String)> {
        let cuda = Cuda { version: "12.4".to_owned(), capability: Some("8.6".to_owned()) };
        super::of(machine, Some(&cuda), env)
    }

    #[test]
    fn what_shall_not_compute_is_not_told() {
        let found = super::of(&machine(), None, |_| None);
        assert!(!found.iter().any(|(name, ..)| name.starts_with("__cuda")), "{found:?}");
    }

    fn told(found: &[(&str, String, String)]) -> Vec<String> {
        found.iter().map(|(name, version, build)| format!("{name}={version}={build}")).collect()
    }

    #[test]
    fn they_come_from_the_facts() {
        let found = of(&machine(), |_| None);
        assert_eq!(
            told(&found),
            [
                "__unix=0=0",
                "__linux=6.1.0=0",
                "__glibc=2.36=0",
                "__cuda=12.4=0",
                "__cuda_arch=8.6=0",
                "__archspec=1=x86_64_v3"
            ]
        );
    }

    #[test]
    fn needs_are_met_or_not() {
        let here = of(&machine(), |_| None);
        for (need, met) in [
            ("numpy >=99", true),
            ("__glibc", true),
            ("__glibc >=2.28,<3.0.a0", true),
            ("__glibc >=2.39", false),
            ("__cuda >=12.4", true),
            ("__cuda >=13", false),
            ("__osx", false),
            ("__archspec 1 x86_64_v3", true),
        ] {
            assert_eq!(meet(&here, need), met, "{need}");
        }
    }

    #[test]
    fn condas_variables_have_the_last_word() {
        let found = of(&machine(), |name| match name {
            "CONDA_OVERRIDE_CUDA" => Some(String::new()),
            "CONDA_OVERRIDE_GLIBC" => Some("2.17".to_owned()),
            _ => None,
        });
        let found = told(&found);
        assert!(found.contains(&"__glibc=2.17=0".to_owned()), "{found:?}");
        assert!(!found.iter().any(|one| one.starts_with("__cuda=")), "{found:?}");
    }
}
