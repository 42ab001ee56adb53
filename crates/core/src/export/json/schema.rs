//! The JSON Schema of the lines: made from their types, and kept as a file, so that readers of
//! lines need neither this crate nor a build.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{
    CheckLine, DeviceLine, FlowLine, GroupLine, HeadLine, JSON_SCHEMA, MissedLine, OwnershipLine,
    SocketLine, SummaryLine, WarningLine,
};

fn generated() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let lines = [
        generator.subschema_for::<HeadLine<'_>>(),
        generator.subschema_for::<FlowLine<'_>>(),
        generator.subschema_for::<GroupLine<'_>>(),
        generator.subschema_for::<SummaryLine<'_>>(),
        generator.subschema_for::<SocketLine<'_>>(),
        generator.subschema_for::<OwnershipLine<'_>>(),
        generator.subschema_for::<DeviceLine<'_>>(),
        generator.subschema_for::<CheckLine<'_>>(),
        generator.subschema_for::<WarningLine<'_>>(),
        generator.subschema_for::<MissedLine>(),
    ];
    let mut definitions = generator.take_definitions(true);
    definitions.iter_mut().for_each(add_type);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of flowner's JSON output",
        "description": "One object a line. The first has \"type\":\"start\" and the number of \
                        the schema. Keys are added, but never renamed or removed within one \
                        number.",
        "anyOf": lines,
        "$defs": definitions,
    })
}

/// schemars only knows tags of enums. A line that is a struct has its tag as its name, in lower
/// case unlike any other type.
fn add_type((name, schema): (&String, &mut Value)) {
    if name.starts_with(char::is_uppercase) {
        return;
    }
    schema["properties"]["type"] = json!({ "type": "string", "const": name });
    match schema["required"].as_array_mut() {
        Some(required) => required.insert(0, json!("type")),
        None => schema["required"] = json!(["type"]),
    }
}

/// `SNAPSHOTS=overwrite cargo test -p flowner-core` writes the file anew.
#[test]
fn the_file_is_that_of_the_types() {
    let generated = generated();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/lines.json");
    if std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
        let text = serde_json::to_string_pretty(&generated).unwrap();
        std::fs::write(path, text + "\n").unwrap();
        return;
    }
    let kept: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
    // Without both sides, which would fill the screen: git shows the difference.
    assert!(
        kept == generated,
        "the types have changed; write {path} anew with SNAPSHOTS=overwrite"
    );
}
