//! What is in an environment, and whether it goes with the machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aitk_system::{Command, Message, Output, message, paths};

use super::prefix::{Prefix, Torch, TorchBuild, kernels, minor};
use super::{BOOK, ProbeContext};
use crate::machine::Gpu;
use crate::tables::is_newer;

/// How long the loader may take to list its cache.
const PATIENCE: Duration = Duration::from_secs(2);
/// The builds of TensorFlow that can compute on NVIDIA's devices.
const TENSORFLOW: [&str; 2] = ["tensorflow", "tf-nightly"];
/// The release of TensorFlow that does not find its libraries in an environment.
const BAD_PATHS: &str = "2.16.";
/// The first NumPy whose builds need x86-64-v2.
const BASELINE: (u32, u32) = (2, 4);
/// The newest JetPack whose CUDA is not that of other arm64 machines, by its L4T.
const LAST_OWN_CUDA: &str = "37";
/// The rows of AMD's targets are about PyTorch's wheels for ROCm releases after this one.
const ROCM_ROWS: &str = "7.1";
/// Packages for science that are worth naming.
const SCIENCE: [&str; 6] = ["numpy", "scipy", "pandas", "scikit-learn", "matplotlib", "torch"];

impl ProbeContext<'_> {
    fn torch(&self) -> Option<(&Prefix, &Torch)> {
        let prefix = self.prefix.as_ref()?;
        Some((prefix, prefix.torch.as_ref()?))
    }

    fn nvidia(&self) -> impl Iterator<Item = &Gpu> {
        self.machine.gpus.iter().filter(|gpu| gpu.vendor == "nvidia")
    }

    /// AMD's own cards; what is part of a processor is rarely meant.
    fn amd(&self) -> impl Iterator<Item = &Gpu> {
        self.machine.gpus.iter().filter(|gpu| gpu.vendor == "amd" && gpu.integrated != Some(true))
    }
}

/// What a device is called.
pub(super) fn name(gpu: &Gpu) -> Message {
    let name = gpu.name.as_ref().map(Message::plain);
    name.unwrap_or_else(|| message!("a GPU of an unknown name"))
}

