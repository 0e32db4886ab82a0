//! Measures with any command that prints samples, one JSON object per line. The protocol is
//! described in `docs/command-source.md`.

mod counts;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde::Deserialize;

pub(crate) use self::counts::{CommandCount, CommandProfile, profile_command};
use super::effort::Effort;
use super::side_lines::SideLines;
use super::soak::{add_latency_growth, list_course_notes};
use super::{CallAmounts, LaunchJob, LaunchResult, MeasureError, Observation, ObservedBenchmarks};
use crate::note::FailureReason;
use crate::process::{self, Interrupt, OutputStream, StderrTarget};
use crate::run::{BenchmarkFailure, BenchmarkId, CallsPerSample, Samples, Sampling};
use crate::units::Nanos;

/// Environment variable that holds the requested benchmark ids, one per line.
pub(super) const ONLY_VARIABLE: &str = "PERFGATE_ONLY";
/// Environment variable that holds the number of calls that is asked for per benchmark. It is not set
/// if the user asks for none.
pub(super) const CALLS_VARIABLE: &str = "PERFGATE_CALLS";
/// Environment variable with the seconds that a launch should last. It is not set by perfgate if the
/// user does not ask for a duration.
const DURATION_VARIABLE: &str = "PERFGATE_DURATION";
/// Environment variable with the time at which perfgate began to start the command, in nanoseconds of
/// the monotonic clock.
pub(super) const STARTED_VARIABLE: &str = "PERFGATE_STARTED_NS";
/// Id of the benchmark that fails if a failure belongs to none of the printed benchmarks.
const WHOLE_COMMAND_ID: &str = "command";

/// A shell command that prints samples, run by `sh -c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SampleCommand {
    script: String,
    /// Folder that it is started in; `None` for the current folder.
    folder: Option<PathBuf>,
}

/// Returns the command that starts `script` for the benchmarks of `job`, with the number of calls
/// and the duration of `effort` if it asks for them.
pub(super) fn build_shell_command(script: &str, job: &LaunchJob, effort: &Effort) -> Command {
    let mut command = build_script_command(script, job.ids.as_deref(), effort.calls);
    if let Some(duration) = effort.duration {
        command.env(DURATION_VARIABLE, duration.as_secs_f64().to_string());
    }
    command
}

/// Returns the command that starts `script` for the benchmarks with these `ids`, or for all, with
/// this number of `calls` if one is asked for.
fn build_script_command(script: &str, ids: Option<&[String]>, calls: Option<u32>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).env_remove(ONLY_VARIABLE).env_remove(CALLS_VARIABLE);
    if let Some(ids) = ids {
        command.env(ONLY_VARIABLE, ids.join("\n"));
    }
    if let Some(calls) = calls {
        command.env(CALLS_VARIABLE, calls.to_string());
    }
    command.env(STARTED_VARIABLE, process::read_monotonic_clock().as_nanos().to_string());
    command
}

/// A line with the samples of one benchmark.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleLine {
    id: String,
    samples_ns: Vec<f64>,
    #[serde(default = "default_sampling")]
    sampling: Sampling,
    #[serde(default)]
    calls_per_sample: Option<CallsPerSample>,
    #[serde(default)]
    elements: Option<f64>,
    #[serde(default)]
    per_call: BTreeMap<String, f64>,
    #[serde(default)]
    metrics: BTreeMap<String, f64>,
    #[serde(default)]
    conditions: BTreeMap<String, String>,
    /// Seconds at which the calls began, on any clock.
    #[serde(default)]
    starts_s: Vec<f64>,
}

impl SampleLine {
    /// Checks the values of the line. Returns its id, and the observation or why it is not one.
    fn into_observation(self) -> (String, Result<Observation, FailureReason>) {
        let refuse = |cause: String| FailureReason::InvalidSample { cause };
        let Self {
            id,
            samples_ns,
            sampling,
            calls_per_sample,
            elements,
            per_call,
            mut metrics,
            conditions,
            starts_s,
        } = self;
        let count = samples_ns.len();
        let samples = samples_ns.into_iter().map(Nanos::new).collect::<Result<Vec<_>, _>>();
        let observe = || {
            let samples = samples.map_err(|error| refuse(error.to_string()))?;
            let samples = Samples::new(samples).ok_or(FailureReason::EmptySamples)?;
            let amounts = elements.iter().chain(per_call.values());
            if !amounts.copied().all(|amount| amount.is_finite() && amount > 0.0) {
                return Err(refuse("an amount per call is not above zero".to_owned()));
            }
            if !metrics.values().all(|figure| figure.is_finite() && *figure >= 0.0) {
                return Err(refuse("a metric is negative".to_owned()));
            }
            if !starts_s.is_empty() && starts_s.len() != count {
                let starts = starts_s.len();
                return Err(refuse(format!("{starts} starts and {count} samples")));
            }
            add_latency_growth(&mut metrics, &starts_s, &samples);
            let calls_per_sample = calls_per_sample.map(|calls| calls.check(count)).transpose();
            Ok(Observation {
                sampling,
                samples,
                calls_per_sample: calls_per_sample.map_err(refuse)?,
                amounts: CallAmounts { elements, per_call },
                metrics,
                conditions: Arc::new(conditions),
            })
        };
        (id, observe())
    }
}

