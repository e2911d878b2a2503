//! The configuration's fields in JSON Schema (draft 2020-12), by which editors complete and check a file.
//!
//! It knows each value for itself. What goes together, only the parser knows.

use serde_json::{Map, Value, json};

use super::field::{Described, Entries, Field, Fields};

/// The whole file.
pub(super) fn of(fields: Fields) -> Value {
    let mut schema = section(fields);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "Configuration of lbd".into();
    schema
}

fn section(fields: Fields) -> Value {
    let fields = || fields.iter().copied().flatten();
    let properties: Map<String, Value> =
        fields().map(|field| (field.name().to_owned(), described(field))).collect();
    let required: Vec<&str> = fields().filter(|field| field.remedy().is_some()).map(Field::name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn described(field: &Field) -> Value {
    let mut schema = match field {
        Field::Scalar(scalar) => scalar.schema(),
        Field::Section(group) => section(group.fields),
        Field::List(list) => json!({
            "type": "array",
            "items": match list.of {
                Entries::Scalars(scalar) => entry(scalar),
                Entries::Sections(fields) => section(fields),
            },
            "minItems": u8::from(!list.may_be_empty),
        }),
    };
    schema["description"] = field.about().into();
    schema
}

fn entry(scalar: &dyn Described) -> Value {
    let mut schema = scalar.schema();
    schema["description"] = scalar.about().into();
    schema
}
