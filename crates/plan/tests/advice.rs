//! The decision tree, its offers and its words: whole, and told in every language.
#![allow(clippy::unwrap_used, reason = "a test fails that way")]

use std::collections::BTreeSet;

use aitk_detect::{Gpu, Machine};
use aitk_plan::{
    AdviceError, Answers, Catalog, Dialogue, DialogueInput, Language, Messages, Need,
    OfferMismatch, Place, Texts, Tree, advise, compare,
};

fn answers(given: &[(&str, &str)]) -> Answers {
    given.iter().map(|(question, answer)| ((*question).to_owned(), (*answer).to_owned())).collect()
}

fn machine(gib: u64, gpu: bool) -> Machine {
    let mut machine = Machine { date: "2026-11-24".to_owned(), ..Machine::default() };
    machine.memory.total = Some(gib << 30);
    machine.gpus.extend(gpu.then(|| Gpu { usable: true, ..Gpu::default() }));
    machine
}

fn english() -> Texts {
    Texts::english().unwrap()
}

/// Every way through the tree, by its answers, with the leaf that it ends in.
fn ways(tree: &Tree, so_far: Answers, found: &mut Vec<(Answers, String)>) {
    assert!(so_far.len() <= tree.questions.len(), "a question comes twice: {so_far:?}");
    match tree.place(&so_far).unwrap().0 {
        Place::Leaf(leaf) => found.push((so_far, leaf.id.clone())),
        Place::Question(question) => {
            for answer in question.choices() {
                let mut more = so_far.clone();
                assert_eq!(more.insert(question.id.clone(), answer), None, "a circle");
                ways(tree, more, found);
            }
        }
    }
}

#[test]
fn every_leaf_and_question_is_reached_once_and_nothing_leads_nowhere() {
    let tree = Tree::builtin().unwrap();
    let mut ids: Vec<_> = tree.questions.iter().map(|question| question.id.clone()).collect();
    ids.extend(tree.leaves.iter().map(|leaf| leaf.id.clone()));
    let unique: BTreeSet<_> = ids.iter().cloned().collect();
    assert_eq!(unique.len(), ids.len(), "an id stands for two things");
    let mut led: Vec<_> = vec![tree.start.clone()];
    for question in &tree.questions {
        assert!(question.answers.len() > 1, "{}", question.id);
        let machine = question.machine.iter().map(|from| &from.answer);
        for default in machine.chain([&question.default]) {
            assert!(question.answer(default).is_some(), "{}: {default}", question.id);
        }
        led.extend(question.answers.iter().map(|answer| answer.to.clone()));
    }
    led.sort();
    ids.sort();
    assert_eq!(led, ids, "everything is led to, once, and all that is led to is there");
    let mut found = Vec::new();
    ways(&tree, Answers::new(), &mut found);
    let leaves: Vec<_> = found.iter().map(|(_, leaf)| leaf.as_str()).collect();
    assert_eq!(leaves, ["B1", "B2", "C1", "C2", "C3", "D1", "D2", "D3"]);
}

#[test]
fn the_next_steps_up_end() {
    let tree = Tree::builtin().unwrap();
    for leaf in &tree.leaves {
        let (mut at, mut steps) = (leaf, 0);
        while let Some(next) = &at.next {
            at = tree.leaf(next).unwrap();
            steps += 1;
            assert!(steps < tree.leaves.len(), "{} goes round in circles", leaf.id);
        }
    }
    let next = |id: &str| tree.leaf(id).unwrap().next.clone().unwrap();
    assert_eq!((next("B2"), next("B1"), next("C1")), ("B1".into(), "C1".into(), "C2".into()));
}

#[test]
fn leaves_name_offers_and_every_offer_belongs_to_a_leaf() {
    let (tree, offers) = (Tree::builtin().unwrap(), Catalog::builtin().unwrap().offers);
    let named: BTreeSet<_> = tree.leaves.iter().flat_map(|leaf| &leaf.offers).collect();
    let there: BTreeSet<_> = offers.iter().map(|offer| &offer.id).collect();
    assert_eq!(named, there);
    assert_eq!(there.len(), offers.len(), "an offer stands there twice");
    for offer in &offers {
        assert_eq!(offer.usd.is_some(), offer.per.is_some(), "{}", offer.id);
        assert!(offer.link.starts_with("https://"), "{}", offer.id);
    }
}

