//! From wishes to a lock: uv resolves all layers together, once.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use aitk_plan::lock::{into_layers, pylock};
use aitk_plan::{
    BuildRequest, EnvironmentRequest, Lock, LockError, LockTarget, Locked, Manager, Package,
    digest_of, names, normalized, project,
};
use aitk_system::{Command, Message, System, beside, message};
use serde::{Deserialize, Serialize};

use super::asking;
use super::stand_in;
use super::uv::UvProgram;
use super::wheel::measure;
use crate::error::EnvError;
use crate::http::HttpClient;
use crate::{Settings, text};

/// What is resolved.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResolveRequest<'a> {
    /// What is asked for.
    pub request: &'a EnvironmentRequest,
    /// What it is for.
    pub target: &'a LockTarget,
    /// The interpreter, where it is on this machine; one stands in for it elsewhere.
    pub interpreter: Option<&'a str>,
}

/// Resolves to a lock.
///
/// The framework's builds are tried at the same time, so that a source which does not answer costs no time. A build
/// stands in for one whose source does not answer, and for no other: a source that answers and has nothing that fits is
/// not passed over.
///
/// # Errors
/// What uv says of the build that counts, or of the last one where no source answers: [`EnvError::Unreachable`],
/// [`EnvError::Unsolvable`], …
pub(super) fn resolve(
    system: &dyn System,
    uv: &UvProgram,
    settings: &Settings,
    asked: ResolveRequest<'_>,
) -> Result<Lock, EnvError> {
    if asked.request.builds.is_empty() {
        attempt(system, uv, settings, asked, None)
    } else {
        let attempts: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> = asked
                .request
                .builds
                .iter()
                .map(|build| {
                    beside(scope, move || attempt(system, uv, settings, asked, Some(build)))
                })
                .collect();
            running.into_iter().map(|attempt| attempt.join()).collect()
        });
        let mut last = None;
        for attempt in attempts {
            match attempt.unwrap_or_else(|panic| resume_unwind(panic)) {
                Err(error @ (EnvError::Unreachable { .. } | EnvError::Offline { .. })) => {
                    last = Some(error);
                }
                answer => return answer,
            }
        }
        let last = last.unwrap_or_else(|| unreachable!("there is at least one build"));
        Err(nothing_instead(last, asked.request))
    }
}

/// Says of a framework's own index that does not answer why nothing stands in for it, where that is so: the general index has
/// builds for the processor and for some of NVIDIA's devices alone.
fn nothing_instead(error: EnvError, request: &EnvironmentRequest) -> EnvError {
    let general = |build: &BuildRequest| build.torch_backend.is_none() && build.index.is_none();
    match (error, request.builds.first()) {
        (EnvError::Unreachable { source_name, reason }, Some(build))
            if !request.builds.iter().any(general) =>
        {
            let name = &build.name;
            let reason = message!(
                "{reason}; the general index has no build {name} that could stand in: `--accelerator cpu` takes one that computes on the processor"
            );
            EnvError::Unreachable { source_name, reason }
        }
        (error, _) => error,
    }
}