/// A line with which the command fails a benchmark.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FailureLine {
    failure: String,
    id: String,
}

fn default_sampling() -> Sampling {
    Sampling::Call
}

/// Returns the id of the benchmark that fails if a command fails as a whole.
pub(super) fn make_whole_command_id() -> BenchmarkId {
    make_benchmark_id(WHOLE_COMMAND_ID.to_owned())
}

fn make_benchmark_id(id: String) -> BenchmarkId {
    BenchmarkId { name: id, package: None }
}

impl SampleCommand {
    /// Creates a command from a script for `sh`.
    pub(crate) fn new(script: String) -> Self {
        Self { script, folder: None }
    }

    /// Returns the command, to be started in `folder`.
    pub(crate) fn start_in_folder(&self, folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..self.clone() }
    }

    /// Creates a command from `words`. A single word is a whole script; several words are a program
    /// and its arguments, which the shell does not change.
    pub(crate) fn from_words(words: &[String]) -> Self {
        match words {
            [text] => Self::new(text.clone()),
            words => Self::new(quote_words(words)),
        }
    }

    /// Starts the command once.
    ///
    /// # Errors
    ///
    /// Fails if the command cannot be started or perfgate was asked to end. A command that fails or
    /// prints invalid lines is a failed benchmark in the result.
    pub(super) fn launch_job(
        &self,
        job: &LaunchJob,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<LaunchResult, MeasureError> {
        let mut command = build_shell_command(&self.script, job, effort);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let mut printed = SampleParser::default();
        let ended = process::run_process(
            &mut command,
            StderrTarget::Lines,
            effort.timeout,
            interrupt,
            |line| line.stream == OutputStream::Stderr || !printed.take_line(line.bytes),
        )?;
        let failure = ended.to_failure(effort.timeout);
        let benchmarks = printed.into_observed(job.ids.as_deref(), failure, &ended.output);
        let notes = list_course_notes(&benchmarks);
        Ok(LaunchResult { benchmarks, notes, ..LaunchResult::default() })
    }
}

/// Returns whether `output` is what a command prints: lines of samples and nothing else.
#[cfg(feature = "internals")]
pub(crate) fn is_sample_output(output: &[u8]) -> bool {
    let mut printed = SampleParser::default();
    let are_lines = output.split(|byte| *byte == b'\n').all(|line| printed.take_line(line));
    let observed = printed.into_observed(None, None, "");
    are_lines && observed.iter().all(|(_, observed)| observed.is_ok())
}

/// Parses the lines that one launch prints.
#[derive(Default)]
struct SampleParser {
    line_count: u64,
    beside: SideLines,
    seen: HashSet<String>,
    observed: ObservedBenchmarks,
    first_invalid: Option<FailureReason>,
}

impl SampleParser {
    /// Parses one line of standard output. Returns false if the line does not follow the protocol.
    fn take_line(&mut self, line: &[u8]) -> bool {
        self.line_count += 1;
        if line.trim_ascii().is_empty() {
            return true;
        }
        // Serde would also read the fields of an object from an array.
        if line.trim_ascii_start().starts_with(b"[") {
            let cause = "it is an array instead of an object".to_owned();
            let invalid = FailureReason::InvalidLine { line: self.line_count, cause };
            self.first_invalid.get_or_insert(invalid);
            return false;
        }
        if self.beside.take_line(line) {
            return true;
        }
        if let Ok(FailureLine { failure, id }) = serde_json::from_slice(line) {
            self.add_result(id, Err(FailureReason::Reported { sentence: failure }));
            return true;
        }
        match serde_json::from_slice::<SampleLine>(line) {
            Ok(line) => {
                let (id, observed) = line.into_observation();
                self.add_result(id, observed);
                true
            }
            Err(error) => {
                let line = self.line_count;
                self.first_invalid.get_or_insert_with(|| FailureReason::InvalidLine {
                    line,
                    cause: error.to_string(),
                });
                false
            }
        }
    }