#[test]
fn what_the_tree_and_the_offers_need_is_among_the_texts() {
    let (tree, offers) = (Tree::builtin().unwrap(), Catalog::builtin().unwrap().offers);
    let mut keys = Vec::new();
    for question in &tree.questions {
        keys.extend(
            ["ask", "short", "explain"].map(|what| format!("question.{}.{what}", question.id)),
        );
        for answer in question.choices() {
            keys.push(format!("question.{}.{answer}", question.id));
            keys.push(format!("aside.{}.{answer}", question.id));
        }
    }
    for leaf in &tree.leaves {
        let all = ["title", "what", "why", "cost", "source", "next", "today"];
        keys.extend(all.map(|what| format!("leaf.{}.{what}", leaf.id)));
    }
    for offer in &offers {
        keys.extend(["gives", "limits", "price"].map(|what| format!("offer.{}.{what}", offer.id)));
    }
    let english = english();
    let named = |key: &&String| {
        ["question.", "aside.", "leaf.", "offer."].iter().any(|of| key.starts_with(of))
    };
    let there: BTreeSet<_> = english.all().keys().filter(named).collect();
    assert_eq!(there, keys.iter().collect(), "texts and data do not name the same things");
}

#[test]
fn answers_that_do_not_go_together_are_refused_before_the_others_are_known() {
    let tree = Tree::builtin().unwrap();
    let refused = |given: &[(&str, &str)]| match tree.place(&answers(given)) {
        Err(AdviceError::Contradiction { flag, with, instead }) => (flag, with, instead.join(" ")),
        other => panic!("{other:?}"),
    };
    let (flag, with, instead) = refused(&[("goal", "learn"), ("team", "none")]);
    assert_eq!(
        (flag.as_str(), with.as_str(), instead.as_str()),
        ("team", "--goal learn", "--local")
    );
    let (flag, with, _) = refused(&[("goal", "ship"), ("team", "none"), ("data", "large")]);
    assert_eq!((flag.as_str(), with.as_str()), ("data", "--goal ship --team none"));
    assert!(tree.place(&answers(&[("team", "none")])).is_ok(), "the goal may still be `ship`");
}

#[test]
fn the_machine_decides_the_default_and_the_budget() {
    let tree = Tree::builtin().unwrap();
    let local = tree.question("local").unwrap();
    assert_eq!(local.default_on(&machine(4, false)), "no");
    assert_eq!(local.default_on(&machine(8, false)), "yes");
    assert_eq!(local.default_on(&machine(4, true)), "yes");
    assert_eq!(local.default_on(&Machine::default()), "no", "nothing is known of the machine");
    let offers = Catalog::builtin().unwrap().offers;
    let given = answers(&[("goal", "learn"), ("local", "yes")]);
    for (gpu, command) in
        [(false, "aitk plan --budget low"), (true, "aitk plan --budget workstation")]
    {
        let machine = machine(16, gpu);
        let advice =
            advise(&tree, &offers, &english(), &machine, &given, &Need::default()).unwrap();
        assert_eq!(advice.command, command);
    }
}

#[test]
fn a_talk_takes_numbers_words_and_defaults_explains_and_goes_back() {
    let (tree, texts, machine) = (Tree::builtin().unwrap(), english(), machine(16, false));
    let said = Messages::default();
    let mut talk = Dialogue::new(&tree, &machine, (&texts, said), Answers::new());
    let mut open = "goal";
    for (line, heard, then) in [
        ("?", DialogueInput::Explain, "goal"),
        ("b", DialogueInput::First, "goal"),
        ("perhaps", DialogueInput::Unknown, "goal"),
        ("0", DialogueInput::Unknown, "goal"),
        ("4", DialogueInput::Unknown, "goal"),
        // `scale` and `ship` both begin so.
        ("s", DialogueInput::Unknown, "goal"),
        ("2", DialogueInput::Answer, "team"),
        ("b", DialogueInput::Back, "goal"),
        (" Scale ", DialogueInput::Answer, "data"),
        ("back", DialogueInput::Back, "goal"),
        ("", DialogueInput::Answer, "local"),
    ] {
        assert_eq!(talk.hear(tree.question(open).unwrap(), line), heard, "{line:?}");
        open = &talk.question().unwrap().unwrap().id;
        assert_eq!(open, then, "after {line:?}");
    }
    // The default is what this machine suggests.
    assert_eq!(talk.hear(tree.question("local").unwrap(), ""), DialogueInput::Answer);
    assert_eq!(talk.question().unwrap(), None);
    assert_eq!(talk.answers(), answers(&[("goal", "learn"), ("local", "yes")]));
}

