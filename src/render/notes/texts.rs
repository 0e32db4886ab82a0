//! Adds the words of notes and failure reasons to files, for people who read the JSON.

use super::{describe_failure, describe_note};
use crate::note::{FailureReason, Note};

/// Adds a `text` to each note and failure reason of a run or a decision, for people who read the
/// JSON.
pub(in crate::render) fn add_texts(document: &mut serde_json::Value) {
    for_each_in(document, "notes", add_note_text);
    for_each_in(document, "benchmarks", |benchmark| {
        for_each_in(benchmark, "notes", add_note_text);
        for_each_in(benchmark, "targets", |target| {
            if let Some(note) = target.get_mut("note") {
                add_note_text(note);
            }
        });
        if let Some(reason) = benchmark.pointer_mut("/failure/reason") {
            add_text(reason, |reason: FailureReason| describe_failure(&reason));
        }
    });
}

fn for_each_in(
    parent: &mut serde_json::Value,
    field: &str,
    visit: impl FnMut(&mut serde_json::Value),
) {
    if let Some(values) = parent.get_mut(field).and_then(serde_json::Value::as_array_mut) {
        values.iter_mut().for_each(visit);
    }
}

/// Adds its words to a note. A value that is not a note stays as it is.
pub(super) fn add_note_text(note: &mut serde_json::Value) {
    add_text(note, |note: Note| describe_note(&note));
}

fn add_text<T: serde::de::DeserializeOwned>(
    object: &mut serde_json::Value,
    describe: impl FnOnce(T) -> String,
) {
    if let Ok(value) = T::deserialize(&*object)
        && let Some(map) = object.as_object_mut()
    {
        map.insert("text".to_owned(), describe(value).into());
    }
}
