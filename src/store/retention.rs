//! Which runs a prune keeps: those that screens, trend pages and comparisons with releases need.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::civil::Date;

use super::RunKey;
use crate::git::CommitId;

/// Number of days before the newest run of the store of which the last run of each day is kept.
/// Before them, the last run of each week is kept.
const DAYS_WITH_RUNS: i32 = 180;

/// Which runs a prune keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct RetentionPolicy {
    /// Number of newest runs that are kept of each kind.
    pub(crate) newest: usize,
    /// Whether the last run of each day or week is kept too.
    pub(crate) keeps_periods: bool,
    /// Commits whose runs are kept: the releases.
    pub(crate) releases: BTreeSet<CommitId>,
    /// Number of runs below which nothing is removed.
    pub(crate) least_removed: usize,
}

impl RetentionPolicy {
    /// Keeps the `newest` runs of each kind and nothing else.
    #[cfg(test)]
    pub(crate) fn keep_newest(newest: usize) -> Self {
        Self { newest, ..Self::default() }
    }
}

/// Which runs a prune removes, and how many it keeps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PruneSummary {
    /// Keys of the removed runs.
    pub(crate) removed: Vec<RunKey>,
    /// Number of runs that are kept.
    pub(crate) kept_count: usize,
}

/// The periods that have a run already, by kind of run.
type SeenPeriods = HashMap<(String, &'static str), HashSet<KeptPeriod>>;

/// A stretch of time of which one run is kept: the first day of a week, or a day.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum KeptPeriod {
    Day(Date),
    Week(Date),
}

impl KeptPeriod {
    /// Returns the period of a run. `newest` is the day of the newest run of the store.
    fn of_run(day: Date, newest: Date) -> Self {
        if (newest - day).get_days() <= DAYS_WITH_RUNS {
            return Self::Day(day);
        }
        let monday = i32::from(day.weekday().to_monday_zero_offset());
        Self::Week(day.saturating_sub(jiff::Span::new().days(monday)))
    }
}

impl PruneSummary {
    /// Divides the keys, which are ordered newest first, into those that `policy` keeps and the
    /// others.
    pub(super) fn new(keys: Vec<RunKey>, policy: &RetentionPolicy) -> Self {
        let newest_day = keys.first().and_then(parse_day);
        let mut counts: HashMap<(String, &'static str), usize> = HashMap::new();
        let mut seen_periods = SeenPeriods::default();
        let total = keys.len();
        let (kept, removed) = keys.into_iter().partition::<Vec<_>, _>(|key| {
            let kind = (key.fingerprint().to_owned(), key.source_name());
            let count = counts.entry(kind.clone()).or_default();
            *count += 1;
            let is_new = *count <= policy.newest;
            // Runs come newest first, so the first one of a period is its last run.
            let period = parse_day(key).zip(newest_day);
            let period = period.map(|(day, newest)| KeptPeriod::of_run(day, newest));
            let is_last =
                period.is_some_and(|period| seen_periods.entry(kind).or_default().insert(period));
            is_new || (policy.keeps_periods && is_last) || policy.releases.contains(key.commit())
        });
        if removed.len() < policy.least_removed {
            return Self { removed: Vec::new(), kept_count: total };
        }
        Self { removed, kept_count: kept.len() }
    }
}

/// Returns the day on which the run was measured, in UTC. Returns `None` if the name of the run has
/// no such day.
fn parse_day(key: &RunKey) -> Option<Date> {
    Date::strptime("%Y%m%d", &key.created()[..8]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the keys of runs at noon and in the evening of each of `days` days before the end of
    /// 2026, newest first. Each has a commit of its own.
    fn list_keys(days: i32, host: &str) -> Vec<RunKey> {
        let last = jiff::civil::date(2026, 12, 31);
        let name = |number: i32| {
            let day = last - jiff::Span::new().days(number / 2);
            let hour = if number % 2 == 0 { 20 } else { 12 };
            let commit = format!("{number:040x}");
            let time = format!("{}T{hour}0000Z", day.strftime("%Y%m%d"));
            format!("runs/00/{commit}/{host}-criterion-{time}-{number:012x}.json")
        };
        (0..2 * days).map(|number| RunKey::parse(&name(number)).unwrap()).collect()
    }

    #[test]
    fn the_newest_runs_and_the_last_of_each_day_and_then_week_are_kept() {
        let policy = RetentionPolicy { keeps_periods: true, ..RetentionPolicy::keep_newest(100) };
        let summary = PruneSummary::new(list_keys(400, "aa"), &policy);
        // 50 days have both runs, 131 more have the last one, and 219 days lie in 32 weeks.
        assert_eq!((summary.kept_count, summary.removed.len()), (100 + 131 + 32, 537));
        let noon = summary.removed.iter().filter(|key| key.created().ends_with("T120000Z"));
        assert_eq!(noon.count(), 350, "a day keeps its last run");
        // Another host is another kind. What is kept stays kept the next time.
        let both = [list_keys(400, "aa"), list_keys(400, "bb")].concat();
        let again = PruneSummary::new(both, &policy);
        assert_eq!(again.kept_count, 2 * summary.kept_count);
        let kept: Vec<RunKey> =
            list_keys(400, "aa").into_iter().filter(|key| !summary.removed.contains(key)).collect();
        assert_eq!(PruneSummary::new(kept, &policy).removed, []);
    }

    #[test]
    fn runs_of_a_release_are_kept_and_a_run_of_an_impossible_day_is_not() {
        let mut keys = list_keys(20, "aa");
        let odd = "runs/00/0000000000000000000000000000000000000000/aa-criterion-20269999T000000Z-ffffffffffff.json";
        keys.push(RunKey::parse(odd).unwrap());
        let release = keys[31].commit().clone();
        let releases = BTreeSet::from([release.clone()]);
        let policy = RetentionPolicy { releases, ..RetentionPolicy::keep_newest(2) };
        let summary = PruneSummary::new(keys, &policy);
        assert_eq!((summary.kept_count, summary.removed.len()), (3, 38));
        assert!(!summary.removed.iter().any(|key| *key.commit() == release));
    }
}
