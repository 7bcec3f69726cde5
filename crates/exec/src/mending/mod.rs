//! Mends an environment of venv's that somebody else has made: what stands there is laid aside first, whole, and comes back
//! where anything fails.

mod act;
mod error;
mod find;
mod refusal;

pub use act::mend;
pub use error::{MendError, away, back};
pub use find::{Change, Mending, mending};
