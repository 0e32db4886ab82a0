//! The process starts of a launch.

use std::time::Duration;

use super::{MeasureMode, PlannedBenchmark, ProcessName};
use crate::run::BenchmarkId;

/// Longest filter in bytes that is passed to a bench: systems limit one argument to 128 KiB.
pub(in crate::measure) const MAX_FILTER_BYTES: usize = 100_000;

/// One process start of a launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaunchJob {
    /// The package of the bench target; `None` for a command.
    pub(crate) package: Option<String>,
    /// The bench target that is started; `None` for a command.
    pub(crate) target: Option<String>,
    /// Ids of the benchmarks to measure; `None` for all that the process has.
    pub(crate) ids: Option<Vec<String>>,
    /// How the benchmarks are measured.
    pub(crate) mode: MeasureMode,
    /// Least time of the calls of each benchmark.
    pub(crate) launch_time: Duration,
}

impl LaunchJob {
    /// Returns the process that is started.
    pub(crate) fn process(&self) -> ProcessName {
        (self.package.clone(), self.target.clone())
    }

    /// Returns the name of the started process, as progress and warnings show it.
    pub(crate) fn name(&self) -> String {
        match (&self.target, &self.package) {
            (Some(target), Some(package)) => format!("{target} ({package})"),
            (Some(target), None) => target.clone(),
            (None, _) => "command".to_owned(),
        }
    }

    /// Returns the job without the benchmarks that have failed, or `None` if none is left.
    #[must_use]
    pub(crate) fn exclude_failed(&self, has_failed: impl Fn(&BenchmarkId) -> bool) -> Option<Self> {
        let Some(ids) = &self.ids else {
            return (!has_failed(&crate::measure::command::make_whole_command_id()))
                .then(|| self.clone());
        };
        let package = &self.package;
        let ids = ids.iter().filter(|id| {
            !has_failed(&BenchmarkId { name: (*id).clone(), package: package.clone() })
        });
        let ids: Vec<String> = ids.cloned().collect();
        (!ids.is_empty()).then(|| Self { ids: Some(ids), ..self.clone() })
    }
}
/// Splits benchmarks of one process that are measured in the same way into starts whose filters are
/// short enough.
pub(super) fn split_into_jobs(planned: &[&PlannedBenchmark]) -> Vec<LaunchJob> {
    let mut jobs: Vec<LaunchJob> = Vec::new();
    let mut length = 0;
    for planned in planned {
        // Escaping makes an id at most twice as long.
        length += 2 * planned.id.name.len() + 1;
        let id = planned.id.name.clone();
        match jobs.last_mut().and_then(|job| job.ids.as_mut()) {
            Some(ids) if length <= MAX_FILTER_BYTES => ids.push(id),
            _ => {
                length = 2 * planned.id.name.len() + 1;
                jobs.push(LaunchJob {
                    package: planned.id.package.clone(),
                    target: planned.target.clone(),
                    ids: Some(vec![id]),
                    mode: planned.mode,
                    launch_time: planned.launch_time,
                });
            }
        }
    }
    jobs
}
