//! Progress of long work, on standard error.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::MeasureProgress;
use crate::rounds;

/// What happens, on standard error: a line that changes on a terminal, one line a stage elsewhere.
pub(super) struct ProgressOutput {
    bar: Option<ProgressBar>,
    /// Launches there will be, and the one that was said last.
    launches: (u32, Option<u32>),
}

impl ProgressOutput {
    /// Nothing has happened yet.
    pub(super) fn new() -> Self {
        Self { bar: None, launches: (0, None) }
    }

    /// How far a measurement is.
    pub(super) fn show_measurement(&mut self, progress: &MeasureProgress) {
        match progress {
            MeasureProgress::Pilot(target) => self.print_line(&format!("pilot launch of {target}")),
            MeasureProgress::Planned { benchmarks, starts, launches } => {
                let subject = match benchmarks {
                    Some(benchmarks) => format!("{benchmarks} benchmarks"),
                    None => "the command".to_owned(),
                };
                self.print_line(&format!(
                    "measuring {subject}: {launches} launches of {starts} processes"
                ));
                self.start_bar(u64::from(*launches) * *starts as u64);
                self.launches = (*launches, None);
            }
            MeasureProgress::Launch { launch, target } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("launch {} of {target}", launch + 1));
                    bar.inc(1);
                } else if self.launches.1 != Some(*launch) {
                    self.launches.1 = Some(*launch);
                    self.print_line(&format!("launch {} of {}", launch + 1, self.launches.0));
                }
            }
            MeasureProgress::Repeated(why) => self.print_line(why),
        }
    }

    /// How far the rounds are.
    pub(super) fn show_round(&mut self, progress: &rounds::RoundsProgress) {
        match progress {
            rounds::RoundsProgress::Round { round, undecided: 0 } => {
                self.print_line(&format!("round {round}"));
            }
            rounds::RoundsProgress::Round { round, undecided } => {
                self.print_line(&format!("round {round}: {undecided} undecided"));
            }
            rounds::RoundsProgress::Repeated(why) => self.print_line(why),
        }
    }

    /// Drawn when a process starts and not by a timer: nothing else may run while it measures.
    fn start_bar(&mut self, starts: u64) {
        if !io::stderr().is_terminal() {
            return;
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
        let bar = ProgressBar::new(starts);
        self.bar = Some(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)));
    }

    #[expect(clippy::print_stderr, reason = "progress goes to standard error")]
    /// One line.
    pub(super) fn print_line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Clears the line that changes.
    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
