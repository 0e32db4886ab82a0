//! Starts another harness once per launch, and reads with an adapter what it prints or writes.

use std::path::{Path, PathBuf};

use super::adapter::{
    AdapterChoice, AdapterError, AdapterRun, list_load_conditions, merge_launches,
};
use super::command::{build_shell_command, make_whole_command_id, quote_word, quote_words};
use super::side_lines::{LINES_VARIABLE, SideLines};
use super::soak::list_course_notes;
use super::{Effort, LaunchJob, LaunchResult, MeasureError};
use crate::note::{FailureReason, Note};
use crate::process::{self, Interrupt, OutputStream, StderrTarget};
use crate::run::{BenchmarkFailure, BenchmarkId};

/// What stands in the words of a command for the path of the file that it writes.
const OUTPUT_PLACE: &str = "{out}";
/// What stands in the words of a command for the seconds that a launch should last.
const DURATION_PLACE: &str = "{duration}";
/// Most entries that a note names.
const MAX_NAMED_ENTRIES: usize = 3;

/// A command that starts another harness, and the adapter for its output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HarnessCommand {
    words: Vec<String>,
    adapter: AdapterChoice,
    /// Folder that it is started in; `None` for the current folder.
    folder: Option<PathBuf>,
}

impl HarnessCommand {
    /// Creates a command from `words`. A single word is a script for `sh`; several words are a
    /// program and its arguments. In both, `{out}` is the path of a file for each launch, and
    /// `{duration}` the seconds that it should last.
    pub(crate) fn new(words: Vec<String>, adapter: AdapterChoice) -> Self {
        Self { words, adapter, folder: None }
    }

    /// Returns the command, to be started in `folder`.
    pub(crate) fn in_folder(&self, folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..self.clone() }
    }

    /// Returns the folder that it is started in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or(Path::new("."))
    }

    /// Returns the name of the adapter that reads its output.
    pub(crate) fn adapter(&self) -> &'static str {
        self.adapter.describe()
    }

    /// Starts the command once and reads its output: the file that `{out}` stands for if the words
    /// have it, and else standard output. All of it is one launch.
    ///
    /// # Errors
    ///
    /// Fails if the command cannot be started or perfgate was asked to end. A command that fails or
    /// whose output cannot be read is a failed benchmark in the result.
    pub(super) fn launch_job(
        &self,
        job: &LaunchJob,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<LaunchResult, MeasureError> {
        let folder = interrupt.create_temporary_folder()?;
        let [path, side_path] = ["out", "lines"].map(|name| folder.path().join(name));
        let writes_file = self.words.iter().any(|word| word.contains(OUTPUT_PLACE));
        let mut command = build_shell_command(&self.format_script(&path, effort), job, effort);
        command.env(LINES_VARIABLE, &side_path);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let mut printed = Vec::new();
        let ended = process::run_process(
            &mut command,
            StderrTarget::Lines,
            effort.timeout,
            interrupt,
            |line| {
                if line.stream == OutputStream::Stdout && !writes_file {
                    printed.extend_from_slice(line.bytes);
                    printed.push(b'\n');
                }
                true
            },
        )?;
        let read = if writes_file {
            self.adapter.read_path(&path)
        } else {
            self.adapter.parse_bytes(&printed)
        };
        let beside = SideLines::read_file(&side_path);
        let failure = ended.to_failure(effort.timeout);
        Ok(self.make_result(job.ids.as_deref(), read, beside, failure, ended.output))
    }

    /// Returns the command as a script, with `path` in each place of the file, and the duration in
    /// its places if there is one.
    fn format_script(&self, path: &Path, effort: &Effort) -> String {
        let path = path.display().to_string();
        let fill = |word: &str, path: &str| {
            let word = word.replace(OUTPUT_PLACE, path);
            match effort.duration {
                Some(duration) => word.replace(DURATION_PLACE, &duration.as_secs_f64().to_string()),
                None => word,
            }
        };
        match self.words.as_slice() {
            [script] => fill(script, &quote_word(&path)),
            words => {
                let words: Vec<String> = words.iter().map(|word| fill(word, &path)).collect();
                quote_words(&words)
            }
        }
    }

    /// Returns the benchmarks that were read, limited to the `requested` ones. If the command
    /// failed or its output cannot be read, each requested benchmark that is missing and the command
    /// itself have failed.
    fn make_result(
        &self,
        requested: Option<&[String]>,
        read: Result<AdapterRun, AdapterError>,
        beside: Result<SideLines, FailureReason>,
        failure: Option<BenchmarkFailure>,
        output: String,
    ) -> LaunchResult {
        let mut launched = LaunchResult::default();
        let (mut beside, invalid_line) = match beside {
            Ok(beside) => (beside, None),
            Err(reason) => (SideLines::default(), Some(reason)),
        };
        let failure = failure
            .or_else(|| Some(BenchmarkFailure { reason: invalid_line?, output: output.clone() }));
        // What the script states counts before what its words show.
        for (key, value) in list_load_conditions(self.adapter, &self.words) {
            beside.conditions.entry(key).or_insert(value);
        }
        // Why a process failed also explains why it wrote nothing that can be read.
        let failure = match read {
            Ok(run) => {
                launched.notes.extend(describe_left_out(&run));
                launched.benchmarks = merge_launches(run.launches);
                beside.add_to(&mut launched.benchmarks);
                launched.notes.extend(list_course_notes(&launched.benchmarks));
                failure
            }
            Err(error) => failure.or_else(|| {
                let adapter = self.adapter.describe().to_owned();
                let reason = FailureReason::UnreadableOutput { adapter, cause: error.to_string() };
                Some(BenchmarkFailure { reason, output })
            }),
        };
        if let Some(wanted) = requested {
            launched.benchmarks.retain(|(id, _)| wanted.contains(&id.name));
        }
        let Some(failure) = failure else { return launched };
        let is_absent =
            |name: &&String| launched.benchmarks.iter().all(|(seen, _)| seen.name != **name);
        let missing: Vec<BenchmarkId> = requested
            .unwrap_or_default()
            .iter()
            .filter(is_absent)
            .map(|name| BenchmarkId { name: name.clone(), package: None })
            .collect();
        let failed = missing.into_iter().chain([make_whole_command_id()]);
        launched.benchmarks.extend(failed.map(|id| (id, Err(failure.clone()))));
        launched
    }
}

