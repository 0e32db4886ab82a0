//! asv: the result file of a commit, `results/MACHINE/COMMIT-ENVIRONMENT.json`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{SECOND, parse_json, quote_non_numbers};

/// Version of the format that the adapter reads.
const KNOWN_VERSION: u64 = 2;
/// Beginnings of the names of benchmarks that measure a time.
const TIME_PREFIXES: [&str; 2] = ["time_", "timeraw_"];
/// Most combinations of parameters of one benchmark.
const MAX_COMBINATIONS: usize = 100_000;

#[derive(Deserialize)]
struct AsvFile<'a> {
    #[serde(borrow)]
    result_columns: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    results: BTreeMap<Cow<'a, str>, Vec<&'a RawValue>>,
    #[serde(borrow)]
    python: Option<Cow<'a, str>>,
    version: u64,
}

/// The result for one combination of parameters.
#[derive(Deserialize)]
#[serde(untagged)]
enum AsvValue {
    /// Seconds per call.
    Seconds(f64),
    /// Text in place of the `NaN` of a combination that is skipped.
    Skipped(serde::de::IgnoredAny),
}

/// Reads the samples of `asv run --record-samples`; without them, the median.
///
/// # Errors
///
/// Fails if the file is not what asv writes, or has another version of the format.
pub(super) fn parse_asv(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let json = quote_non_numbers(bytes);
    let file: AsvFile<'_> = parse_json(&json)?;
    if file.version != KNOWN_VERSION {
        return Err(AdapterError::Version { found: file.version.to_string(), known: "2" });
    }
    let mut run = RunCollector::new("asv");
    // A path means nothing on other machines; `3.12` is a version.
    let is_version = |python: &Cow<'_, str>| !python.contains(['/', '\\']);
    let runtime = file.python.filter(is_version).map(|python| format!("python {python}"));
    run.add_condition("runtime", runtime);
    for (name, row) in &file.results {
        let last = name.rsplit('.').next().unwrap_or(name);
        if !TIME_PREFIXES.iter().any(|prefix| last.starts_with(prefix)) {
            run.leave_out(name);
            continue;
        }
        let column = |key: &str| {
            let at = file.result_columns.iter().position(|column| column == key)?;
            row.get(at).map(|value| value.get().as_bytes())
        };
        add_row(&mut run, name, column)?;
    }
    run.finish()
}

/// Adds a benchmark, for each combination of its parameters. `column` returns the JSON of a column.
fn add_row<'a>(
    run: &mut RunCollector,
    name: &str,
    column: impl Fn(&str) -> Option<&'a [u8]>,
) -> Result<(), AdapterError> {
    let missing = |field| AdapterError::Missing { name: shorten_name(name), field };
    let results: Option<Vec<Option<AsvValue>>> =
        parse_json(column("result").ok_or_else(|| missing("result"))?)?;
    let Some(results) = results else {
        return run.add_failure(0, name, "asv has no result of it");
    };
    let params: Vec<Vec<String>> = column("params").map_or(Ok(Vec::new()), parse_json)?;
    let names = list_names(name, &params)?;
    if names.len() != results.len() {
        return Err(missing("result per combination of parameters"));
    }
    let samples: Option<Vec<Option<Vec<f64>>>> = column("samples").map_or(Ok(None), parse_json)?;
    let numbers: Option<Vec<Option<f64>>> = column("stats_number").map_or(Ok(None), parse_json)?;
    let mut samples = samples.unwrap_or_default();
    for (at, (name, result)) in names.into_iter().zip(results).enumerate() {
        let seconds = match result {
            None => {
                run.add_failure(0, &name, "asv has no result of it")?;
                continue;
            }
            Some(AsvValue::Skipped(_)) => continue,
            Some(AsvValue::Seconds(seconds)) => seconds,
        };
        let calls = numbers.as_ref().and_then(|numbers| *numbers.get(at)?);
        let times = samples.get_mut(at).and_then(Option::take).filter(|times| !times.is_empty());
        let entry = if let Some(times) = times {
            let calls = calls.map(|calls| vec![calls; times.len()]);
            AdapterEntry::of_batches(name, times, SECOND, calls)
        } else {
            AdapterEntry::of_mean(name, seconds, SECOND, None)
        };
        run.add(0, entry)?;
    }
    Ok(())
}

/// Returns the name for each combination of parameters, in the order of the results: the last
/// parameter changes fastest.
fn list_names(name: &str, params: &[Vec<String>]) -> Result<Vec<String>, AdapterError> {
    let count = params.iter().try_fold(1_usize, |count, values| count.checked_mul(values.len()));
    if count.is_none_or(|count| count > MAX_COMBINATIONS) {
        let field = "number of combinations that perfgate reads";
        return Err(AdapterError::Missing { name: shorten_name(name), field });
    }
    let mut names = vec![name.to_owned()];
    for (level, values) in params.iter().enumerate() {
        let before = if level == 0 { "(" } else { ", " };
        let longer = |name: &String| {
            let name = name.clone();
            values.iter().map(move |value| format!("{name}{before}{value}")).collect::<Vec<_>>()
        };
        names = names.iter().flat_map(longer).collect();
    }
    if !params.is_empty() {
        for name in &mut names {
            name.push(')');
        }
    }
    Ok(names)
}
