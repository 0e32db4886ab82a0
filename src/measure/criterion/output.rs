//! Reads the files that Criterion 0.5 to 0.8 writes and the lines that it prints.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;

use crate::files;
use crate::measure::{CallAmounts, Observation};
use crate::note::FailureReason;
use crate::run::{
    BenchmarkFailure, CallsPerSample, ProviderRecord, Samples, Sampling, list_runtime_conditions,
};
use crate::units::{Nanos, UnitError};

/// Name of the file with the samples of a benchmark.
const SAMPLE_FILE: &str = "sample.json";
/// Length in bytes after which Criterion cuts a title.
const MAX_TITLE_BYTES: usize = 100;
/// Folder levels that are searched. Criterion nests its results at most by group, function and
/// parameter, with `new` inside.
const MAX_FOLDER_DEPTH: usize = 12;

#[derive(Deserialize)]
struct BenchmarkFile {
    full_id: String,
    throughput: Option<ThroughputFile>,
}

#[derive(Deserialize)]
enum ThroughputFile {
    Bits(f64),
    Bytes(f64),
    BytesDecimal(f64),
    Elements(f64),
    ElementsAndBytes { elements: f64, bytes: f64 },
}

#[derive(Deserialize)]
struct SampleFile {
    iters: Vec<f64>,
    times: Vec<f64>,
}

impl ThroughputFile {
    /// Returns the declared throughput as amounts per call.
    fn to_amounts(&self) -> CallAmounts {
        let (elements, per_unit) = match *self {
            Self::Bits(bits) => (None, Some(("bits", bits))),
            Self::Bytes(bytes) | Self::BytesDecimal(bytes) => (None, Some(("bytes", bytes))),
            Self::Elements(elements) => (Some(elements), None),
            Self::ElementsAndBytes { elements, bytes } => (Some(elements), Some(("bytes", bytes))),
        };
        let per_call = per_unit.map(|(unit, amount)| (unit.to_owned(), amount));
        CallAmounts { elements, per_call: per_call.into_iter().collect() }
    }
}

/// Why the files of a benchmark cannot be used.
#[derive(Debug, Error)]
enum ResultError {
    /// A file cannot be read.
    #[error("{file}: {error}")]
    Io {
        /// Name of the file.
        file: String,
        /// Why it cannot be read.
        error: io::Error,
    },
    /// A file is not JSON or has other fields than expected.
    #[error("{file}: {error}")]
    Json {
        /// Name of the file.
        file: String,
        /// Why it cannot be parsed.
        error: serde_json::Error,
    },
    /// The file of the samples has no samples, or other numbers of times and of calls.
    #[error("{times} times for {samples} samples")]
    Contradiction {
        /// Number of times.
        times: usize,
        /// Number of samples whose calls are counted.
        samples: usize,
    },
    /// A time divided by a number of calls is not a duration.
    #[error(transparent)]
    Sample(#[from] UnitError),
    /// A number of calls is not above zero.
    #[error("a number of calls is not above zero")]
    Calls,
}

/// The files that one benchmark left in Criterion's folder.
pub(crate) struct WrittenResult {
    /// Full benchmark id.
    pub(crate) id: String,
    /// The observation, or why the files cannot be used.
    pub(crate) observed: Result<Observation, BenchmarkFailure>,
}

/// Reads all results anywhere below `folder`: an id that contains `..` moves its results to an
/// unexpected place.
///
/// # Errors
///
/// Fails if a folder cannot be listed. A sample file that cannot be read is a failure of its
/// benchmark.
pub(crate) fn read_results(folder: &Path) -> io::Result<Vec<WrittenResult>> {
    let mut found = Vec::new();
    collect_folders(folder, 0, &mut found)?;
    found.sort();
    Ok(found.iter().filter_map(|folder| read_benchmark(folder)).collect())
}

/// The part of a bench's `settings.json` that must be alike for two measurements to be comparable.
#[derive(Deserialize)]
struct BenchSettings {
    threads: Option<u32>,
    provider: Option<ProviderRecord>,
    #[serde(default)]
    conditions: BTreeMap<String, String>,
}

/// Reads the conditions that a bench wrote into `settings.json` next to Criterion's results. Most
/// benches write no such file, and have no conditions.
///
/// # Errors
///
/// Fails with the reason if there is a file and it cannot be used.
pub(super) fn read_bench_conditions(home: &Path) -> Result<BTreeMap<String, String>, String> {
    let json = match files::read_plain_file(&home.join("settings.json")) {
        Ok(json) => json,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.to_string()),
    };
    let settings: BenchSettings =
        serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    let mut conditions = list_runtime_conditions(settings.threads, settings.provider);
    conditions.extend(settings.conditions);
    Ok(conditions)
}