/// Returns the note that entries were left out because they are not times, if there are any.
pub(crate) fn describe_left_out(run: &AdapterRun) -> Option<Note> {
    (!run.left_out.is_empty()).then(|| Note::EntriesLeftOut {
        adapter: run.harness.clone(),
        entries: run.left_out.iter().take(MAX_NAMED_ENTRIES).cloned().collect(),
        count: run.left_out.len() as u64,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::plan::MeasureMode;
    use crate::run::CallsPerSample;

    fn launch(words: &[&str], adapter: &str, ids: Option<&[&str]>) -> LaunchResult {
        launch_with(words, adapter, ids, &Effort::default())
    }

    fn launch_with(
        words: &[&str],
        adapter: &str,
        ids: Option<&[&str]>,
        effort: &Effort,
    ) -> LaunchResult {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let adapter = AdapterChoice::find_choice(adapter).unwrap();
        let ids = ids.map(|ids| ids.iter().map(|&id| id.to_owned()).collect());
        let mode = MeasureMode::Batch;
        let job = LaunchJob { package: None, target: None, ids, mode, launch_time: Duration::ZERO };
        let command = HarnessCommand::new(words, adapter);
        command.launch_job(&job, effort, &Interrupt::default()).unwrap()
    }

    #[test]
    fn a_harness_learns_how_many_calls_are_asked_for() {
        let script = r#"echo "Benchmark${PERFGATE_CALLS:-None} 1 5 ns/op""#;
        for (calls, id) in [(Some(70), "Benchmark70"), (None, "BenchmarkNone")] {
            let effort = Effort { calls, ..Effort::default() };
            let launched = launch_with(&[script], "go", None, &effort);
            assert_eq!(&*launched.benchmarks[0].0.name, id);
        }
    }

    const TWO_COUNTS: &str = r"printf 'BenchmarkA\t10\t5.0 ns/op\nBenchmarkA\t20\t7.0 ns/op\n'";

    #[test]
    fn what_one_start_prints_is_one_launch() {
        let launched = launch(&[TWO_COUNTS], "go", None);
        let [(id, observed)] = &launched.benchmarks[..] else { panic!("{launched:?}") };
        let observation = observed.as_ref().unwrap();
        assert_eq!((&*id.name, observation.samples.len()), ("BenchmarkA", 2));
        assert_eq!(observation.calls_per_sample, CallsPerSample::new(vec![10.0, 20.0]));
    }

    #[test]
    fn a_file_has_its_place_in_a_script_and_in_words() {
        let script = format!("{TWO_COUNTS} > {{out}}; echo noise");
        assert_eq!(launch(&[&script], "auto", None).benchmarks.len(), 1);
        let words =
            ["sh", "-c", "echo \"BenchmarkA 1 5 ns/op\" > \"${1#--to=}\"", "x", "--to={out}"];
        assert_eq!(launch(&words, "go", None).benchmarks.len(), 1);
    }

    #[track_caller]
    fn fails(script: &str, adapter: &str, reason: &FailureReason) {
        let launched = launch(&[script], adapter, Some(&["a"]));
        let failed: Vec<_> = launched
            .benchmarks
            .iter()
            .map(|(id, observed)| (&*id.name, &observed.as_ref().unwrap_err().reason))
            .collect();
        assert_eq!(failed, [("a", reason), ("command", reason)]);
    }

    #[test]
    fn output_that_cannot_be_read_fails_by_name() {
        let unreadable = |adapter: &str, cause: &str| FailureReason::UnreadableOutput {
            adapter: adapter.to_owned(),
            cause: cause.to_owned(),
        };
        fails("echo words", "go", &unreadable("go", "it has no benchmark"));
        let cause = "it is not a file of a harness that perfgate recognizes";
        fails("echo words", "auto", &unreadable("auto", cause));
        fails("echo words; exit 3", "go", &FailureReason::Exited { status: 3 });
        let missing = "No such file or directory (os error 2)";
        fails("echo {out}", "go", &unreadable("go", missing));
    }

    #[test]
    fn entries_that_are_not_times_are_noted() {
        let script = r#"echo '[{"name": "a", "unit": "ms", "value": 1}, {"name": "b", "unit": "KiB", "value": 1}]'"#;
        let launched = launch(&[script], "smaller-is-better", None);
        let entries = vec!["b (KiB)".to_owned()];
        let adapter = "smaller-is-better".to_owned();
        assert_eq!(launched.notes, [Note::EntriesLeftOut { adapter, entries, count: 1 }]);
        assert_eq!(launched.benchmarks.len(), 1);
    }
}
