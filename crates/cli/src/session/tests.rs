//! Commands on a machine that is not here, and on one that only says what would be changed.

use std::sync::Mutex;

use aitk_system::{Deny, Report};
use clap::Parser;

use super::*;
use crate::args::{Args, Verb};
use crate::commands::{plan, remove};
use crate::output::Output;

/// A recorded machine that says what would be changed on it.
fn reporting() -> (Local, Arc<Mutex<Vec<String>>>) {
    let machine =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/machines/ubuntu-24.04-laptop");
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&said);
    let report = move |change: &Message| heard.lock().unwrap().push(change.to_string());
    (Arc::new(Report::new(Deny(Replay::open(&machine).unwrap()), report)), said)
}

fn typed(words: &str) -> Args {
    Args::parse_from(words.split(' '))
}

#[test]
fn a_command_is_about_the_system_that_it_is_given() {
    let (local, said) = reporting();
    let args = typed("aitk plan --quiet --budget low --no-resolve -o /srv/nobody/plan.json");
    let Verb::Plan(plan) = &args.verb else { panic!("it is plan") };
    plan::run(&local, &args.common, plan, &Output::new(&args.common)).unwrap();
    assert_eq!(*said.lock().unwrap(), ["write /srv/nobody/plan.json"]);
    let session = Session::open(&local, &args.common).unwrap();
    assert_eq!(session.machine.os.version.as_deref(), Some("24.04"));
    assert!(session.local_settings.data.starts_with("/home/user"), "{:?}", session.settings.data);
}

#[test]
fn nothing_is_removed_where_nothing_was_made() {
    let (local, said) = reporting();
    let args = typed("aitk remove --quiet --yes");
    let Verb::Remove(remove) = &args.verb else { panic!("it is remove") };
    remove::run(&local, &args.common, remove, &Output::new(&args.common)).unwrap();
    assert_eq!(*said.lock().unwrap(), [""; 0]);
}

#[test]
fn what_one_request_names_is_not_the_next_ones() {
    let (local, _) = reporting();
    let prepared = |session: &Session, words: &str| {
        let Verb::Plan(plan) = typed(words).verb else { panic!("it is plan") };
        let asked = session.asked(&plan.choices).unwrap();
        let (prepared, _) = session.prepare(asked, None, Ask::Nobody).unwrap();
        (prepared.settings.index_url, prepared.local_settings.channels, prepared.request.manager)
    };
    let session = Session::open(&local, &typed("aitk plan").common).unwrap();
    let first =
        "aitk plan --budget low --index-url https://ann:secret@one.example/simple --channel two";
    let first = prepared(&session, first);
    assert_eq!(first.0.as_deref(), Some("https://one.example/simple"));
    assert_eq!(first.1, ["two"]);
    assert_eq!(
        prepared(&session, "aitk plan --budget low"),
        (None, Vec::new(), Some(Manager::Conda))
    );
}
