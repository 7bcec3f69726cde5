//! Everything that `--json` prints, in one list: its kind, and the type whose schema `docs/json` has.

use aitk_detect::Machine;
use aitk_plan::{Advice, Plan};

use crate::commands::{
    advise::OffersReport, bundle::BundleReport, clean::CleaningReport, export::ExportReport,
    export::TargetInfo, init::InitReport, init::TrustReport, lock::LockReport, mend::DoctorReport,
    model::Model, profiles::ProfileInfo, remove::RemovalReport, rollback::RollbackReport,
    status::StatusReport, upgrade::UpgradeReport, verify::VerificationReport,
};
use crate::output::Document;
use crate::run::RunReport;

macro_rules! kinds {
    ($($kind:literal: $type:ty,)+) => {
        $(impl Document for $type {
            const KIND: &'static str = $kind;
        })+

        /// Each kind with its schema; what has failed is of the kind `error`.
        #[cfg(test)]
        fn schemas() -> Vec<(&'static str, serde_json::Value)> {
            vec![$(($kind, tests::of_kind::<$type>($kind)),)+ ("error", tests::of_kind::<()>("error"))]
        }
    };
}

kinds! {
    "advice": Advice,
    "bundle": BundleReport<'_>,
    "cleaning": CleaningReport<'_>,
    "doctor": DoctorReport<'_>,
    "export": ExportReport<'_>,
    "init": InitReport,
    "lock": LockReport<'_>,
    "machine": Machine,
    "model": Model,
    "offers": OffersReport<'_>,
    "plan": Plan,
    "profiles": Vec<ProfileInfo<'_>>,
    "removal": RemovalReport<'_>,
    "rollback": RollbackReport<'_>,
    "run": RunReport,
    "status": StatusReport<'_>,
    "targets": Vec<TargetInfo>,
    "trust": TrustReport,
    "upgrade": UpgradeReport<'_>,
    "verification": VerificationReport<'_>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use aitk_exec::Event;
    use aitk_system::{Real, System};
    use schemars::JsonSchema;
    use schemars::generate::SchemaSettings;
    use serde_json::{Value, json};

    use super::*;
    use crate::output::{Envelope, Notice};

    /// What is written of a type.
    fn schema<T: JsonSchema>() -> Value {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<T>().to_value()
    }

    /// What is printed of one kind.
    pub(super) fn of_kind<T: JsonSchema>(kind: &str) -> Value {
        let mut schema = schema::<Envelope<T>>();
        schema["title"] = kind.into();
        schema["properties"]["kind"] = json!({ "const": kind });
        schema["properties"]["schema"] = json!({ "const": 1 });
        schema
    }

    /// A line of `--progress json`.
    #[derive(serde::Serialize, JsonSchema)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "for its schema")]
    enum Event_<'a> {
        Said(Notice),
        OfRun(Event<'a>),
    }

    #[test]
    fn the_schemas_are_those_in_the_documents() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json");
        let line = ("event", schema::<Event_<'_>>());
        let all: BTreeMap<String, String> = (schemas().into_iter().chain([line]))
            .map(|(kind, schema)| (format!("{kind}.schema.json"), format!("{schema:#}\n")))
            .collect();
        if Real.env("UPDATE_DOCS").is_some() {
            for (name, text) in &all {
                Real.write(&folder.join(name), text.as_bytes(), 0o644).unwrap();
            }
        }
        let mut schemas = Real.list(&folder).unwrap_or_default();
        schemas.retain(|name| name.ends_with(".json"));
        schemas.sort();
        assert_eq!(schemas, all.keys().cloned().collect::<Vec<_>>());
        for (name, text) in &all {
            let known = Real.read(&folder.join(name)).unwrap_or_default();
            assert_eq!(
                String::from_utf8_lossy(&known),
                *text,
                "UPDATE_DOCS=1 cargo nextest run --release -E 'test(schema)'"
            );
        }
    }
}
