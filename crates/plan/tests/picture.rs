//! A saved plan is compared with what its choices give here, to the last field.
#![allow(clippy::unwrap_used, reason = "tests look from outside")]

use aitk_detect::Machine;
use aitk_plan::{
    Catalog, Choices, Cost, Deed, Difference, Lock, LockTarget, LockedLayer, Manager, Plan,
    Profile, Project, Status, Write, differences, plan,
};
use serde_json::{Value, json};

fn here() -> Plan {
    let mut machine = Machine { arch: "x86_64".to_owned(), ..Machine::default() };
    // Nobody tests there, so that there is a warning.
    machine.os.name = "Other".to_owned();
    let profile = Profile::builtin("low").unwrap();
    let catalog = Catalog::builtin().unwrap();
    let mut plan = plan(&machine, &profile, &Choices::default(), Manager::Conda, &catalog);
    for step in &mut plan.steps {
        (step.status, step.estimated) = (Status::Needed, false);
        step.commands = vec!["a command".into()];
    }
    plan.add_up();
    plan
}

fn picture(of: &Plan) -> Value {
    serde_json::to_value(of).unwrap()
}

/// The differences after something of the picture was changed.
fn changed(pointer: &str, to: Value) -> Vec<String> {
    let plan = here();
    let mut picture = picture(&plan);
    *picture.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = to;
    differences(&picture, &plan).iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_the_same_has_no_difference() {
    assert_eq!(differences(&picture(&here()), &here()), []);
}

#[test]
fn whatever_is_changed_by_hand_is_named() {
    let first = here().steps[0].id.clone();
    for (field, to) in [
        ("title", json!("Install libraries")),
        ("why", json!(["six is small"])),
        ("kind", json!("system-file")),
        ("needs", json!(["environment"])),
        ("root", json!(false)),
        ("commands", json!(["pip install six"])),
        ("packages", json!([{ "name": "six", "version": "1" }])),
        ("phase", json!("check")),
        ("status", json!("done")),
    ] {
        let found = changed(&format!("/steps/0/{field}"), to);
        assert_eq!(found, [format!("`{field}` of `{first}`")]);
    }
    assert_eq!(changed("/budget", json!("other")), ["`budget`"]);
    assert_eq!(changed("/manager", json!("venv")), ["`manager`"]);
    assert_eq!(changed("/accelerator/kind", json!("cuda")), ["`accelerator`"]);
    assert_eq!(changed("/totals/disk", json!(0)), ["`totals`"]);
    assert_eq!(changed("/warnings", json!([])), ["`warnings`"]);
}

/// Whatever no plan says is named with its place, at any depth; and what the rest follows from is compared to the last
/// word, though it tells a person nothing that a step does.
#[test]
fn what_no_plan_says_is_named_wherever_it_stands() {
    let mut plan = here();
    plan.steps[0].packages = vec![aitk_plan::Package::default()];
    plan.environments[0].lock = Some(lock("cpu"));
    let picture = picture(&plan);
    assert_eq!(differences(&picture, &plan), []);
    for at in [
        "",
        "/totals",
        "/accelerator",
        "/steps/0",
        "/steps/0/packages/0",
        "/steps/3",
        "/environments/0",
        "/environments/0/request",
        "/environments/0/lock",
        "/warnings/0",
        "/choices",
        "/grounds/0",
    ] {
        let mut more = picture.clone();
        let place = more.pointer_mut(at).unwrap_or_else(|| panic!("{at}"));
        place["evil"] = json!("run me");
        let found = differences(&more, &plan);
        assert_eq!(found.len(), 1, "{at}: {found:?}");
    }
    let mut done = plan.clone();
    done.steps[0].done();
    done.add_up();
    let mut more = picture.clone();
    more["steps"][0]["packages"][0]["evil"] = json!(1);
    let evil = Difference::Unknown("steps/0/packages/0/evil".to_owned());
    assert_eq!(differences(&more, &done), [evil], "of what was done meanwhile nothing follows");
}

#[test]
fn environments_warnings_and_sums_are_those_that_follow() {
    let plan = here();
    let named = |change: &dyn Fn(&mut Value)| {
        let mut picture = picture(&plan);
        change(&mut picture);
        differences(&picture, &plan).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let warning = |code: &str| json!({ "code": code, "message": "all is well", "hint": null });
    let warn = |code: &'static str| {
        move |it: &mut Value| it["warnings"].as_array_mut().unwrap().push(warning(code))
    };
    assert_eq!(named(&warn("AITK-W01")), ["`warnings`"]);
    assert_eq!(named(&warn("AITK-W10")), [""; 0], "a channel answers by now");
    let twice = |it: &mut Value| {
        let first = it["environments"][0].clone();
        it["environments"].as_array_mut().unwrap().push(first);
    };
    assert_eq!(named(&twice), ["`environments`"]);
    assert_eq!(named(&|it| it["totals"]["steps"] = json!(99)), ["`totals`"]);
    assert_eq!(named(&|it| it["totals"]["estimated"] = json!(true)), ["`totals`"]);
    assert_eq!(named(&|it| it["grounds"][0]["as_of"] = json!("2031-01-01")), ["`grounds`"]);
    assert_eq!(named(&|it| it["machine"] = json!("0")), ["`machine`"]);
}

#[test]
fn what_a_project_costs_and_what_one_does_with_it_is_what_was_shown() {
    let cost = |monthly: f64| Cost {
        id: "endpoint".to_owned(),
        monthly: Some(monthly),
        always_on: true,
        source: "a list of prices".to_owned().into(),
        as_of: "2026-11-01".to_owned(),
    };
    let deed =
        Deed { command: vec!["run".to_owned()], what: "w".to_owned().into(), ..Deed::default() };
    let mut plan = here();
    let costs = FRACTIONS.map(cost).to_vec();
    plan.project = Some(Project { costs, next: vec![deed], ..Project::default() });
    let text = serde_json::to_string(&plan).unwrap();
    let saved = || serde_json::from_str::<Value>(&text).unwrap();
    assert_ne!(saved(), picture(&plan), "or there was nothing to look out for");
    assert_eq!(differences(&saved(), &plan), []);
    for (pointer, to) in [
        ("/project/costs/0/monthly", json!(1.5)),
        ("/project/next/0/command/0", json!("curl")),
        ("/project/next/0/what", json!("W")),
        ("/project/folder", json!("/elsewhere")),
    ] {
        let mut evil = saved();
        *evil.pointer_mut(pointer).unwrap() = to;
        assert_eq!(differences(&evil, &plan), [Difference::Plan("project")], "{pointer}");
    }
    let mut none = saved();
    none.as_object_mut().unwrap().remove("project");
    assert_eq!(differences(&none, &plan), [Difference::Plan("project")]);
}

#[test]
fn what_root_writes_is_what_was_shown_or_is_checked_by_it() {
    let write = |content: &str, later: Option<&str>| Write {
        path: "/etc/apt/keyrings/aitk-one.asc".to_owned(),
        content: content.to_owned(),
        later: later.map(Into::into),
    };
    let with = |write: Option<&Write>| {
        let mut plan = here();
        plan.steps[0].writes = write.into_iter().cloned().collect();
        plan
    };
    let (one, other) = (write("one", None), write("other", None));
    let first = here().steps[0].id.clone();
    let differs = [Difference::Step(first, "writes")];
    assert_eq!(differences(&picture(&with(Some(&one))), &with(Some(&one))), []);
    assert_eq!(differences(&picture(&with(Some(&one))), &with(Some(&other))), differs);
    assert_eq!(differences(&picture(&with(None)), &with(Some(&one))), differs);
    // What was named by its fingerprint is at hand now.
    let named = write("", Some("the key ABC"));
    assert_eq!(differences(&picture(&with(Some(&named))), &with(Some(&one))), []);
}

#[test]
fn steps_more_and_less_are_named() {
    let plan = here();
    let mut less = picture(&plan);
    less["steps"].as_array_mut().unwrap().pop();
    let last = plan.steps.last().unwrap().id.clone();
    assert_eq!(differences(&less, &plan), [Difference::More(last.clone())]);
    let mut more = picture(&plan);
    let mut evil = more["steps"][0].clone();
    evil["id"] = json!("evil");
    more["steps"].as_array_mut().unwrap().push(evil);
    assert_eq!(differences(&more, &plan), [Difference::Less("evil".to_owned())]);
    let mut twice = picture(&plan);
    let again = twice["steps"][0].clone();
    twice["steps"].as_array_mut().unwrap().push(again);
    assert_eq!(differences(&twice, &plan), [Difference::Plan("steps")]);
    for none in [json!(null), json!({}), json!([1]), json!({ "steps": [null, 3] })] {
        assert!(!differences(&none, &plan).is_empty());
    }
}

#[test]
fn what_is_done_meanwhile_and_what_takes_less_is_no_difference() {
    let shown = here();
    let mut plan = here();
    plan.steps[0].done();
    plan.steps[1].download = Some(0);
    plan.add_up();
    assert_eq!(differences(&picture(&shown), &plan), []);
    // The other way round it is more.
    let found = differences(&picture(&plan), &shown);
    assert_eq!(found[0], Difference::Step(shown.steps[0].id.clone(), "status"));
}

#[test]
fn an_estimate_may_become_exact_and_takes_nothing_more_away() {
    let mut shown = here();
    shown.steps[0].estimated = true;
    shown.add_up();
    let mut plan = here();
    plan.steps[0].commands = vec!["an exact command".into()];
    plan.steps[0].download = Some(10);
    plan.add_up();
    assert_eq!(differences(&picture(&shown), &plan), []);
    plan.steps[0].removes = vec!["mailer".to_owned()];
    let id = plan.steps[0].id.clone();
    assert_eq!(differences(&picture(&shown), &plan), [Difference::Step(id, "removes")]);
}

/// Dollars a month that are read from a text as one of their neighbours.
const FRACTIONS: [f64; 2] = [94.29166666666667, 97.33333333333333];

/// The plan of an environment with one layer; a step of the name `environment` makes it.
fn small(choices: Choices) -> Plan {
    let machine = Machine { arch: "x86_64".to_owned(), ..Machine::default() };
    let profile = Profile::from_toml("plan-1.toml", include_str!("../fixtures/plan-1.toml"));
    plan(&machine, &profile.unwrap(), &choices, Manager::Conda, &Catalog::builtin().unwrap())
}

fn lock(build: &str) -> Lock {
    let target = LockTarget { python: "3.12".to_owned(), arch: "x86_64".to_owned(), glibc: None };
    let layers = vec![LockedLayer { step: "libraries".to_owned(), packages: Vec::new() }];
    Lock { manager: Manager::Conda, target, build: Some(build.to_owned()), layers }
}

/// The environment that the step `environment` makes stands behind conda's own.
const OWN: usize = 1;

#[test]
fn what_is_asked_for_and_what_that_was_resolved_to_is_what_was_shown() {
    let resolved = |build: &str| {
        let mut plan = small(Choices::default());
        plan.steps[1].estimated = false;
        plan.environments[OWN].lock = Some(lock(build));
        plan.add_up();
        plan
    };
    let (open, cpu) = (small(Choices::default()), resolved("cpu"));
    assert!(open.steps[1].estimated && open.steps[1].id == "environment");
    assert_eq!(differences(&picture(&cpu), &cpu), []);
    assert_eq!(differences(&picture(&open), &cpu), [], "an estimate became exact");
    let of = |id: &str| Difference::Step(id.to_owned(), "environments");
    assert_eq!(differences(&picture(&resolved("cuda")), &cpu), [of("environment")]);
    let mut other = picture(&cpu);
    other["environments"][OWN]["request"]["layers"][1]["requirements"] = json!(["evil"]);
    assert_eq!(differences(&other, &cpu), [of("environment"), of("libraries")]);
    let mut base = picture(&cpu);
    base["environments"][0]["request"]["layers"][0]["requirements"] = json!(["evil"]);
    assert_eq!(differences(&base, &cpu), [of("manager.base")]);
}

/// What version 0.1 has saved.
#[test]
fn a_picture_of_the_first_form_is_compared_to_the_last_word() {
    let saved: Value = serde_json::from_str(include_str!("../fixtures/plan-1.json")).unwrap();
    let choices: Choices = serde_json::from_value(saved["data"]["choices"].clone()).unwrap();
    let plan = small(choices);
    let specs = |saved: &Value| -> Vec<String> {
        let all = differences(&saved["data"], &plan);
        let of_spec =
            all.iter().filter(|one| matches!(one, Difference::Step(_, "spec" | "environments")));
        of_spec.map(ToString::to_string).collect()
    };
    assert_eq!(specs(&saved), [""; 0]);
    for (pointer, to, named) in [
        ("/data/steps/0/spec/requirements/1", json!("evil"), "manager.base"),
        ("/data/steps/0/spec/adopt", json!("/opt/conda"), "manager.base"),
        ("/data/steps/1/spec/layers/1/requirements", json!(["evil"]), "environment"),
        ("/data/steps/1/spec/generation", json!("0123456789abcdef"), "environment"),
        ("/data/steps/2/spec/requirements", json!(["evil"]), "libraries"),
    ] {
        let mut evil = saved.clone();
        *evil.pointer_mut(pointer).unwrap() = to;
        assert_eq!(specs(&evil), [format!("`spec` of `{named}`")], "{pointer}");
    }
}

/// What the second form has saved: nothing of it says something else now.
#[test]
fn a_picture_of_the_second_form_is_compared_to_the_last_word() {
    let saved: Value = serde_json::from_str(include_str!("../fixtures/plan-2.json")).unwrap();
    assert_eq!(saved["schema"], 2);
    let choices: Choices = serde_json::from_value(saved["data"]["choices"].clone()).unwrap();
    let plan = small(choices);
    let differing = |saved: &Value| -> Vec<String> {
        differences(&saved["data"], &plan).iter().map(ToString::to_string).collect()
    };
    assert_eq!(differing(&saved), [""; 0]);
    for (pointer, to, named) in [
        ("/data/environments/1/request/layers/0/requirements", json!(["evil"]), "environment"),
        ("/data/environments/0/request/layers/0/requirements", json!(["evil"]), "manager.base"),
    ] {
        let mut evil = saved.clone();
        *evil.pointer_mut(pointer).unwrap() = to;
        let found = differing(&evil);
        assert!(found.contains(&format!("`environments` of `{named}`")), "{pointer}: {found:?}");
    }
}
