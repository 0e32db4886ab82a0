//! Progress of long work, on standard error.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::Progress;
use crate::rounds;

/// What happens, on standard error: a line that changes on a terminal, one line a stage elsewhere.
pub(super) struct Stages {
    bar: Option<ProgressBar>,
    /// Launches there will be, and the one that was said last.
    launches: (u32, Option<u32>),
}

impl Stages {
    /// Nothing has happened yet.
    pub(super) fn new() -> Self {
        Self { bar: None, launches: (0, None) }
    }

    /// How far a measurement is.
    pub(super) fn show(&mut self, progress: &Progress) {
        match progress {
            Progress::Pilot(target) => self.say(&format!("pilot launch of {target}")),
            Progress::Planned { benchmarks, starts, launches } => {
                let what = match benchmarks {
                    Some(benchmarks) => format!("{benchmarks} benchmarks"),
                    None => "the command".to_owned(),
                };
                self.say(&format!("measuring {what}: {launches} launches of {starts} processes"));
                self.begin(u64::from(*launches) * *starts as u64);
                self.launches = (*launches, None);
            }
            Progress::Launch { launch, target } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("launch {} of {target}", launch + 1));
                    bar.inc(1);
                } else if self.launches.1 != Some(*launch) {
                    self.launches.1 = Some(*launch);
                    self.say(&format!("launch {} of {}", launch + 1, self.launches.0));
                }
            }
            Progress::Repeated(why) => self.say(why),
        }
    }

    /// How far the rounds are.
    pub(super) fn round(&mut self, progress: &rounds::Progress) {
        match progress {
            rounds::Progress::Round { round, undecided: 0 } => self.say(&format!("round {round}")),
            rounds::Progress::Round { round, undecided } => {
                self.say(&format!("round {round}: {undecided} undecided"));
            }
            rounds::Progress::Repeated(why) => self.say(why),
        }
    }

    /// Drawn when a process starts and not by a timer: nothing else may run while it measures.
    fn begin(&mut self, starts: u64) {
        if !io::stderr().is_terminal() {
            return;
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
        let bar = ProgressBar::new(starts);
        self.bar = Some(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)));
    }

    #[expect(clippy::print_stderr, reason = "progress goes to standard error")]
    /// One line.
    pub(super) fn say(&self, line: &str) {
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