/// Resolves with one build of the framework, or with none.
fn attempt(
    system: &dyn System,
    uv: &UvProgram,
    settings: &Settings,
    asked: ResolveRequest<'_>,
    build: Option<&BuildRequest>,
) -> Result<Lock, EnvError> {
    let layers = asked.request.layers_with(build);
    let wishes: Vec<_> = layers.iter().map(|layer| (&layer.step, &layer.requirements)).collect();
    let origin = Origin::of(build, settings);
    let folder = settings.cache.join("resolve").join(digest_of(&(&wishes, &origin, asked.target)));
    let all = wishes.iter().flat_map(|(_, requirements)| *requirements);
    let input = write_wishes(system, &folder, "requirements.in", all)?;
    let python = match asked.interpreter {
        Some(interpreter) => interpreter.to_owned(),
        None => text(&stand_in::write(system, &folder, asked.target)?),
    };
    let python = (asked.target.python.as_str(), python.as_str());
    let compile = compile(system, uv, settings, python, &origin, &input)?;
    let compile = bounded(system, &folder, asked.request, compile)?;
    let run = |command: &Command, source: &Message| run(system, settings, command, source);
    let source = match origin {
        Origin::Backend(_) | Origin::Vendor(_) => message!("the framework's own index"),
        Origin::General | Origin::Mirror(_) => message!("the Python package index"),
    };
    let pylock = run(&compile.clone().args(["--format", "pylock.toml", "-q"]), &source)?;
    let mut packages = packages_of(&pylock, asked.target)?;
    build.map_or(Ok(()), |build| is_that_build(&packages, build))?;

    // Who asked for whom: the same question again, with the versions just found; from the cache alone, since a mirror may
    // answer differently a moment later.
    let pins = write_pins(system, &folder, &packages)?;
    let via = compile.args(["--constraint", &text(&pins), "--annotation-style", "line"]);
    let via = via.args(["--no-header", "--no-emit-index-url", "--emit-index-annotation", "-q"]);
    // uv takes it once only.
    let via = if settings.offline { via } else { via.arg("--offline") };
    let (sizes, via) = thread::scope(|scope| {
        let sizes = beside(scope, || match settings.offline {
            true => Ok(()),
            false => measure(&HttpClient::asking(settings)?, &mut packages),
        });
        let via = run(&via, &source);
        (sizes.join().unwrap_or_else(|panic| resume_unwind(panic)), via)
    });
    sizes?;
    let via = via?;
    if let (Origin::Vendor(index), Some(build)) = (&origin, build) {
        comes_from(&via, build, &index.plain())?;
    }
    let askers = askers(&via);
    let needs = |locked: &Locked| {
        let asks = |(name, via): (&String, &BTreeSet<String>)| {
            via.contains(&locked.key()).then(|| name.clone())
        };
        askers.iter().filter_map(asks).collect()
    };
    let layers = into_layers(&wishes, packages, project, needs);
    Ok(Lock {
        manager: Manager::Venv,
        target: asked.target.clone(),
        build: build.map(|build| build.name.clone()),
        layers,
    })
}

/// The same within what is set: up to a time, and beside what stays as it is.
fn bounded(
    system: &dyn System,
    folder: &Path,
    request: &EnvironmentRequest,
    compile: Command,
) -> Result<Command, EnvError> {
    let newest = request.cutoff().map(|cutoff| cutoff.at(system.now()).to_string());
    let compile = newest.iter().fold(compile, |c, newest| c.args(["--exclude-newer", newest]));
    if request.held.is_empty() {
        return Ok(compile);
    }
    let held = write_wishes(system, folder, "held.txt", request.held.iter())?;
    Ok(compile.args(["--constraint", &text(&held)]))
}

/// Lays down what is asked for, as uv reads it.
fn write_wishes<'r>(
    system: &dyn System,
    folder: &Path,
    name: &str,
    all: impl Iterator<Item = &'r String>,
) -> Result<PathBuf, EnvError> {
    let input = folder.join(name);
    let mut lines = String::new();
    for requirement in all {
        let unfit = |unfit: names::Unfit| EnvError::Unsolvable { reason: Message::plain(unfit) };
        names::requirement::check(requirement).map_err(unfit)?;
        lines += &format!("{requirement}\n");
    }
    system.write(&input, lines.as_bytes(), 0o600).map_err(EnvError::io(&input))?;
    Ok(input)
}

/// The packages of uv's answer, by their names.
fn packages_of(pylock: &str, target: &LockTarget) -> Result<Vec<Locked>, EnvError> {
    let bad = |reason: Message| LockError::BadLock { path: message!("uv's answer"), reason };
    let file: UvLock =
        toml::from_str(pylock).map_err(|error| bad(Message::plain(error.message())))?;
    let packages = file.packages.into_iter().map(|package| package.locked(target));
    let mut packages = packages.collect::<Result<Vec<_>, _>>()?;
    packages.sort_by(|one, other| one.package.name.cmp(&other.package.name));
    Ok(packages)
}

/// Lays down the versions that were found, as uv reads them.
fn write_pins(
    system: &dyn System,
    folder: &Path,
    packages: &[Locked],
) -> Result<PathBuf, EnvError> {
    let pins = folder.join("pins.txt");
    let lines: String = packages
        .iter()
        .map(|locked| format!("{}=={}\n", locked.package.name, locked.package.version))
        .collect();
    system.write(&pins, lines.as_bytes(), 0o600).map_err(EnvError::io(&pins))?;
    Ok(pins)
}

/// Where the framework comes from.
#[derive(Debug, Serialize)]
enum Origin {
    /// The index of everything else.
    General,
    /// PyTorch's own index, by the name that uv knows it by.
    Backend(String),
    /// A mirror of that index, which has other packages too, in any versions.
    Mirror(Address),
    /// A vendor's own index: what it has comes from there, whatever newer there is elsewhere.
    Vendor(Address),
}

/// The address of an index, in which `{build}` stands for the build.
#[derive(Debug, Serialize)]
struct Address {
    template: String,
    build: String,
}

