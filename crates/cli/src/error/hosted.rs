//! What can go wrong with hosted notebooks.

use aitk_system::{Explain, Message};

/// Why there is no notebook, or why it was not sent.
#[derive(Debug, Explain)]
pub enum HostedError {
    /// The budget is for hosted notebooks, and the command is for a machine.
    #[explain(
        code = "AITK-N01",
        exit = Usage,
        say("the budget `{budget}` is for hosted notebooks, and has nothing for a machine"),
        hint("`aitk apply --budget {budget} --platform NAME` writes a notebook for a platform, and `aitk export notebook \
              --budget low` one for anywhere")
    )]
    NotHere { budget: String },
    /// `--platform` is missing; all are listed with their limits.
    #[explain(code = "AITK-N02", exit = Usage, say("--platform is missing"), hint("choose one:\n{list}"))]
    WhichPlatform { list: Message },
    /// A flag means nothing beside the budget: of hosted notebooks beside a machine's, or the other way round.
    #[explain(
        code = "AITK-N03",
        exit = Usage,
        say("{flag} does not go with {with}"),
        hint("leave one or the other out; hosted notebooks are `--budget free`, projects `--budget sme`")
    )]
    DoesNotGo { flag: String, with: Message },
    /// The same of several flags.
    #[explain(
        code = "AITK-N03",
        exit = Usage,
        say("{flags} do not go with {with}"),
        hint("leave one or the other out; hosted notebooks are `--budget free`, projects `--budget sme`")
    )]
    DoNotGo { flags: Vec<String>, with: Message },
    /// Credentials for Kaggle are missing, cannot be used, or can be read by others.
    #[explain(
        code = "AITK-N04",
        exit = NotPermitted,
        say("credentials for Kaggle: {reason}; nothing was sent"),
        hint("{remedy}")
    )]
    Credentials { reason: Message, remedy: Message },
    /// Kaggle's client is not there.
    #[explain(
        code = "AITK-N05",
        say("Kaggle's client `kaggle` is not on the PATH; nothing was sent"),
        hint(
            "install it by a command of your choice (`uv tool install kaggle --with six`, `pipx install kaggle`, or `aitk \
              run -- pip install kaggle six` and `aitk run -- aitk apply …`), or leave out --push"
        )
    )]
    NoClient,
    /// The platform takes no notebook from a command line.
    #[explain(
        code = "AITK-N06",
        exit = Usage,
        say("aitk cannot send a notebook to {title}"),
        hint("leave out --push, then: {instead}")
    )]
    NoPush { title: String, instead: Message },
    /// Kaggle's client could not send the folder, which is written; its words are said.
    #[explain(
        code = "AITK-N07",
        say("Kaggle's client could not send the folder:\n{said}"),
        hint("the folder is written; `kaggle kernels push -p FOLDER` tries again")
    )]
    NotPushed { said: String },
}
