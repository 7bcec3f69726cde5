//! What can go wrong with hosted notebooks and other projects.

use aitk_system::{Explain, Message};

/// Why there is none.
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
        hint("leave one or the other out; hosted notebooks are `--budget free`, projects `--budget sme` or `--budget enterprise`")
    )]
    DoesNotGo { flag: String, with: Message },
    /// The same of several flags.
    #[explain(
        code = "AITK-N03",
        exit = Usage,
        say("{flags} do not go with {with}"),
        hint("leave one or the other out; hosted notebooks are `--budget free`, projects `--budget sme` or `--budget enterprise`")
    )]
    DoNotGo { flags: Vec<String>, with: Message },
    /// The platform takes no notebook from a command line.
    #[explain(
        code = "AITK-N06",
        exit = Usage,
        say("aitk cannot send a notebook to {title}"),
        hint("leave out --push, then: {instead}")
    )]
    NoPush { title: String, instead: Message },
}
