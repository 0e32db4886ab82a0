//! Limits on the texts and lists of a file, whatever its fields are. A stranger may have written the
//! file, and every text in it may reach a comment, a log or a page.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Maximum length of a text in a file, in bytes. The output of a failed benchmark is the longest
/// text that perfgate writes, and it is shorter.
pub(crate) const MAX_FILE_TEXT: usize = 64 << 10;

/// Walks over a JSON document without keeping it, and returns the text of its `schema`.
///
/// Fails if the document is not an object with a `schema`, or if a text or a list in it is too long.
pub(super) struct BoundedDocument {
    /// Maximum number of values in a list; `None` without a limit.
    pub(super) max_list: Option<usize>,
    /// The schemas to which the maximum applies. Files of another kind have other lists, and are
    /// refused by their schema.
    pub(super) known: &'static [&'static str],
}

impl<'de> DeserializeSeed<'de> for BoundedDocument {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for BoundedDocument {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a `schema`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let mut schema: Option<String> = None;
        while let Some(name) = map.next_key::<String>()? {
            if name != "schema" {
                let is_known = |schema: &String| self.known.contains(&schema.as_str());
                let max_list = self.max_list.filter(|_| schema.as_ref().is_none_or(is_known));
                map.next_value_seed(BoundedValue { max_list })?;
            } else if schema.replace(map.next_value::<String>()?).is_some() {
                return Err(A::Error::duplicate_field("schema"));
            }
        }
        schema.ok_or_else(|| A::Error::missing_field("schema"))
    }
}

/// Any value, which is checked and dropped.
#[derive(Clone, Copy)]
struct BoundedValue {
    max_list: Option<usize>,
}

impl<'de> DeserializeSeed<'de> for BoundedValue {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for BoundedValue {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        if text.len() <= MAX_FILE_TEXT {
            return Ok(());
        }
        Err(E::custom(format_args!("a text is longer than {MAX_FILE_TEXT} bytes")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut count = 0;
        while list.next_element_seed(self)?.is_some() {
            count += 1;
            if let Some(most) = self.max_list.filter(|most| count > *most) {
                return Err(A::Error::custom(format_args!("a list has more than {most} values")));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut count = 0;
        while map.next_key_seed(self)?.is_some() {
            map.next_value_seed(self)?;
            count += 1;
            if let Some(most) = self.max_list.filter(|most| count > *most) {
                return Err(A::Error::custom(format_args!(
                    "an object has more than {most} fields"
                )));
            }
        }
        Ok(())
    }
}
