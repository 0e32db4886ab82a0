//! Shows the progress of long work on standard error.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::{MeasureProgress, SampleShortage};
use crate::render::notes::describe_note;
use crate::render::{escape_for_terminal, format_duration};
use crate::rounds::{LookAnswer, RoundsProgress};
use crate::run::{PilotRecord, PilotedBenchmark};
use crate::session::print::{self, format_plural};

const SECONDS_PER_MINUTE: u64 = 60;

/// Progress on standard error: a bar on a terminal, one line per stage elsewhere.
pub(crate) struct ProgressOutput {
    /// `None` before the launches start, and if standard error is not a terminal.
    bar: Option<ProgressBar>,
    /// Number of planned launches, and the last launch that was printed.
    launches: (u32, Option<u32>),
    /// Whether what the pilot launches found is printed.
    shows_details: bool,
}

impl ProgressOutput {
    /// Returns an output that has shown nothing yet.
    pub(crate) fn new() -> Self {
        Self { bar: None, launches: (0, None), shows_details: false }
    }

    /// Returns this output, which also shows what the pilot launches find if `shows_details` is true.
    #[must_use]
    pub(crate) fn with_details(self, shows_details: bool) -> Self {
        Self { shows_details, ..self }
    }

    /// Shows the progress of a measurement.
    pub(crate) fn show_measurement(&mut self, progress: &MeasureProgress) {
        match progress {
            MeasureProgress::Pilot(target) => self.print_line(&format!("pilot launch of {target}")),
            MeasureProgress::Piloted(records) => self.show_pilot(records),
            MeasureProgress::Planned { benchmarks, starts, launches } => {
                let subject = match benchmarks {
                    Some(benchmarks) => format_plural(*benchmarks, "benchmark"),
                    None => "the command".to_owned(),
                };
                self.print_line(&format!(
                    "measuring {subject}: {} of {}",
                    format_plural(*launches as usize, "launch"),
                    format_plural(*starts, "process")
                ));
                self.start_bar(u64::from(*launches) * *starts as u64);
                self.launches = (*launches, None);
            }
            MeasureProgress::Launch { launch, target } => {
                if let Some(bar) = &self.bar {
                    let message = format!("launch {} of {target}", launch + 1);
                    bar.set_message(print::make_message_safe(&message));
                    bar.inc(1);
                } else if self.launches.1 != Some(*launch) {
                    // Without a bar, print one line per launch, not one per process.
                    self.launches.1 = Some(*launch);
                    let total = self.launches.0.max(launch + 1);
                    self.print_line(&format!("launch {} of {total}", launch + 1));
                }
            }
            MeasureProgress::ShortOfSamples(shortages) => {
                self.show_shortages(shortages);
                let most = shortages.iter().map(|shortage| shortage.launches).max().unwrap_or(0);
                self.print_line(&format!("help: `--launches {most}` gives enough samples"));
            }
            MeasureProgress::NothingSelected(note) | MeasureProgress::Repeated(note) => {
                self.print_line(&describe_note(note));
            }
        }
    }

    /// Shows which targets will stay unproven because there will be too few samples.
    pub(crate) fn show_shortages(&mut self, shortages: &[SampleShortage]) {
        let Some(first) = shortages.first() else { return };
        let more = match shortages.len() - 1 {
            0 => String::new(),
            more => format!(" (and of {} more)", format_plural(more, "benchmark")),
        };
        self.print_line(&format!(
            "a target of `{}` needs {} samples, and {} have {}, so it stays unproven{more}",
            escape_for_terminal(&first.id.name),
            first.needed,
            format_plural(first.most_launches, "launch"),
            first.planned
        ));
    }

    /// Shows what the pilot launches found, if details are shown.
    pub(crate) fn show_pilot(&self, records: &[PilotRecord]) {
        for record in records.iter().filter(|_| self.shows_details) {
            self.print_line(&describe_pilot(record));
            for benchmark in &record.benchmarks {
                self.print_line(&describe_piloted_benchmark(benchmark));
            }
        }
    }

    /// Warns that the budget is too short for the suite. `needed` would be enough.
    pub(crate) fn show_short_budget(&self, limit: Duration, needed: Duration) {
        self.print_line(&format!(
            "a budget of {} is too short for this suite, so some benchmarks may stay undecided",
            format_time(limit)
        ));
        let minutes = needed.as_secs().div_ceil(SECONDS_PER_MINUTE);
        self.print_line(&format!("help: `--budget {minutes}m` is enough, or select with --bench"));
    }

    /// Starts the bar of rounds that may take `limit`.
    pub(crate) fn start_rounds(&mut self, limit: Duration) {
        self.start_bar(limit.as_secs());
    }

    /// Shows the progress of the rounds. Without a bar there is one line per look.
    pub(crate) fn show_round(&mut self, progress: &RoundsProgress) {
        match progress {
            RoundsProgress::Round { round, undecided, left } => {
                let left = left.unwrap_or_default();
                if *round == 1 {
                    self.print_line(&describe_rounds_start(*undecided, left));
                }
                let Some(bar) = &self.bar else { return };
                bar.set_position(bar.length().unwrap_or(0).saturating_sub(left.as_secs()));
                let left = format_time(left);
                bar.set_message(match undecided {
                    0 => format!("round {round}, {left} left"),
                    _ => format!("round {round}: {undecided} undecided, {left} left"),
                });
            }
            RoundsProgress::Looked { rounds, answer, left } => {
                let is_last = answer.undecided.is_empty();
                if answer.is_planned || is_last || !answer.decided.is_empty() {
                    self.print_line(&describe_look(*rounds, answer, *left));
                }
            }
            RoundsProgress::Ended { rounds, answer } => {
                self.print_line(&describe_end(*rounds, answer));
            }
            RoundsProgress::Repeated(note) => self.print_line(&describe_note(note)),
        }
    }

