//! How a command line names an environment.

/// The environment that is meant where none is named.
const DEFAULT_ENV: &str = "ai";

/// What names an environment in a command of aitk's, where it is not the one that is meant without.
pub fn env_flag(env: &str) -> String {
    if env == DEFAULT_ENV { String::new() } else { format!(" --env {env}") }
}
