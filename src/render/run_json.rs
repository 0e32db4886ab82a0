//! A run as a file for people: the notes and failure reasons have words.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::notes::add_texts;
use crate::run::{Benchmark, Run};

/// Returns the run as JSON in one line. Notes and failure reasons have a `text` for people.
///
/// # Errors
///
/// Fails if the run cannot be serialized.
pub(crate) fn render_run_json(run: &Run) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string(&RunDocument::new(run)?)? + "\n")
}

/// A run that is serialized for people: its notes and failure reasons have a `text`.
pub(crate) struct RunDocument<'a> {
    /// The run with texts and without launches.
    shell: serde_json::Value,
    /// The run, which has the launches.
    run: &'a Run,
}

impl<'a> RunDocument<'a> {
    /// Adds the texts to `run`.
    ///
    /// # Errors
    ///
    /// Fails if the run cannot be serialized.
    pub(crate) fn new(run: &'a Run) -> Result<Self, serde_json::Error> {
        // Only the part without samples becomes a tree of values, to which texts can be added. The
        // launches are most of a run, and are written from the run itself.
        let mut shell = serde_json::to_value(run.copy_without_launches())?;
        add_texts(&mut shell);
        Ok(Self { shell, run })
    }
}

/// The benchmarks of a [`RunDocument`].
struct BenchmarkDocuments<'a>(&'a serde_json::Value, &'a [Benchmark]);

/// One benchmark of a [`RunDocument`].
struct BenchmarkDocument<'a>(&'a serde_json::Value, &'a Benchmark);

impl Serialize for RunDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_with_replaced(serializer, &self.shell, "benchmarks", |shell| {
            BenchmarkDocuments(shell, &self.run.benchmarks)
        })
    }
}

impl Serialize for BenchmarkDocuments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shells = self.0.as_array().into_iter().flatten();
        let documents = shells.zip(self.1);
        serializer.collect_seq(documents.map(|(shell, own)| BenchmarkDocument(shell, own)))
    }
}

impl Serialize for BenchmarkDocument<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_with_replaced(serializer, self.0, "launches", |_| &self.1.launches)
    }
}

/// Serializes an object with another value for one field.
fn serialize_with_replaced<'a, S: Serializer, T: Serialize>(
    serializer: S,
    object: &'a serde_json::Value,
    field: &str,
    replace: impl Fn(&'a serde_json::Value) -> T,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (key, value) in object.as_object().into_iter().flatten() {
        if key == field {
            map.serialize_entry(key, &replace(value))?;
        } else {
            map.serialize_entry(key, value)?;
        }
    }
    map.end()
}