    /// Starts the bar, if standard error is a terminal.
    ///
    /// The bar is drawn when a process starts, not by a timer, because nothing else may run during
    /// a measurement.
    fn start_bar(&mut self, starts: u64) {
        if !io::stderr().is_terminal() {
            return;
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
        let bar = ProgressBar::new(starts);
        self.bar = Some(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)));
    }

    /// Prints one line, above the bar if there is one.
    pub(crate) fn print_line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print::print_note(line)),
            None => print::print_note(line),
        }
    }

    /// Clears the bar.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Returns one line about a look: what it decided, what is left, and the time that is left.
fn describe_look(rounds: u32, answer: &LookAnswer, left: Option<Duration>) -> String {
    let undecided = match answer.undecided.len() {
        0 => String::new(),
        count => format!("; {count} undecided"),
    };
    let left = left.filter(|_| !answer.undecided.is_empty());
    let left = left.map(|left| format!(", {} left", format_time(left))).unwrap_or_default();
    let rounds = format_plural(rounds as usize, "round");
    format!("after {rounds}: {}{undecided}{left}", describe_decided(answer))
}

/// Returns one line about the last look, after which there is no time for a round.
fn describe_end(rounds: u32, answer: &LookAnswer) -> String {
    let undecided = match answer.undecided.len() {
        0 => String::new(),
        1 => "; 1 stays undecided".to_owned(),
        count => format!("; {count} stay undecided"),
    };
    let rounds = format_plural(rounds as usize, "round");
    format!("time is up after {rounds}: {}{undecided}", describe_decided(answer))
}

/// Returns what a look decided, without what is left.
fn describe_decided(answer: &LookAnswer) -> String {
    let mut decided: Vec<String> =
        answer.decided.iter().map(|(change, count)| format!("{count} {}", change.name())).collect();
    if answer.given_up > 0 {
        decided.push(format!("{} given up for lack of time", answer.given_up));
    }
    if decided.is_empty() {
        decided.push("nothing new".to_owned());
    }
    decided.join(", ")
}

/// Returns what the pilot found about a bench target, in one line.
fn describe_pilot(record: &PilotRecord) -> String {
    let long = if record.has_long_setup() { ", much longer than its calls" } else { "" };
    format!(
        "bench `{}`: set-up of {} per launch{long}; {} per benchmark in {}",
        escape_for_terminal(&record.target),
        format_duration(record.setup.get()),
        format_duration(record.launch_time.get()),
        format_plural(record.starts as usize, "start"),
    )
}

fn describe_piloted_benchmark(benchmark: &PilotedBenchmark) -> String {
    let calls = match benchmark.calls {
        Some(calls) => format!("{calls} calls"),
        None => "batches".to_owned(),
    };
    let call = format_duration(benchmark.call.get());
    format!("  {}: {call} per call, {calls} per launch", escape_for_terminal(&benchmark.id))
}

/// Returns a time to wait in minutes and seconds.
fn format_time(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / SECONDS_PER_MINUTE, seconds % SECONDS_PER_MINUTE) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// Starts the bar of one step of `evaluate` on a terminal. Elsewhere prints one line and returns a hidden bar.
pub(crate) fn start_evaluation_bar(label: &str, steps: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        print::print_note(&format!("evaluating {label}"));
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} suites, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps).with_style(style).with_message(label.to_owned())
}

/// Returns the line before the first round of `benchmarks`, or of commands if it is zero. The first
/// round is measured even if no time is left for it.
fn describe_rounds_start(benchmarks: usize, left: Duration) -> String {
    let subject = match benchmarks {
        0 => "the commands".to_owned(),
        count => format_plural(count, "benchmark"),
    };
    if left.as_secs() == 0 {
        return format!("measuring {subject} in one round, because the time is up");
    }
    format!("measuring {subject} in rounds, for at most {}", format_time(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Change;
    use crate::run::BenchmarkId;

    #[test]
    fn a_round_without_time_is_not_announced_as_zero_seconds() {
        let start = |seconds| describe_rounds_start(3, Duration::from_secs(seconds));
        assert_eq!(start(0), "measuring 3 benchmarks in one round, because the time is up");
        assert_eq!(start(17), "measuring 3 benchmarks in rounds, for at most 17 s");
    }

    #[test]
    fn the_look_that_the_clock_forces_has_a_line() {
        let id = BenchmarkId { name: "a".to_owned(), package: None };
        let decided = vec![(Change::Unchanged, 2)];
        let mut answer = LookAnswer { undecided: [id].into(), decided, ..LookAnswer::default() };
        let line = "time is up after 7 rounds: 2 unchanged; 1 stays undecided";
        assert_eq!(describe_end(7, &answer), line);
        answer.undecided.clear();
        assert_eq!(describe_end(1, &answer), "time is up after 1 round: 2 unchanged");
    }
}