impl Address {
    fn plain(&self) -> String {
        self.of(&self.template)
    }

    /// With the credentials that it was given with, if any.
    fn opened(&self, settings: &Settings) -> Option<String> {
        settings.opened(&self.template).map(|address| self.of(address))
    }

    fn of(&self, address: &str) -> String {
        address.replace("{build}", &self.build).replace("%7Bbuild%7D", &self.build)
    }
}

impl Origin {
    fn of(build: Option<&BuildRequest>, settings: &Settings) -> Self {
        let Some(build) = build else { return Self::General };
        let address = |template: &String, build: &String| Address {
            template: template.clone(),
            build: build.clone(),
        };
        match (&build.torch_backend, &build.index, &settings.torch_index) {
            (Some(name), _, Some(own)) => Self::Mirror(address(own, name)),
            (Some(name), _, None) => Self::Backend(name.clone()),
            (None, Some(_), Some(own)) => Self::Vendor(address(own, &build.name)),
            (None, Some(index), None) => Self::Vendor(address(index, &build.name)),
            (None, None, _) => Self::General,
        }
    }

    /// The index that is named to uv.
    fn index(&self) -> Option<&Address> {
        match self {
            Self::Mirror(index) | Self::Vendor(index) => Some(index),
            Self::General | Self::Backend(_) => None,
        }
    }
}

/// Whether the framework is the build that was asked for: the general index may have a newer one of another kind.
fn is_that_build(packages: &[Locked], build: &BuildRequest) -> Result<(), EnvError> {
    let Some(backend) = build.torch_backend.as_deref().filter(|name| *name != "cpu") else {
        return Ok(());
    };
    let name = build.requirements.first().map(|requirement| project(requirement));
    let taken = packages.iter().find(|locked| Some(&locked.package.name) == name.as_ref());
    match taken {
        Some(locked) if !locked.package.version.ends_with(&format!("+{backend}")) => {
            let (name, version) = (&locked.package.name, &locked.package.version);
            Err(EnvError::Unsolvable {
                reason: message!(
                    "the index has no {name} for {backend} as new as {name} {version}"
                ),
            })
        }
        _ => Ok(()),
    }
}

/// Whether the framework comes from the vendor's index: uv goes on to the general one where that has nothing of it.
fn comes_from(annotated: &str, build: &BuildRequest, index: &str) -> Result<(), EnvError> {
    let name = build.requirements.first().map(|requirement| project(requirement));
    let mut lines = annotated
        .lines()
        .skip_while(|line| line.split_once("==").map(|(own, _)| project(own)) != name);
    let from = lines.nth(1).and_then(|line| line.trim().strip_prefix("# from "));
    match from {
        Some(from) if from.trim_end_matches('/') == index.trim_end_matches('/') => Ok(()),
        _ => Err(EnvError::Unsolvable {
            reason: message!("{index} has no {} for this machine", name.unwrap_or_default()),
        }),
    }
}

fn compile(
    system: &dyn System,
    uv: &UvProgram,
    settings: &Settings,
    (version, python): (&str, &str),
    origin: &Origin,
    input: &Path,
) -> Result<Command, EnvError> {
    let mut command = asking::command(system, uv, settings, &["pip", "compile"])?
        .args([&text(input), "--only-binary", ":all:"])
        .args(["--python-version", version, "--python", python]);
    // An address may hold what opens it, so it is never among the words.
    if let Some(index) = &settings.index_url {
        command = command.secret("UV_DEFAULT_INDEX", settings.opened(index).unwrap_or(index));
    }
    let more = settings.more_indexes.iter().map(|index| settings.opened(index).unwrap_or(index));
    let own = origin.index().map(|index| index.opened(settings).unwrap_or_else(|| index.plain()));
    let more: Vec<_> = own.into_iter().chain(more.map(str::to_owned)).collect();
    if !more.is_empty() {
        command = command.secret("UV_INDEX", more.join(" "));
    }
    if settings.offline {
        command = command.arg("--offline");
    }
    match origin {
        Origin::General => {}
        Origin::Backend(name) => command = command.args(["--torch-backend", name]),
        Origin::Mirror(_) => command = command.args(["--index-strategy", "unsafe-best-match"]),
        Origin::Vendor(_) => command = command.args(["--index-strategy", "first-index"]),
    }
    if let (Origin::General | Origin::Backend(_), Some(strategy)) =
        (origin, &settings.index_strategy)
    {
        command = command.args(["--index-strategy", strategy]);
    }
    Ok(command)
}

