//! A drift of a benchmark's level on one host, in the units that people read.

use serde::{Deserialize, Serialize};

use super::night::Night;
use crate::stats::drift::LevelDrift;

const SECONDS_PER_WEEK: f64 = 7.0 * 86_400.0;

/// A stretch of runs on one host in which the level rises or falls from run to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrackDrift {
    /// Index of the first run of the stretch, among the runs of the host.
    pub(crate) start: usize,
    /// Index after the last run of the stretch, among the runs of the host.
    pub(crate) end: usize,
    /// Night of the first run of the stretch.
    pub(crate) first: usize,
    /// Night of the last run of the stretch.
    pub(crate) last: usize,
    /// Whether the last run of the host is in the stretch.
    pub(crate) is_ongoing: bool,
    /// Whether the level rose and no later level is back at the one before.
    pub(crate) is_open: bool,
    /// How fast the level drifts.
    pub(crate) pace: DriftPace,
    /// P-value of the test whether there is a drift in the stretch.
    pub(crate) p_value: f64,
}

/// How fast a level drifts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DriftPace {
    /// Level of a run ÷ level of the run before.
    pub(crate) per_run: f64,
    /// 95 % interval of that ratio.
    pub(crate) per_run_interval: (f64, f64),
    /// Level ÷ level a week before, at the pace of the stretch; `None` if its runs have the same
    /// time.
    pub(crate) per_week: Option<f64>,
    /// 95 % interval of that ratio.
    pub(crate) per_week_interval: Option<(f64, f64)>,
    /// Level at the end of the stretch ÷ level at its start.
    pub(crate) total: f64,
}

impl TrackDrift {
    /// Returns the drift of a host whose runs were made on `run_nights`, which are indices of
    /// `nights`. The caller decides whether it is open.
    pub(super) fn from_level_drift(
        found: &LevelDrift,
        run_nights: &[usize],
        nights: &[Night],
    ) -> Self {
        let (first, last) = (run_nights[found.start], run_nights[found.end - 1]);
        let seconds = nights[last].created.as_second() - nights[first].created.as_second();
        let weeks = seconds as f64 / SECONDS_PER_WEEK;
        let runs_per_week = (found.end - 1 - found.start) as f64 / weeks;
        let to_weekly = |per_run: f64| (weeks > 0.0).then(|| per_run.powf(runs_per_week));
        let (low, high) = found.interval;
        Self {
            start: found.start,
            end: found.end,
            first,
            last,
            is_ongoing: found.end == run_nights.len(),
            is_open: false,
            pace: DriftPace {
                per_run: found.ratio,
                per_run_interval: found.interval,
                per_week: to_weekly(found.ratio),
                per_week_interval: to_weekly(low).zip(to_weekly(high)),
                total: found.total_ratio(),
            },
            p_value: found.p_value,
        }
    }
}