    /// Adds the result of one line. The benchmark fails if it was already printed in this launch.
    fn add_result(&mut self, id: String, observed: Result<Observation, FailureReason>) {
        let is_first = self.seen.insert(id.clone());
        if !is_first {
            self.observed.retain(|(seen, _)| seen.name != id);
        }
        let observed = if is_first { observed } else { Err(FailureReason::PrintedTwice) };
        let observed =
            observed.map_err(|reason| BenchmarkFailure { reason, output: String::new() });
        self.observed.push((make_benchmark_id(id), observed));
    }

    /// Returns the printed benchmarks, limited to the `requested` ones. If the command failed, also
    /// returns a failure for each requested benchmark that is missing and for the command itself.
    fn into_observed(
        self,
        requested: Option<&[String]>,
        failure: Option<BenchmarkFailure>,
        output: &str,
    ) -> ObservedBenchmarks {
        let Self { beside, seen, mut observed, first_invalid, .. } = self;
        beside.add_to(&mut observed);
        let reason =
            first_invalid.or_else(|| seen.is_empty().then_some(FailureReason::NoSamplesPrinted));
        let failure = failure
            .or_else(|| Some(BenchmarkFailure { reason: reason?, output: output.to_owned() }));
        if let Some(wanted) = requested {
            observed.retain(|(id, _)| wanted.contains(&id.name));
        }
        let Some(failure) = failure else {
            return observed;
        };
        let missing = requested.unwrap_or_default().iter().filter(|id| !seen.contains(*id));
        let failed = missing.cloned().map(make_benchmark_id).chain([make_whole_command_id()]);
        observed.extend(failed.map(|id| (id, Err(failure.clone()))));
        observed
    }
}

/// Quotes `words` so that a shell reads them back unchanged.
pub(crate) fn quote_words(words: &[String]) -> String {
    words.iter().map(|word| quote_word(word)).collect::<Vec<_>>().join(" ")
}