/// Runs uv. What it says is told without what opens a source.
fn run(
    system: &dyn System,
    settings: &Settings,
    command: &Command,
    source: &Message,
) -> Result<String, EnvError> {
    let output = asking::run(system, command, source)?;
    if output.success() {
        Ok(settings.hide(&output.stdout))
    } else {
        Err(EnvError::from_uv(&settings.hide(&output.stderr), source))
    }
}

/// Reads `name==1.0  # via other, -r requirements.in`.
fn askers(annotated: &str) -> BTreeMap<String, BTreeSet<String>> {
    annotated
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once("==")?;
            let (_, via) = rest.split_once("# via ")?;
            let via = via.split(", ").map(|asker| normalized(asker.trim())).collect();
            Some((normalized(name.trim()), via))
        })
        .collect()
}

#[derive(Deserialize)]
struct UvLock {
    #[serde(default)]
    packages: Vec<UvPackage>,
}

#[derive(Deserialize)]
struct UvPackage {
    name: String,
    version: Option<String>,
    #[serde(default)]
    wheels: Vec<UvWheel>,
}

#[derive(Deserialize)]
struct UvWheel {
    url: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

impl UvPackage {
    fn locked(self, target: &LockTarget) -> Result<Locked, EnvError> {
        let Self { name, version, wheels } = self;
        let wheel = wheels
            .into_iter()
            .filter_map(|wheel| Some((rank(wheel.url.as_deref()?, target)?, wheel)))
            .max_by(|(one, _), (other, _)| one.cmp(other));
        let Some((_, wheel)) = wheel else {
            return Err(EnvError::Unsolvable {
                reason: message!("{name} has no package for Python {} here", target.python),
            });
        };
        let package = Package {
            name,
            version: version.unwrap_or_default(),
            size: wheel.size,
            sha256: wheel.hashes.get("sha256").cloned(),
            url: wheel.url,
            ..Package::default()
        };
        pylock::checked(Locked { package, ..Locked::default() }).map_err(|reason| {
            LockError::BadLock { path: message!("the index's answer"), reason }.into()
        })
    }
}

/// How well a wheel fits, better is greater; `None` where it does not. The order is that of PEP 425: the most
/// specific Python first, then the newest platform.
pub(super) fn rank(url: &str, target: &LockTarget) -> Option<(u32, u32, u32)> {
    let file = url.split(['#', '?']).next()?.rsplit('/').next()?;
    // One of the variants of a wheel has a label at its end (PEP 825, a draft): which of them fits, only a provider knows.
    if pylock::variant(file).is_some() {
        return None;
    }
    let mut tags = file.strip_suffix(".whl")?.rsplitn(4, '-');
    let (platforms, abis, pythons) = (tags.next()?, tags.next()?, tags.next()?);
    let minor: u32 = target.python.split('.').nth(1)?.parse().ok()?;
    let exact = format!("cp3{minor}");
    let python = pythons
        .split('.')
        .filter_map(|tag| match tag {
            tag if tag == exact => Some((3, minor)),
            "py3" => Some((1, 0)),
            tag if tag.starts_with("py3") => {
                tag[3..].parse().ok().filter(|v: &u32| *v <= minor).map(|v| (1, v))
            }
            tag if tag.starts_with("cp3") && abis.split('.').any(|abi| abi == "abi3") => {
                tag[3..].parse().ok().filter(|v: &u32| *v <= minor).map(|v| (2, v))
            }
            tag if tag.starts_with("cp3") && abis == "none" => {
                tag[3..].parse().ok().filter(|v: &u32| *v <= minor).map(|v| (1, v))
            }
            _ => None,
        })
        .max()?;
    let abi_fits = abis.split('.').any(|abi| abi == "none" || abi == "abi3" || abi == exact);
    let platform = platforms.split('.').filter_map(|tag| platform_rank(tag, target)).max()?;
    abi_fits.then_some((python.0, python.1, platform))
}

fn platform_rank(tag: &str, target: &LockTarget) -> Option<u32> {
    if tag == "any" {
        return Some(0);
    }
    let glibc: u32 = target.glibc.as_deref().and_then(|g| g.strip_prefix("2.")?.parse().ok())?;
    let system = tag.strip_suffix(&target.arch)?.strip_suffix('_')?;
    let needs = match system {
        "linux" => 0,
        "manylinux1" => 5,
        "manylinux2010" => 12,
        "manylinux2014" => 17,
        other => other.strip_prefix("manylinux_2_")?.parse().ok()?,
    };
    (needs <= glibc).then_some(needs + 1)
}

#[cfg(test)]
mod tests {
    use aitk_system::Explain;

