//! A software bill of materials in the JSON form of CycloneDX 1.6: every package of the environment, and of the conda
//! that comes with it.
//!
//! It has neither serial number nor time, so that the same plan gives the same bytes.

use std::collections::BTreeMap;

use aitk_plan::{Manager, Package};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::{Export, ExportError, File, Source};

/// What a package URL does not have as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    // An environment and the conda beside it may share packages.
    let components: BTreeMap<String, Value> = source
        .plan
        .steps
        .iter()
        .flat_map(|step| &step.packages)
        .filter(|package| package.sha256.is_some())
        .map(|package| {
            let purl = purl(source.plan.manager, package);
            let component = component(package, &purl);
            (purl, component)
        })
        .collect();
    let property =
        |name: &str, value: &str| json!({ "name": format!("aitk:{name}"), "value": value });
    let properties = [
        property("budget", &source.plan.budget),
        property("manager", &source.plan.manager.to_string()),
        property("python", source.python()),
        property("arch", &source.machine.arch),
    ];
    let subject = format!("aitk:{}", source.name());
    let refs: Vec<_> = components.keys().collect();
    let sbom = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": { "components": [{
                "type": "application", "name": "aitk", "version": env!("CARGO_PKG_VERSION"),
            }] },
            "component": {
                "type": "platform",
                "bom-ref": subject,
                "name": source.name(),
                "version": source.generation(),
            },
            "properties": properties,
        },
        "dependencies": [{ "ref": subject, "dependsOn": refs }],
        "components": components.values().collect::<Vec<_>>(),
    });
    let text = format!("{sbom:#}\n");
    Ok(Export { files: vec![File::new("sbom.cdx.json", text)], without: vec!["system"] })
}

fn component(package: &Package, purl: &str) -> Value {
    let hashes = json!([{ "alg": "SHA-256", "content": package.sha256 }]);
    let mut component = json!({
        "type": "library",
        "bom-ref": purl,
        "name": package.name,
        "version": package.version,
        "hashes": hashes,
    });
    let license = package.record.as_ref().and_then(|record| record["license"].as_str());
    if let Some(license) = license {
        component["licenses"] = json!([{ "license": { "name": license } }]);
    }
    component["purl"] = json!(purl);
    if let Some(url) = &package.url {
        component["externalReferences"] =
            json!([{ "type": "distribution", "url": url, "hashes": hashes }]);
    }
    component
}

/// Its package URL: `pkg:pypi/torch@2.15.0%2Bcpu`, `pkg:conda/numpy@2.4.6?build=…&channel=conda-forge&…`.
fn purl(manager: Manager, package: &Package) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let (name, version) = (encoded(&package.name), encoded(&package.version));
    match manager {
        Manager::Venv => format!("pkg:pypi/{}@{version}", name.to_lowercase().replace('_', "-")),
        Manager::Conda => {
            let url = package.url.as_deref().unwrap_or_default();
            // …/CHANNEL/SUBDIR/FILE
            let mut parts = url.rsplit('/');
            let file = parts.next().unwrap_or_default();
            let [subdir, channel] = [parts.next(), parts.next()].map(Option::unwrap_or_default);
            let kind = if file.ends_with(".conda") { "conda" } else { "tar.bz2" };
            let build = package.build.as_deref().unwrap_or_default();
            let qualifiers =
                [("build", build), ("channel", channel), ("subdir", subdir), ("type", kind)]
                    .map(|(name, value)| format!("{name}={}", encoded(value)));
            format!("pkg:conda/{name}@{version}?{}", qualifiers.join("&"))
        }
    }
}
