//! The JSON lines of commands, held against the schema that readers are given: its types, and
//! nothing beside its keys.

use std::collections::BTreeSet;

use flowner_core::json::JSON_SCHEMA;
use jsonschema::Validator;
use serde_json::{Value, json};

/// Says what is wrong with lines.
pub(crate) struct Lines {
    validator: Validator,
}

impl Lines {
    pub(crate) fn new() -> Self {
        let mut schema = schema();
        for definition in schema["$defs"].as_object_mut().unwrap().values_mut() {
            // Readers ignore new keys; a new key must be in the schema first.
            if definition["properties"].is_object() || definition["oneOf"].is_array() {
                definition["unevaluatedProperties"] = json!(false);
            }
        }
        let validator = jsonschema::validator_for(&schema).unwrap();
        Self { validator }
    }

    pub(crate) fn errors(&self, line: &Value) -> Vec<String> {
        let errors = self.validator.iter_errors(line);
        errors.map(|error| error.to_string()).collect()
    }

    /// Checks what a command wrote, and says of which types it is.
    #[track_caller]
    pub(crate) fn check(&self, lines: &[Value]) -> BTreeSet<String> {
        assert_eq!(
            (&lines[0]["type"], &lines[0]["schema"]),
            (&"start".into(), &3.into())
        );
        for line in lines {
            assert_eq!(self.errors(line), [""; 0], "{line:#}");
        }
        lines.iter().map(type_of).collect()
    }
}

/// The schema that readers are given.
pub(crate) fn schema() -> Value {
    serde_json::from_str(JSON_SCHEMA).unwrap()
}

pub(crate) fn type_of(line: &Value) -> String {
    line["type"].as_str().unwrap().to_owned()
}

/// Every type that a line can have.
pub(crate) fn types() -> BTreeSet<String> {
    let mut types = BTreeSet::new();
    find_types(&schema(), &mut types);
    types
}

fn find_types(schema: &Value, types: &mut BTreeSet<String>) {
    if let Some(name) = schema["properties"]["type"]["const"].as_str() {
        types.insert(name.to_owned());
    }
    let below: Vec<&Value> = match schema {
        Value::Object(object) => object.values().collect(),
        Value::Array(array) => array.iter().collect(),
        _ => Vec::new(),
    };
    for below in below {
        find_types(below, types);
    }
}