    use super::*;

    fn target() -> LockTarget {
        LockTarget {
            python: "3.11".to_owned(),
            arch: "x86_64".to_owned(),
            glibc: Some("2.36".to_owned()),
        }
    }

    #[test]
    fn the_most_specific_wheel_that_fits_wins() {
        let best = |names: &[&str]| {
            let ranked = names.iter().filter_map(|name| Some((rank(name, &target())?, *name)));
            ranked.max().map(|(_, name)| name.to_owned())
        };
        let any = "a-1-py3-none-any.whl";
        let abi3 = "a-1-cp39-abi3-manylinux_2_17_x86_64.whl";
        let exact = "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl";
        let newer = "a-1-cp311-cp311-manylinux_2_34_x86_64.whl";
        let too_new = "a-1-cp311-cp311-manylinux_2_39_x86_64.whl";
        let other = "a-1-cp312-cp312-manylinux_2_17_x86_64.whl";
        let arm = "a-1-cp311-cp311-manylinux_2_17_aarch64.whl";
        assert_eq!(best(&[any, abi3, exact, newer, too_new, other, arm]), Some(newer.to_owned()));
        assert_eq!(best(&[any, abi3]), Some(abi3.to_owned()));
        assert_eq!(best(&[any, other]), Some(any.to_owned()));
        assert_eq!(best(&[too_new, other, arm]), None);
        assert_eq!(
            best(&["t-2.15.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl"]).as_deref(),
            Some("t-2.15.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl")
        );
    }

    #[test]
    fn packages_go_to_the_first_layer_that_asks_for_them() {
        let locked = |name: &str| Locked {
            package: Package { name: name.to_owned(), ..Package::default() },
            ..Locked::default()
        };
        let askers = askers(
            "a==1  # via -r requirements.in\nb==1  # via a\nc==1  # via b, d\nd==1  # via -r \
             requirements.in\ne_e==1  # via d\n",
        );
        let (one, two) =
            (("one".to_owned(), vec!["A>=1".to_owned()]), ("two".to_owned(), vec!["d".to_owned()]));
        let wishes = [(&one.0, &one.1), (&two.0, &two.1)];
        let packages = ["a", "b", "c", "d", "e-e"].map(locked).to_vec();
        let needs = |locked: &Locked| {
            let asks = askers.iter().filter(|(_, via)| via.contains(&locked.key()));
            asks.map(|(name, _)| name.clone()).collect()
        };
        let layers = into_layers(&wishes, packages, project, needs);
        let names: Vec<Vec<_>> = layers
            .iter()
            .map(|layer| layer.packages.iter().map(|l| l.package.name.as_str()).collect())
            .collect();
        assert_eq!(names, [vec!["a", "b", "c"], vec!["d", "e-e"]]);
    }

    fn of_amd() -> BuildRequest {
        BuildRequest {
            name: "rocm-amd".to_owned(),
            requirements: vec!["torch[device-gfx1100]".to_owned()],
            holds: Vec::new(),
            torch_backend: None,
            index: Some("https://amd.test/whl/".to_owned()),
            note: None,
        }
    }

    #[test]
    fn where_nothing_stands_in_for_an_index_it_is_said_why() {
        let silent = || EnvError::Unreachable {
            source_name: message!("the framework's own index"),
            reason: message!("nothing came back"),
        };
        let told = |builds: Vec<BuildRequest>| {
            let request = EnvironmentRequest { builds, ..EnvironmentRequest::default() };
            nothing_instead(silent(), &request).message().to_string()
        };
        let alone = told(vec![of_amd()]);
        assert!(alone.contains("the general index has no build rocm-amd"), "{alone}");
        // One that is in the general index was tried, and that one did not answer either.
        let general = BuildRequest { index: None, name: "general".to_owned(), ..of_amd() };
        assert_eq!(told(vec![of_amd(), general]), silent().message().to_string());
    }

    #[test]
    fn a_vendors_build_comes_from_the_vendor() {
        let build = of_amd();
        let from = |index: &str| {
            format!(
                "numpy==2.5.5    # via torch\n    # from https://general.test/simple\n\
                 torch[device-gfx1100]==2.13.0    # via -r requirements.in\n    # from {index}\n"
            )
        };
        let checked = |text: &str| comes_from(text, &build, "https://amd.test/whl/");
        assert!(checked(&from("https://amd.test/whl")).is_ok());
        assert!(checked(&from("https://general.test/simple")).is_err());
        assert!(checked("").is_err());
    }
}
