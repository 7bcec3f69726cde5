//! How a plan writes a step's payload: `kind`, and `spec` where the kind says anything.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// Writes one. A payload without fields says nothing.
pub(super) fn write<T: Serialize, S: Serializer>(
    name: &str,
    payload: &T,
    to: S,
) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(None)?;
    map.serialize_entry("kind", name)?;
    if size_of::<T>() > 0 {
        map.serialize_entry("spec", payload)?;
    }
    map.end()
}

/// What is written of one.
pub(super) fn schema<T: JsonSchema>(name: &str, generator: &mut SchemaGenerator) -> Schema {
    if size_of::<T>() == 0 {
        return json_schema!({
            "type": "object", "properties": { "kind": { "const": name } }, "required": ["kind"]
        });
    }
    let spec = generator.subschema_for::<T>();
    json_schema!({
        "type": "object",
        "properties": { "kind": { "const": name }, "spec": spec },
        "required": ["kind", "spec"]
    })
}

/// Reads the name of a kind and what is said of it.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<(String, Value), D::Error> {
    #[derive(serde::Deserialize)]
    struct Tagged {
        kind: String,
        spec: Option<Value>,
    }
    let Tagged { kind, spec } = Tagged::deserialize(from)?;
    Ok((kind, spec.unwrap_or_else(|| Map::new().into())))
}

/// Reads a payload.
pub(super) fn payload<T: DeserializeOwned, E: Error>(spec: Value) -> Result<T, E> {
    serde_json::from_value(spec).map_err(E::custom)
}
