//! Shows the progress of long work on standard error.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::{MeasureProgress, SampleShortage};
use crate::render::escape_for_terminal;
use crate::render::notes::describe_note;
use crate::rounds;
use crate::session::print::{self, format_plural};

/// Progress on standard error: a bar on a terminal, one line per stage elsewhere.
pub(crate) struct ProgressOutput {
    /// `None` before the launches start, and if standard error is not a terminal.
    bar: Option<ProgressBar>,
    /// Number of planned launches, and the last launch that was printed.
    launches: (u32, Option<u32>),
}

impl ProgressOutput {
    /// Returns an output that has shown nothing yet.
    pub(crate) fn new() -> Self {
        Self { bar: None, launches: (0, None) }
    }

    /// Shows the progress of a measurement.
    pub(crate) fn show_measurement(&mut self, progress: &MeasureProgress) {
        match progress {
            MeasureProgress::Pilot(target) => self.print_line(&format!("pilot launch of {target}")),
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

    /// Shows the progress of the rounds.
    pub(crate) fn show_round(&mut self, progress: &rounds::RoundsProgress) {
        match progress {
            rounds::RoundsProgress::Round { round, undecided: 0 } => {
                self.print_line(&format!("round {round}"));
            }
            rounds::RoundsProgress::Round { round, undecided } => {
                self.print_line(&format!("round {round}: {undecided} undecided"));
            }
            rounds::RoundsProgress::Repeated(note) => self.print_line(&describe_note(note)),
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