#[test]
fn a_talk_in_french_understands_french_and_leaves_flags_alone() {
    let (tree, machine) = (Tree::builtin().unwrap(), machine(16, false));
    let texts = english();
    let french = Messages::of(Language::named("fr").unwrap());
    let mut talk = Dialogue::new(&tree, &machine, (&texts, french), answers(&[("goal", "learn")]));
    let local = talk.question().unwrap().unwrap();
    assert_eq!(local.id, "local", "what a flag says is not asked");
    assert_eq!(talk.hear(local, "r"), DialogueInput::First, "nor gone back to");
    assert_eq!(talk.hear(local, "NON"), DialogueInput::Answer);
    assert_eq!(talk.answers()["local"], "no");
}

#[test]
fn a_flag_that_an_answer_does_not_lead_to_ends_the_talk() {
    let (tree, texts, machine) = (Tree::builtin().unwrap(), english(), machine(16, false));
    let said = Messages::default();
    let mut talk = Dialogue::new(&tree, &machine, (&texts, said), answers(&[("team", "none")]));
    let goal = talk.question().unwrap().unwrap();
    assert_eq!(talk.hear(goal, "learn"), DialogueInput::Answer);
    assert!(talk.question().is_err());
}

#[test]
fn a_need_sets_aside_what_does_not_meet_it_and_old_rows_are_marked() {
    let (offers, texts) = (Catalog::builtin().unwrap().offers, english());
    let fit = |need: Need| -> Vec<String> {
        let all = compare(&offers, None, &need, &texts, "2026-11-24");
        assert_eq!(all.len(), offers.len(), "what does not fit is named as well");
        all.into_iter().filter(|offer| offer.unfit.is_none()).map(|offer| offer.id).collect()
    };
    let has = |all: &[String], id: &str| all.iter().any(|offer| offer == id);
    let all = fit(Need::default());
    assert!(has(&all, "colab") && !has(&all, "gradient"), "what is retired never fits");
    let free = fit(Need { spend: Some(0.0), ..Need::default() });
    assert!(
        has(&free, "kaggle")
            && !has(&free, "databricks")
            && !has(&free, "sagemaker")
            && !has(&free, "jetson-orin-nano")
    );
    let long = fit(Need { hours: Some(100), ..Need::default() });
    assert!(has(&long, "kaggle") && !has(&long, "colab"));
    let large = fit(Need { vram: Some(24), ..Need::default() });
    assert!(!has(&large, "rtx-12gb") && !has(&large, "vps-vultr") && has(&large, "gpu-droplet"));
    // What nobody knows is said, and neither counts as enough nor as too little.
    let small = compare(&offers, None, &Need { vram: Some(8), ..Need::default() }, &texts, "");
    let why = |id: &str| small.iter().find(|offer| offer.id == id).unwrap().unfit;
    for id in ["lightning", "databricks"] {
        assert_eq!(why(id), Some(OfferMismatch::Unknown), "{id}");
    }
    assert_eq!((why("kaggle"), why("vps-vultr")), (None, Some(OfferMismatch::Vram)));
    assert_eq!(why("slurm"), Some(OfferMismatch::Software));
    let month = |id: &str, hours| {
        let need = Need { hours, ..Need::default() };
        offers.iter().find(|offer| offer.id == id).unwrap().month_usd(&need)
    };
    assert_eq!(month("gpu-droplet", Some(100)), Some(76.0));
    assert_eq!(month("gpu-droplet", None), Some(30.4), "40 hours");
    assert_eq!(month("jetson-orin-nano", None), Some(10.38), "counted over 24 months");
    assert_eq!(month("databricks", None), None);
    let stale = |today: &str| {
        let all = compare(&offers, None, &Need::default(), &texts, today);
        all.into_iter().find(|offer| offer.id == "kaggle").unwrap().stale
    };
    // The row is of 2026-08-08.
    assert!(!stale("2027-02-04") && stale("2027-02-05"));
}

#[test]
fn a_locale_names_a_language() {
    for (locale, language) in [
        ("fr_FR.UTF-8", Language::named("fr").unwrap()),
        ("fr", Language::named("fr").unwrap()),
        ("frr_DE", Language::ENGLISH),
        ("C.UTF-8", Language::ENGLISH),
        ("", Language::ENGLISH),
    ] {
        assert_eq!(Language::of_locale(locale), language, "{locale}");
    }
}
