//! The codes of what a plan warns of. A code never changes its meaning.

aitk_system::codes! {
    /// The machine has less memory than the budget's minimum.
    LITTLE_MEMORY = "AITK-W01";
    /// There is little memory and no swap, which is not this system's to add.
    NO_SWAP = "AITK-W02";
    /// The framework was left out because of too little memory.
    NO_FRAMEWORK = "AITK-W03";
    /// The system is past its support, and only the user's part is planned.
    PAST_SUPPORT = "AITK-W04";
    /// The system is not among those that aitk is tested on.
    UNTESTED_SYSTEM = "AITK-W05";
    /// Environments would stand on a foreign, network or noexec file system.
    UNFIT_FOLDER = "AITK-W06";
    /// It is WSL 1.
    WSL_1 = "AITK-W07";
    /// The framework's own index does not answer, and a larger build is taken.
    LARGER_BUILD = "AITK-W08";
    /// What was added to the environment by hand does not go with the rest any more, or is not carried over; the commands
    /// that add it again are said.
    LEFT_BEHIND = "AITK-W09";
    /// No conda channel answers, and nobody insisted on conda: a virtual environment instead.
    VENV_INSTEAD = "AITK-W10";
    /// A GPU is not used; the reason and what would have to change are said.
    UNUSED_GPU = "AITK-W11";
    /// An older version of the framework is taken, for a newer one has no build for this GPU and its driver.
    OLDER_FRAMEWORK = "AITK-W12";
    /// The machine has less than the budget is meant for: memory of the GPU, kind of disk.
    WEAK_HARDWARE = "AITK-W13";
    /// Rows of the tables that have decided the plan are old; each is named. `basics.toml` says after how many days.
    OLD_TABLES = "AITK-W14";
    /// A lock that was given has packages fetched from hosts or channels to which none of your sources leads; `apply` asks
    /// for them by name.
    FOREIGN_ORIGINS = "AITK-W15";
    /// Files of settings lead pip or uv elsewhere than into the environment that they are started in; aitk itself installs
    /// without them.
    ASTRAY_SETTINGS = "AITK-W16";
    /// The link to the environment in use was moved by hand since aitk last moved it, and the plan moves it again.
    MOVED_BY_HAND = "AITK-W17";
    /// What a folder's file asks for cannot be done on this machine as it stands; each reason is said with its remedy.
    BLOCKED = "AITK-W18";
}

/// What may be over when a saved plan is carried out, for it follows from the sources and the surroundings of the moment
/// and not from the machine: a source answers again, a setting was mended.
pub(crate) const PASSING: [&str; 7] = [
    UNFIT_FOLDER,
    LARGER_BUILD,
    LEFT_BEHIND,
    VENV_INSTEAD,
    FOREIGN_ORIGINS,
    ASTRAY_SETTINGS,
    MOVED_BY_HAND,
];
