//! Why a plan cannot be exported.

use aitk_plan::names::Unfit;
use aitk_plan::{LockError, Manager};
use aitk_system::{Explain, Message, message};

/// Why a plan cannot be exported.
#[derive(Debug, Explain)]
#[allow(missing_docs, reason = "a field is what stands in the hole of its name in `say`")]
pub enum ExportError {
    /// There is no such target to export to; the nearest one is said.
    #[explain(
        code = "AITK-O01",
        exit = Usage,
        say("there is no target `{name}` to export to"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `{nearest}`? `aitk export --list` lists them all"),
            None => message!("`aitk export --list` lists them all"),
        }))
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
    },
    /// The target cannot carry what the chosen manager installs.
    #[explain(
        code = "AITK-O02",
        exit = Usage,
        say("`{target}` cannot carry packages of {manager}"),
        hint("leave out --manager, or say --manager {can}")
    )]
    OtherManager {
        target: String,
        /// The manager that was asked for.
        manager: Manager,
        /// The one that it can carry.
        can: Manager,
    },
    /// A name, version or address of the plan is none, so that no list of packages can hold it.
    #[explain(
        code = "AITK-O17",
        exit = Config,
        say("the plan cannot be exported: {0}"),
        hint("look where the machine, the profile or the lock comes from, and make it anew")
    )]
    Unfit(#[from] Unfit),
    /// The lock cannot be written as a file, for a package of it cannot be worked with.
    #[explain(transparent)]
    Lock(#[from] LockError),
    /// Nobody could get into the server: no SSH key is given.
    #[explain(
        code = "AITK-O11",
        exit = Usage,
        say("a server lets its user in by an SSH key, and none is given"),
        hint("add --ssh-key ~/.ssh/id_ed25519.pub; `ssh-keygen -t ed25519` makes one")
    )]
    NoKey,
    /// A private SSH key was given where a public one belongs; nothing of it was shown or written.
    #[explain(
        code = "AITK-O12",
        exit = Usage,
        say("this is a private SSH key, which belongs on no other machine"),
        hint("name the file that ends with `.pub` beside it")
    )]
    PrivateKey,
    /// What was given is no public SSH key.
    #[explain(
        code = "AITK-O13",
        exit = Usage,
        say("this is not one public SSH key on one line, of a kind that servers take"),
        hint("name the file that ends with `.pub` beside it")
    )]
    NotAKey,
    /// The user-data are more than most clouds take.
    #[explain(
        code = "AITK-O14",
        exit = Usage,
        say("the user-data are {size} bytes, and most clouds take {limit} at most"),
        hint("leave out some of --with, or copy what `aitk export script` writes to the server")
    )]
    TooLarge { size: usize, limit: usize },
    /// There is no image of that system for the target.
    #[explain(
        code = "AITK-O15",
        exit = Usage,
        say("there is no image of {system} for `{target}`"),
        hint("name a machine of another system with --machine; there are images of {known}")
    )]
    NoGuest {
        target: String,
        /// The system of the plan.
        system: String,
        /// The systems that there are images of.
        known: Vec<String>,
    },
    /// The plan computes on a GPU, which the target's virtual machines do not have.
    #[explain(
        code = "AITK-O16",
        exit = Usage,
        say("the plan computes on a GPU, which the virtual machines of `{target}` do not have"),
        hint("add --accelerator cpu")
    )]
    NoGpu { target: String },
    /// The catalog knows no container image for this system, or not how a container reaches this kind of GPU.
    #[explain(
        code = "AITK-O03",
        exit = Usage,
        say("there is no container image for {what} in the catalog"),
        hint("`--accelerator cpu` asks for no GPU; a row of your own in catalog.toml, [[images.image]] or \
              [[images.accelerator]], names what the catalog lacks")
    )]
    NoImage {
        /// A system, or a kind of accelerator.
        what: String,
    },
    /// A target of a folder refuses the plan by a reason of its own.
    #[explain(code = "AITK-O18", exit = Usage, say("`{target}` cannot carry the plan: {why}"), hint("{hint}"))]
    Refused {
        target: String,
        why: Message,
        /// What it says is to be done.
        hint: Message,
    },
    /// A folder that makes a target is damaged.
    #[explain(
        code = "AITK-O19",
        exit = Config,
        say("the target `{target}` is damaged: {file}: {why}"),
        hint("mend the file below targets/{target} in your folder of settings, or take it away")
    )]
    Damaged {
        target: String,
        file: String,
        /// What is the matter with it.
        why: Message,
    },
    /// A budget that writes projects has no such platform; the nearest one is said.
    #[explain(
        code = "AITK-O22",
        exit = Usage,
        say("the budget `{budget}` has no platform `{name}`"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `--platform {nearest}`?"),
            None => message!("choose among: {known}"),
        }))
    )]
    NoProject {
        budget: String,
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// A project has no such part to add; the nearest one is said.
    #[explain(
        code = "AITK-O23",
        exit = Usage,
        say("`{target}` has no part `{name}`"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `--part {nearest}`?"),
            None if known.is_empty() => message!("leave out --part"),
            None => message!("choose among: {known}"),
        }))
    )]
    NoPart {
        target: String,
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// Two parts of a project do not go together.
    #[explain(
        code = "AITK-O24",
        exit = Usage,
        say("`--part {one}` does not go with `--part {other}`"),
        hint("leave out one of them")
    )]
    PartsExclude { one: String, other: String },
    /// `--set` names what the target does not declare; the nearest one is said.
    #[explain(
        code = "AITK-O20",
        exit = Usage,
        say("`{target}` has nothing called `{name}` to set"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `--set {nearest}=…`?"),
            None => message!("leave out --set"),
        }))
    )]
    NoParameter {
        target: String,
        name: String,
        /// What is nearest to it.
        nearest: Option<String>,
    },
    /// `--set` gives a value that does not fit; one that does is said.
    #[explain(
        code = "AITK-O21",
        exit = Usage,
        say("`{name}` cannot be `{value}`"),
        hint("one that fits: `--set {name}={nearest}`")
    )]
    WrongParameter {
        name: String,
        value: String,
        /// A value that fits.
        nearest: String,
    },
}
