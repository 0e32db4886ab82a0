//! The form in which notes and failure reasons are read from files, of any schema.

use std::fmt;

use serde::Serialize;
use serde::de::{self, MapAccess, Visitor};

/// The value of a note or a reason in a file: a plain sentence in schema 1, else a tagged object.
pub(super) enum RecordedValue<T> {
    /// The sentence of schema 1.
    Sentence(String),
    /// The value of the tagged object.
    Value(T),
}

/// Reads a value that is a sentence or an object. The object may have a `text`, which is dropped.
pub(super) struct RecordedVisitor<T>(
    /// Turns the object without its text into the value.
    pub(super) fn(serde_json::Value) -> Result<T, serde_json::Error>,
);

impl<'de, T: Serialize> Visitor<'de> for RecordedVisitor<T> {
    type Value = RecordedValue<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a sentence")
    }

    fn visit_str<E: de::Error>(self, sentence: &str) -> Result<Self::Value, E> {
        Ok(RecordedValue::Sentence(sentence.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = serde_json::Map::new();
        while let Some((key, value)) = access.next_entry::<String, serde_json::Value>()? {
            if key == "text" && value.is_string() {
                continue;
            }
            if map.insert(key.clone(), value).is_some() {
                return Err(de::Error::custom(format!("duplicate field `{key}`")));
            }
        }
        let fields: Vec<String> = map.keys().cloned().collect();
        let value = (self.0)(serde_json::Value::Object(map)).map_err(de::Error::custom)?;
        // Serde ignores unknown fields of a variant without fields, so they are searched here.
        let known = serde_json::to_value(&value).map_err(de::Error::custom)?;
        match fields.iter().find(|field| known.get(field).is_none()) {
            Some(field) => Err(de::Error::custom(format!("unknown field `{field}`"))),
            None => Ok(RecordedValue::Value(value)),
        }
    }
}