/// Adds every `new` folder below `folder` that holds a `benchmark.json` to `found`.
fn collect_folders(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if depth < MAX_FOLDER_DEPTH {
                collect_folders(&entry.path(), depth + 1, found)?;
            }
        } else if entry.file_name() == "benchmark.json" && folder.ends_with("new") {
            found.push(folder.to_path_buf());
        }
    }
    Ok(())
}

fn read_benchmark(folder: &Path) -> Option<WrittenResult> {
    let benchmark = files::read_plain_file(&folder.join("benchmark.json")).ok()?;
    parse_written_result(&benchmark, files::read_plain_file(&folder.join(SAMPLE_FILE)))
}

/// Parses the `benchmark.json` and the `sample.json` of one result. Returns `None` if not even the
/// benchmark's name can be read. Callers count a benchmark that began and has no result as failed.
pub(crate) fn parse_written_result(
    benchmark: &[u8],
    sample: io::Result<Vec<u8>>,
) -> Option<WrittenResult> {
    let file: BenchmarkFile = serde_json::from_slice(benchmark).ok()?;
    let observed = parse_sample(sample).and_then(|sample| {
        let amounts = file.throughput.as_ref().map(ThroughputFile::to_amounts).unwrap_or_default();
        Ok(Observation { amounts, ..sample.into_observation()? })
    });
    let observed = observed.map_err(|error| BenchmarkFailure {
        reason: FailureReason::InvalidResult { cause: error.to_string() },
        output: String::new(),
    });
    Some(WrittenResult { id: file.full_id, observed })
}

fn parse_sample(json: io::Result<Vec<u8>>) -> Result<SampleFile, ResultError> {
    let file = SAMPLE_FILE.to_owned();
    match json {
        Ok(json) => {
            serde_json::from_slice(&json).map_err(|error| ResultError::Json { file, error })
        }
        Err(error) => Err(ResultError::Io { file, error }),
    }
}

impl SampleFile {
    /// Divides the time of each sample by its number of calls. Returns an observation without
    /// amounts and metrics. Fails if the file contradicts itself.
    fn into_observation(self) -> Result<Observation, ResultError> {
        let contradiction =
            ResultError::Contradiction { times: self.times.len(), samples: self.iters.len() };
        if self.iters.len() != self.times.len() {
            return Err(contradiction);
        }
        // If every sample is one call, the samples are times of calls; otherwise they are means of
        // batches.
        let is_single_call = self.iters.iter().all(|iters| (iters - 1.0).abs() < f64::EPSILON);
        let samples =
            self.times.iter().zip(&self.iters).map(|(time, iters)| Nanos::new(time / iters));
        let samples = samples.collect::<Result<_, _>>()?;
        let samples = Samples::new(samples).ok_or(contradiction)?;
        let (sampling, calls_per_sample) = if is_single_call {
            (Sampling::Call, None)
        } else {
            let calls = CallsPerSample::new(self.iters).ok_or(ResultError::Calls)?;
            (Sampling::Batch, Some(calls))
        };
        Ok(Observation {
            sampling,
            samples,
            calls_per_sample,
            amounts: CallAmounts::default(),
            metrics: [].into(),
            conditions: Arc::default(),
        })
    }
}

/// Returns the title under which Criterion prints the benchmark `id`: the id, cut if it is long.
fn format_title(id: &str) -> String {
    if id.len() <= MAX_TITLE_BYTES {
        return id.to_owned();
    }
    format!("{}...", &id[..id.floor_char_boundary(MAX_TITLE_BYTES)])
}