/// Quotes `word` if a shell would change it.
pub(super) fn quote_word(word: &str) -> String {
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c));
    if is_plain && !word.is_empty() {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::LaunchPlan;

    fn launch(script: &str, ids: Option<&[&str]>) -> ObservedBenchmarks {
        let ids = ids.map(|ids| ids.iter().map(|&id| id.to_owned()).collect());
        let job = LaunchJob { ids, ..LaunchPlan::default().list_jobs().remove(0) };
        let command = SampleCommand::new(script.to_owned());
        let launched = command.launch_job(&job, &Effort::default(), &Interrupt::default());
        launched.unwrap().benchmarks
    }

    #[test]
    fn what_a_call_handles_and_how_many_calls_a_sample_has_are_read() {
        let line = r#"{"id": "a", "samples_ns": [1, 2], "sampling": "batch", "calls_per_sample": [10, 20],
                       "elements": 8, "per_call": {"tokens": 128}, "metrics": {"peak_rss_bytes": 4.1e7}}"#;
        let observed = launch(&format!("echo '{}'", line.replace('\n', " ")), None);
        let observation = observed[0].1.as_ref().unwrap();
        assert_eq!(observation.calls_per_sample, CallsPerSample::new(vec![10.0, 20.0]));
        assert_eq!(observation.amounts.elements, Some(8.0));
        assert_eq!(observation.amounts.per_call, BTreeMap::from([("tokens".to_owned(), 128.0)]));
        assert_eq!(observation.metrics, BTreeMap::from([("peak_rss_bytes".to_owned(), 4.1e7)]));
        for wrong in [
            r#""calls_per_sample": [10]"#,
            r#""calls_per_sample": 0"#,
            r#""elements": 0"#,
            r#""per_call": {"tokens": -1}"#,
            r#""metrics": {"a": -1}"#,
        ] {
            let observed =
                launch(&format!(r#"echo '{{"id": "a", "samples_ns": [1, 2], {wrong}}}'"#), None);
            let reason = &observed[0].1.as_ref().unwrap_err().reason;
            assert!(matches!(reason, FailureReason::InvalidSample { .. }), "{wrong}: {reason:?}");
        }
    }

    #[test]
    fn a_line_that_is_an_array_is_not_a_line_of_samples() {
        let cause = "it is an array instead of an object".to_owned();
        let reason = FailureReason::InvalidLine { line: 1, cause };
        fails(r#"echo '["a", [100, 101]]'"#, WHOLE_COMMAND_ID, &reason);
    }

    #[test]
    fn a_command_fails_a_benchmark_by_name() {
        let sentence = "outputs differ".to_owned();
        let line = r#"echo '{"failure": "outputs differ", "id": "a"}'"#;
        fails(line, "a", &FailureReason::Reported { sentence });
    }

    #[track_caller]
    fn fails(script: &str, id: &str, reason: &FailureReason) {
        let observed = launch(script, None);
        let failed: Vec<_> = observed
            .into_iter()
            .filter_map(|(id, observed)| Some((id.name, observed.err()?.reason)))
            .collect();
        assert_eq!(failed, [(id.to_owned(), reason.clone())]);
    }

    #[test]
    fn samples_are_taken_as_they_are() {
        let observed = launch(
            r#"echo '{"id": "a b", "samples_ns": [3, 1.5]}'; echo
               echo '{"id": "c", "samples_ns": [2], "sampling": "batch"}'"#,
            None,
        );
        let seen: Vec<_> = observed
            .into_iter()
            .map(|(id, observed)| (id.name, observed.unwrap()))
            .map(|(id, seen)| (id, seen.sampling, seen.samples.iter().map(|ns| ns.get()).collect()))
            .collect::<Vec<(String, Sampling, Vec<f64>)>>();
        let expected = [
            ("a b".to_owned(), Sampling::Call, vec![3.0, 1.5]),
            ("c".to_owned(), Sampling::Batch, vec![2.0]),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn conditions_hold_for_the_launch_and_a_benchmark_replaces_them() {
        let observed = launch(
            r#"echo '{"id": "a", "samples_ns": [1]}'
               echo '{"conditions": {"threads": "1", "provider": "cpu"}}'
               echo '{"id": "b", "samples_ns": [1], "conditions": {"threads": "4"}}'"#,
            None,
        );
        let conditions: Vec<_> =
            observed.into_iter().map(|(_, observed)| observed.unwrap().conditions).collect();
        let expect = |threads: &str| {
            let pairs = [("threads", threads), ("provider", "cpu")];
            Arc::new(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
        };
        assert_eq!(conditions, [expect("1"), expect("4")]);
    }

    #[test]
    fn the_command_is_told_what_is_wanted_and_the_rest_is_dropped() {
        let script = r#"for id in $PERFGATE_ONLY more; do echo "{\"id\": \"$id\", \"samples_ns\": [1]}"; done"#;
        let ids = |observed: ObservedBenchmarks| {
            observed.into_iter().map(|(id, _)| id.name).collect::<Vec<_>>()
        };
        assert_eq!(ids(launch(script, Some(&["a", "b"]))), ["a", "b"]);
        assert_eq!(ids(launch(script, None)), ["more"]);
    }

    #[test]
    fn what_breaks_the_protocol_fails_by_name() {
        let good = r#"{"id": "a", "samples_ns": [1]}"#;
        let invalid_line =
            |line, cause: &str| FailureReason::InvalidLine { line, cause: cause.to_owned() };
        fails(&format!("echo '{good}'; echo '{good}'"), "a", &FailureReason::PrintedTwice);
        fails(r#"echo '{"id": "a", "samples_ns": []}'"#, "a", &FailureReason::EmptySamples);
        let cause = "`-1` is not a finite number of nanoseconds, zero or more".to_owned();
        let invalid_sample = FailureReason::InvalidSample { cause };
        fails(r#"echo '{"id": "a", "samples_ns": [-1]}'"#, "a", &invalid_sample);
        let script = format!("echo '{good}'; echo noise");
        fails(&script, "command", &invalid_line(2, "expected ident at line 1 column 2"));
        let unknown = "unknown field `x`, expected one of `id`, `samples_ns`, `sampling`, \
                       `calls_per_sample`, `elements`, `per_call`, `metrics`, `conditions`, \
                       `starts_s` at line 1 column 34";
        let script = r#"echo '{"id": "a", "samples_ns": [1], "x": 1}'"#;
        fails(script, "command", &invalid_line(1, unknown));
        fails("exit 0", "command", &FailureReason::NoSamplesPrinted);
        let script = format!("echo '{good}'; exit 3");
        fails(&script, "command", &FailureReason::Exited { status: 3 });
    }

    #[test]
    fn a_failed_command_fails_what_it_was_asked_for() {
        let observed = launch("echo so >&2; exit 3", Some(&["a"]));
        let failed: Vec<_> =
            observed.into_iter().map(|(id, seen)| (id.name, seen.unwrap_err())).collect();
        assert_eq!(failed[0].0, "a");
        assert_eq!(failed[1].0, "command");
        assert_eq!(failed[0].1.output, "so");
    }

    #[test]
    fn words_reach_the_command_as_they_stand() {
        let words = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            SampleCommand::from_words(&words).script
        };
        assert_eq!(words(&["cat x | y"]), "cat x | y");
        assert_eq!(words(&["echo", "a b", "it's", ""]), r"echo 'a b' 'it'\''s' ''");
    }
}
