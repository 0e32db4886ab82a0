//! Criterion's own folder, `target/criterion`: the results of the last `cargo bench`.

use std::path::Path;

use super::entry::{AdapterError, AdapterRun, RunCollector};
use crate::measure::criterion::{WrittenResult, read_results};

/// Reads the samples of each benchmark, as `perfgate measure` does after it launched them. A
/// benchmark whose files cannot be used is a failed one.
///
/// # Errors
///
/// Fails if a folder cannot be listed, if two benchmarks have the same id, or if there is none.
pub(super) fn read_criterion_folder(folder: &Path) -> Result<AdapterRun, AdapterError> {
    let mut run = RunCollector::new("criterion");
    for WrittenResult { id, observed } in read_results(folder)? {
        run.add_observed(0, id, observed)?;
    }
    run.finish()
}