/// A GPU could compute, and this PyTorch cannot use it.
pub(super) fn no_gpu_build(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some((_, torch)) = case.torch() else { return Vec::new() };
    let nvidia = case.nvidia().find(|gpu| gpu.usable);
    let amd = case.amd().find(|gpu| gpu.usable);
    // What is built for something else may be for Intel's device beside.
    let intel = case.machine.gpus.iter().any(|gpu| gpu.vendor == "intel" && gpu.usable);
    if torch.build == TorchBuild::Other && intel {
        return Vec::new();
    }
    match (&torch.build, nvidia, amd) {
        (TorchBuild::Cpu | TorchBuild::Rocm(_) | TorchBuild::Other, Some(gpu), None)
        | (TorchBuild::Cpu | TorchBuild::Other, Some(gpu), Some(_))
        | (TorchBuild::Cpu | TorchBuild::Cuda(_) | TorchBuild::Other, None, Some(gpu)) => {
            // An own device of NVIDIA's that is out of order is another matter.
            if case.nvidia().next().is_some() && gpu.vendor == "amd" {
                return Vec::new();
            }
            vec![message!("{}, and {} could compute", torch.to_message(), name(gpu))]
        }
        (TorchBuild::Cuda(_), None, None) => case
            .nvidia()
            .take(1)
            .map(|gpu| {
                message!("{}, and {} cannot be used: {}", torch.to_message(), name(gpu), gpu.why)
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The driver serves an older CUDA than the builds are for.
pub(super) fn driver_too_old(case: &ProbeContext<'_>) -> Vec<Message> {
    let (Some(prefix), Some(nvidia)) = (&case.prefix, &case.machine.nvidia) else {
        return Vec::new();
    };
    let (Some(version), Some(served)) = (&nvidia.version, nvidia.cuda.as_deref().and_then(minor))
    else {
        return Vec::new();
    };
    // A Jetson's driver has numbers of its own, and is another finding.
    if case.machine.jetson.is_some() {
        return Vec::new();
    }
    let torch = prefix.torch.as_ref();
    let torch = torch.and_then(|torch| Some((torch.to_message(), minor(torch.cuda()?)?.0)));
    let jax = [("jax-cuda13-plugin", 13), ("jax-cuda12-plugin", 12)];
    let jax = jax.into_iter().find(|(name, _)| prefix.packages.contains_key(*name));
    let jax = jax.map(|(name, major)| (Message::plain(name), major));
    let builds = torch.into_iter().chain(jax);
    builds
        .filter(|(_, major)| *major > served.0)
        .map(|(build, major)| {
            let ceiling = message!("driver {version} serves CUDA up to {}.{}", served.0, served.1);
            message!("{build} needs a driver for CUDA {major}, and {ceiling}")
        })
        .collect()
}

/// A build that is in an environment: what it is called, who built it, its version, and the CUDA that it is for.
struct Built {
    told: Message,
    origin: &'static str,
    version: String,
    cuda: String,
}

/// The builds for NVIDIA's devices in an environment that the tables have rows for.
fn built(prefix: &Prefix) -> Vec<Built> {
    let by_conda = |name: &str| prefix.conda.as_ref().is_some_and(|own| own.contains_key(name));
    let torch = prefix.torch.as_ref().and_then(|torch| {
        Some(Built {
            told: torch.to_message(),
            origin: if by_conda("pytorch") { "conda-forge" } else { "pytorch" },
            version: torch.version.clone(),
            cuda: torch.cuda()?.to_owned(),
        })
    });
    // What wheels of these are for, the libraries beside them tell.
    let of_wheels = |name: &str, told: &str, beside: &str, origin, cuda: &str| {
        let version = prefix.version(name).filter(|_| !by_conda(told))?;
        prefix.version(beside)?;
        let told = Message::plain(format_args!("{told} {version}"));
        Some(Built { told, origin, version: version.to_owned(), cuda: cuda.to_owned() })
    };
    let all = [
        torch,
        of_wheels("tensorflow", "tensorflow", "nvidia-cudnn-cu12", "tensorflow", "12.9"),
        of_wheels("jax-cuda13-plugin", "jax", "jaxlib", "jax", "13.0"),
        of_wheels("jax-cuda12-plugin", "jax", "jaxlib", "jax", "12.9"),
    ];
    all.into_iter().flatten().collect()
}

/// A build holds no code for one of the GPUs.
pub(super) fn no_kernels(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some(prefix) = &case.prefix else { return Vec::new() };
    let table = case.tables.nvidia();
    let mut seen = Vec::new();
    for Built { told, origin, version, cuda } in built(prefix) {
        let Some(row) = table.kernels(origin, &version, &cuda, &case.machine.arch) else {
            continue;
        };
        let unserved = case.nvidia().filter(|gpu| gpu.usable).filter_map(|gpu| {
            let capability = gpu.compute_capability.as_deref()?;
            (!row.serve(capability)).then(|| (name(gpu), capability))
        });
        seen.extend(unserved.map(|(gpu, capability)| {
            let list = row.capabilities.join(", ");
            message!("{gpu} has compute capability {capability}, and {told} holds code for {list}")
        }));
    }
    seen.extend(no_rocm_kernels(case));
    seen
}

/// The same of AMD's devices, by PyTorch's wheels.
fn no_rocm_kernels(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some((_, torch)) = case.torch() else { return Vec::new() };
    if !matches!(&torch.build, TorchBuild::Rocm(rocm) if is_newer(rocm, ROCM_ROWS)) {
        return Vec::new();
    }
    // Where there is no card, what is part of the processor is meant.
    let any_card = case.amd().next().is_some();
    let gpus = case.machine.gpus.iter().filter(|gpu| gpu.vendor == "amd");
    let meant = gpus.filter(|gpu| !any_card || gpu.integrated != Some(true));
    let unserved = meant.filter_map(|gpu| {
        let row = case.tables.amd().target(gpu.gfx.as_deref()?)?;
        (!row.pytorch).then(|| {
            message!(
                "{} is {}, and {} holds no code for it",
                name(gpu),
                row.gfx,
                torch.to_message()
            )
        })
    });
    unserved.collect()
}

/// A cuDNN of the system, which gets in front of the one that PyTorch brings.
pub(super) fn foreign_cudnn(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some(prefix) = case.prefix.as_ref().filter(|_| case.machine.jetson.is_none()) else {
        return Vec::new();
    };
    let brings = prefix.has_like(&["nvidia-cudnn"]);
    if prefix.torch.as_ref().and_then(Torch::cuda).is_none() || brings.is_none() {
        return Vec::new();
    }
    let mut seen = Vec::new();
    let library_path = case.system.env("LD_LIBRARY_PATH").unwrap_or_default();
    let set = library_path.split(':').find(|path| path.contains("cuda") || path.contains("cudnn"));
    seen.extend(set.map(|path| message!("LD_LIBRARY_PATH has {path}")));
    let listed = cached_libraries(case).and_then(|list| cudnn_in(&list));
    seen.extend(listed.map(|path| message!("the loader knows {path}")));
    seen
}

/// What the loader finds by itself.
fn cached_libraries(case: &ProbeContext<'_>) -> Option<String> {
    let programs = ["/usr/sbin/ldconfig", "/sbin/ldconfig"];
    let program = programs.into_iter().find(|path| case.system.exists(path))?;
    let command = Command::reads([program, "-p"]).timeout(PATIENCE);
    Some(case.system.run(&command).ok().filter(Output::success)?.stdout)
}

/// The path in a line such as `libcudnn.so.9 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcudnn.so.9`.
fn cudnn_in(list: &str) -> Option<String> {
    let line = list.lines().find(|line| line.trim_start().starts_with("libcudnn"))?;
    Some(line.split_once("=>")?.1.trim().to_owned())
}

/// TensorFlow without the libraries that it computes with.
pub(super) fn tensorflow_without_cuda(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some(prefix) = &case.prefix else { return Vec::new() };
    let Some(gpu) = case.nvidia().find(|gpu| gpu.usable && gpu.integrated != Some(true)) else {
        return Vec::new();
    };
    let Some(version) = TENSORFLOW.iter().find_map(|name| prefix.version(name)) else {
        return Vec::new();
    };
    let by_conda =
        prefix.conda.as_ref().is_some_and(|packages| packages.contains_key("tensorflow"));
    if by_conda {
        return Vec::new();
    }
    if prefix.has_like(&["nvidia-cudnn", "nvidia-cublas"]).is_none() {
        return vec![message!(
            "tensorflow {version} is installed without CUDA's libraries, and {} could compute",
            name(gpu)
        )];
    }
    match version.starts_with(BAD_PATHS) {
        true => vec![message!("tensorflow {version} does not look where its libraries are")],
        false => Vec::new(),
    }
}

/// Gigabytes of CUDA where nothing can use it.
pub(super) fn cuda_without_gpu(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some((_, torch)) = case.torch() else { return Vec::new() };
    let any = case.nvidia().next().is_some() || case.amd().next().is_some();
    let lent = case.machine.wsl.as_ref().is_some_and(|wsl| wsl.gpu);
    if torch.cuda().is_none() || any || lent || case.machine.jetson.is_some() {
        return Vec::new();
    }
    vec![message!("{}, and no GPU of NVIDIA's is here", torch.to_message())]
}

/// A processor that current builds of NumPy refuse.
pub(super) fn numpy_baseline(case: &ProbeContext<'_>) -> Vec<Message> {
    let cpu = &case.machine.cpu;
    if cpu.level.as_deref() != Some("x86-64-v1") {
        return Vec::new();
    }
    let numpy = case.prefix.as_ref().and_then(|prefix| prefix.version("numpy"));
    let model = cpu.model.as_ref().map(Message::plain);
    let model = model.unwrap_or_else(|| message!("the processor"));
    match numpy {
        Some(version) if minor(version).is_some_and(|version| version < BASELINE) => Vec::new(),
        Some(version) => vec![message!("{model} is x86-64-v1, and numpy {version} is installed")],
        None => vec![message!("{model} is x86-64-v1")],
    }
}

/// Instructions that builds use and the processor does not have.
pub(super) fn illegal_instruction(case: &ProbeContext<'_>) -> Vec<Message> {
    let features = &case.machine.cpu.features;
    let Some(prefix) = case.prefix.as_ref().filter(|_| case.machine.arch == "x86_64") else {
        return Vec::new();
    };
    if features.is_empty() {
        return Vec::new();
    }
    let needs =
        [("tensorflow", "avx"), ("tensorflow-cpu", "avx"), ("jaxlib", "avx"), ("polars", "avx2")];
    let missing = needs.into_iter().filter(|(package, feature)| {
        prefix.packages.contains_key(*package) && !features.iter().any(|own| own == feature)
    });
    missing
        .map(|(package, feature)| {
            let feature = feature.to_uppercase();
            message!("{package} is installed, and the processor has no {feature}")
        })
        .collect()
}

/// A Python that frameworks have no builds for, or only old ones.
pub(super) fn python_out_of_range(case: &ProbeContext<'_>) -> Vec<Message> {
    let version = match &case.prefix {
        Some(prefix) => prefix.python,
        None => case.machine.python.first().and_then(crate::Python::minor),
    };
    let Some(version) = version else { return Vec::new() };
    let told = match &case.prefix {
        Some(_) => message!("the environment's Python is {}.{}", version.0, version.1),
        None => message!("the system's Python is {}.{}", version.0, version.1),
    };
    let rows = BOOK.python.iter().filter_map(|row| {
        let (min, max) = (minor(&row.min)?, minor(&row.max)?);
        let outside = version < min || version > max;
        outside
            .then(|| message!("{told}; {} is built for {} to {}", row.framework, row.min, row.max))
    });
    rows.collect()
}

/// Packages that were not made for each other: over one another, of two generations of NumPy, from outside.
pub(super) fn mixed_packages(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some(prefix) = &case.prefix else { return Vec::new() };
    let mut seen = Vec::new();
    if let Some(conda) = &prefix.conda {
        let doubled = SCIENCE.iter().filter_map(|name| {
            let (own, pip) = (conda.get(*name)?, prefix.version(name)?);
            let by = prefix.installer(case.system, name).filter(|by| by != "conda")?;
            (own != pip).then(|| message!("{by} has put {name} {pip} over conda's {own}"))
        });
        seen.extend(doubled);
        // Environments of venv do not look there.
        seen.extend(users_own(case, prefix));
    }
    let numpy2 = prefix.version("numpy").and_then(minor).is_some_and(|version| version >= (2, 0));
    let old = BOOK.numpy2.iter().filter(|_| numpy2).filter_map(|row| {
        let version = prefix.version(&row.package)?.split('+').next()?;
        is_newer(&row.version, version).then(|| {
            message!("{} {version} is from before NumPy 2, which is installed", row.package)
        })
    });
    seen.extend(old);
    seen
}

/// Packages in the user's own folder, which an environment of conda's sees as well.
fn users_own(case: &ProbeContext<'_>, prefix: &Prefix) -> Option<Message> {
    let (major, minor) = prefix.python.filter(|_| case.system.env("PYTHONNOUSERSITE").is_none())?;
    let folder = case.home(&format!(".local/lib/python{major}.{minor}/site-packages"));
    let names = case.system.list(&folder).ok()?;
    let found = SCIENCE.iter().find(|name| names.iter().any(|own| own == *name))?;
    Some(message!("{} holds {found}, which the environment sees as well", folder.display()))
}

/// Kernels of Jupyter's that start another Python than their name says, or none.
pub(super) fn foreign_kernel(case: &ProbeContext<'_>) -> Vec<Message> {
    let mut seen = Vec::new();
    let there = |program: &Path| paths::resolve(case.system, program).is_some();
    let inside = |prefix: &Prefix, program: &Path| {
        program.starts_with(&prefix.named) || program.starts_with(&prefix.path)
    };
    let told = |folder: &Path, name: &str, program: &Path| {
        let file: PathBuf = folder.join(name).join("kernel.json");
        message!("{} starts {}", file.display(), program.display())
    };
    let folder = case.machine.folders.jupyter.join("kernels");
    for (name, program) in kernels(case.system, &folder) {
        let told = told(&folder, &name, &program);
        // Its own kernel is gone with its Python, and comes back with it.
        let kept =
            case.own.is_some() && case.prefix.as_ref().is_some_and(|own| inside(own, &program));
        if !kept && !there(&program) {
            seen.push(message!("{told}, which is not there"));
        } else if name == "python3"
            && !case.prefix.as_ref().is_some_and(|own| inside(own, &program))
        {
            seen.push(message!("{told} in every environment: its name hides their own kernels"));
        }
    }
    if let Some(prefix) = &case.prefix {
        let folder = prefix.path.join("share/jupyter/kernels");
        for (name, program) in kernels(case.system, &folder) {
            if !inside(prefix, &program) {
                seen.push(message!(
                    "{}, which is outside of the environment",
                    told(&folder, &name, &program)
                ));
            }
        }
    }
    seen
}

/// Builds for other arm64 machines on a Jetson, whose CUDA is its own up to JetPack 6.
pub(super) fn wrong_wheel_on_jetson(case: &ProbeContext<'_>) -> Vec<Message> {
    let (Some(prefix), Some(jetson)) = (&case.prefix, &case.machine.jetson) else {
        return Vec::new();
    };
    let Some(l4t) = jetson.l4t.as_deref().filter(|l4t| is_newer(LAST_OWN_CUDA, l4t)) else {
        return Vec::new();
    };
    let Some((torch, cuda)) = prefix.torch.as_ref().and_then(|torch| Some((torch, torch.cuda()?)))
    else {
        return Vec::new();
    };
    // Builds for Jetsons use the CUDA of the system; those for servers bring their own.
    let brings = prefix.has_like(&["nvidia-cublas", "nvidia-cuda-runtime"]);
    let newer = minor(cuda).is_some_and(|(major, _)| major >= 13);
    match (brings, newer) {
        (None, false) => Vec::new(),
        (Some(package), _) => vec![message!("{} with {package}, on L4T {l4t}", torch.to_message())],
        (None, true) => vec![message!("{}, on L4T {l4t}, whose CUDA is older", torch.to_message())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cudnn_is_found_in_the_cache_of_the_loader() {
        let list = "2 libs found in cache `/etc/ld.so.cache'\n\
            \tlibcudart.so.12 (libc6,x86-64) => /usr/local/cuda/lib64/libcudart.so.12\n\
            \tlibcudnn_ops.so.9 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcudnn_ops.so.9\n";
        let path = "/usr/lib/x86_64-linux-gnu/libcudnn_ops.so.9";
        assert_eq!(cudnn_in(list).as_deref(), Some(path));
        assert_eq!(cudnn_in("\tlibcudnn.so.9 (libc6"), None);
        assert_eq!(cudnn_in(""), None);
    }
}
