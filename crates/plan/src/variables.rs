//! The variables that everything gets which runs in an environment, whoever starts it: `aitk run`, `shell` and `lab`, the
//! kernel that Jupyter starts, the proofs, and what an exported script sets up.

/// Variables that are set alike in every environment. pip's come before what its own files of settings say: where its
/// index is stays as the user has it, but it installs here.
pub const SET: [(&str, &str); 4] = [
    // Packages that pip has put into the home folder must not stand in front of those of the environment.
    ("PYTHONNOUSERSITE", "1"),
    ("PIP_USER", "0"),
    ("PIP_REQUIRE_VIRTUALENV", "0"),
    ("UV_SYSTEM_PYTHON", "0"),
];

/// Variables by which an earlier installation leads Python, pip, uv, conda or JupyterLab away from the environment. Its
/// manager sets some of them itself; the others are taken away.
pub const STRAY: [&str; 30] = [
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONUSERBASE",
    "PYTHONPLATLIBDIR",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_PYTHON",
    "PIP_NO_DEPS",
    "PIP_DRY_RUN",
    "PIP_REQUIREMENT",
    "PIP_EDITABLE",
    "PIP_PLATFORM",
    "PIP_PYTHON_VERSION",
    "PIP_IMPLEMENTATION",
    "PIP_ABI",
    "UV_PYTHON",
    "JUPYTERLAB_DIR",
    "VIRTUAL_ENV",
    "VIRTUAL_ENV_PROMPT",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
    "CONDA_SHLVL",
    "CONDA_PROMPT_MODIFIER",
    "CONDA_EXE",
    "CONDA_PYTHON_EXE",
    "_CE_CONDA",
    "_CE_M",
    "MAMBA_EXE",
    "MAMBA_ROOT_PREFIX",
];

#[cfg(test)]
mod tests {
    use aitk_detect::installers::{ASTRAY, pip_variable};

    use super::*;

    #[test]
    fn whatever_leads_pip_astray_is_set_or_taken_away() {
        for option in ASTRAY {
            let variable = pip_variable(option);
            let set = SET.iter().any(|(name, _)| *name == variable);
            assert!(set || STRAY.contains(&variable.as_str()), "{variable}");
        }
    }
}
