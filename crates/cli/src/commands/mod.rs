//! The commands, one file each.

pub mod add;
pub mod advise;
pub mod apply;
pub mod bundle;
pub mod capture;
pub mod clean;
pub mod completions;
pub mod detect;
pub mod doctor;
pub mod export;
pub mod history;
pub mod init;
pub mod lab;
pub mod lock;
pub mod man;
pub mod mend;
pub mod model;
pub mod plan;
pub mod profiles;
pub mod remove;
pub mod rollback;
pub mod status;
pub mod upgrade;
pub mod verify;
pub mod work;