/// True if Criterion may print the benchmark `id` under the title `printed`. Criterion appends a
/// number to a title that another benchmark already has.
pub(super) fn is_title_of(printed: &str, id: &str) -> bool {
    let own_title = format_title(id);
    printed == own_title
        || printed
            .strip_prefix(own_title.as_str())
            .and_then(|rest| rest.strip_prefix(" #"))
            .is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            })
}

/// True if `title` may have been cut, so that other ids may have it, too.
pub(super) fn is_cut_title(title: &str) -> bool {
    title.len() > MAX_TITLE_BYTES - 4 && title.ends_with("...")
}

/// The benchmarks that `--list` printed, each with the titles it may have.
///
/// A title may span several lines. Lines before the one that ends a title are either its
/// beginning or other output, so a benchmark may have one title with these lines and one without.
#[derive(Default)]
pub(super) struct BenchListing {
    /// The titles that each benchmark may have, the shortest first.
    pub(super) benchmarks: Vec<Vec<String>>,
    /// The lines since the last complete title.
    pending: String,
}

impl BenchListing {
    /// Reads one line of standard output.
    pub(super) fn take_line(&mut self, line: &str) {
        if let Some(title) = line.strip_suffix(": benchmark") {
            let mut titles = vec![title.to_owned()];
            if !self.pending.is_empty() {
                titles.push(std::mem::take(&mut self.pending) + title);
            }
            self.benchmarks.push(titles);
        } else if !line.is_empty() || !self.pending.is_empty() {
            self.pending.push_str(line);
            self.pending.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONS: [&str; 4] = ["0.5", "0.6", "0.7", "0.8"];

    fn fixture(version: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/criterion").join(version)
    }

    #[test]
    fn every_version_of_criterion_is_read() {
        for version in VERSIONS {
            let mut written = read_results(&fixture(version)).unwrap();
            written.sort_by(|one, other| one.id.cmp(&other.id));
            let seen: Vec<_> = written
                .iter()
                .map(|written| (written.id.as_str(), written.observed.as_ref().unwrap()))
                .map(|(id, seen)| (id, seen.sampling, seen.samples.len(), seen.amounts.elements))
                .collect();
            let expected = [
                ("a/../<b>|\"ü\"?", Sampling::Call, 10, None),
                ("alone", Sampling::Call, 10, None),
                ("linear", Sampling::Batch, 10, None),
                ("sum/bytes", Sampling::Call, 10, None),
                ("sum/fold/20000", Sampling::Call, 10, Some(20_000.0)),
                ("sum/fold/40000", Sampling::Call, 10, Some(40_000.0)),
            ];
            assert_eq!(seen, expected, "{version}");
            let bytes = &written[3].observed.as_ref().unwrap().amounts.per_call;
            assert_eq!(bytes, &[("bytes".to_owned(), 512.0)].into(), "{version}");
            // A call of the code under test takes more than 0.1 ns and less than 0.1 s.
            let times = written
                .iter()
                .flat_map(|written| written.observed.as_ref().unwrap().samples.iter());
            assert!(times.clone().all(|time| time.get() > 0.1 && time.get() < 1e8), "{version}");
        }
    }

    #[test]
    fn a_wrong_type_in_the_settings_of_a_bench_is_an_error_and_no_file_is_not() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(read_bench_conditions(home.path()), Ok(BTreeMap::new()));
        let settings = home.path().join("settings.json");
        fs::write(&settings, r#"{"threads": 4}"#).unwrap();
        let threads = BTreeMap::from([("threads".to_owned(), "4".to_owned())]);
        assert_eq!(read_bench_conditions(home.path()), Ok(threads));
        for (json, cause) in [(r#"{"threads": "4"}"#, "invalid type: string"), ("", "EOF")] {
            fs::write(&settings, json).unwrap();
            let error = read_bench_conditions(home.path()).unwrap_err();
            assert!(error.contains(cause), "{error}");
        }
        fs::remove_file(&settings).unwrap();
        fs::create_dir(&settings).unwrap();
        assert!(read_bench_conditions(home.path()).unwrap_err().contains("regular file"));
    }

    #[test]
    fn every_version_lists_its_benchmarks() {
        for version in VERSIONS {
            let list = fs::read_to_string(fixture(version).join("list.txt")).unwrap();
            let mut listing = BenchListing::default();
            list.lines().for_each(|line| listing.take_line(line));
            let listed = listing.benchmarks.concat();
            let expected = [
                "alone",
                "sum/fold/20000",
                "sum/fold/40000",
                "sum/bytes",
                "linear",
                "a/../<b>|\"ü\"?",
            ];
            assert_eq!(listed, expected, "{version}");
        }
    }

    #[test]
    fn a_line_before_a_title_may_belong_to_it() {
        let mut listing = BenchListing::default();
        let _ = ["a: benchmark", "", "noise", "b: benchmark"].map(|line| listing.take_line(line));
        assert_eq!(
            listing.benchmarks,
            [vec!["a".to_owned()], vec!["b".to_owned(), "noise\nb".to_owned()]]
        );
    }

    #[test]
    fn both_amounts_of_later_versions_are_read() {
        let read = |file: &str| serde_json::from_str::<ThroughputFile>(file).unwrap().to_amounts();
        let both = read(r#"{"ElementsAndBytes": {"elements": 3, "bytes": 12}}"#);
        assert_eq!(
            (both.elements, both.per_call),
            (Some(3.0), [("bytes".to_owned(), 12.0)].into())
        );
        assert_eq!(read(r#"{"Bits": 8}"#).per_call, [("bits".to_owned(), 8.0)].into());
    }

    #[track_caller]
    fn refuses(sample: &str, why: &str) {
        let read = serde_json::from_str(sample).map_err(|error| error.to_string());
        let observe =
            |sample: SampleFile| sample.into_observation().map_err(|error| error.to_string());
        let error = read.and_then(observe).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn samples_that_contradict_themselves_are_refused() {
        refuses(r#"{"iters": [1.0], "times": []}"#, "0 times for 1 samples");
        refuses(r#"{"iters": [], "times": []}"#, "0 times");
        refuses(r#"{"iters": [1.0], "times": [null]}"#, "null");
        refuses(r#"{"iters": [0.0], "times": [1.0]}"#, "inf");
        refuses(r#"{"iters": [1.0], "times": [-4.0]}"#, "-4");
        refuses(r#"{"iters": [-2.0], "times": [-4.0]}"#, "not above zero");
    }

    #[test]
    fn one_call_a_sample_is_told_from_many() {
        let sample = |iters: &str| {
            let file =
                format!(r#"{{"sampling_mode": "Flat", "iters": {iters}, "times": [6.0, 8.0]}}"#);
            let seen =
                serde_json::from_str::<SampleFile>(&file).unwrap().into_observation().unwrap();
            (seen.sampling, seen.samples, seen.calls_per_sample)
        };
        let taken =
            |ns: [f64; 2]| Samples::new(ns.map(|ns| Nanos::new(ns).unwrap()).to_vec()).unwrap();
        assert_eq!(sample("[1.0, 1.0]"), (Sampling::Call, taken([6.0, 8.0]), None));
        let calls = Some(CallsPerSample::Each(vec![2.0, 4.0]));
        assert_eq!(sample("[2.0, 4.0]"), (Sampling::Batch, taken([3.0, 2.0]), calls));
        let calls = Some(CallsPerSample::Same(2.0));
        assert_eq!(sample("[2.0, 2.0]"), (Sampling::Batch, taken([3.0, 4.0]), calls));
    }

    #[test]
    fn a_long_id_is_cut_where_criterion_cuts_it() {
        let id = format!("{}üü", "a".repeat(99));
        assert_eq!(format_title(&id), format!("{}...", "a".repeat(99)));
        assert!(is_cut_title(&format_title(&id)));
        assert!(!is_cut_title("and so on..."));
    }
}
