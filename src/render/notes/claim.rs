//! The words about metrics, sums of benchmarks and claims about ratios.

use super::values::{describe_nearest, format_large_count, join_lines};
use crate::note::ClaimIssue;

/// Returns the sentence of `issue`.
pub(super) fn describe_claim_issue(issue: &ClaimIssue) -> String {
    match issue {
        ClaimIssue::MetricsUnusable { cause } => {
            format!("the metrics that the bench reports cannot be used: {}", join_lines(cause))
        }
        ClaimIssue::MetricUnreported { metric, pattern } => format!(
            "no benchmark that matches `{pattern}` reports the metric `{metric}`, so its `[[metric]]` judges \
             nothing"
        ),
        ClaimIssue::MetricUndecided { launches } => {
            format!("undecided after {} per side", count_launches(*launches))
        }
        ClaimIssue::MetricGone => {
            "the baseline reports this metric and the candidate does not".to_owned()
        }
        ClaimIssue::MetricAbsent { metric } => {
            format!("no launch reports the metric `{metric}`")
        }
        ClaimIssue::AmountUnknown { unit } => {
            format!("the benchmark does not state how many {unit} a call handles")
        }
        ClaimIssue::FewLaunches { launches, needed } => format!(
            "{} with the same value do not show a limit; {needed} do",
            count_launches(*launches)
        ),
        ClaimIssue::ExpectationUnmatched { name, benchmark, nearest } => format!(
            "the claim \"{name}\" is unproven because there is no benchmark `{benchmark}`{}",
            describe_nearest(nearest.as_deref())
        ),
        ClaimIssue::SumUnmatched { name, benchmark, nearest } => format!(
            "the target \"{name}\" is unproven because there is no benchmark `{benchmark}`{}",
            describe_nearest(nearest.as_deref())
        ),
        ClaimIssue::PartUnmeasured { benchmark } => format!("`{benchmark}` was not measured"),
        ClaimIssue::PartInBatches { benchmark } => {
            format!("`{benchmark}` is measured in batches, so a percentile of the sum is not known")
        }
        ClaimIssue::PartNeedsCalls { benchmark, calls, needed } => format!(
            "{} calls of `{benchmark}` are too few: a bound for the sum needs at least {}",
            format_large_count(*calls),
            format_large_count(*needed)
        ),
    }
}

fn count_launches(launches: u32) -> String {
    if launches == 1 { "1 launch".to_owned() } else { format!("{launches} launches") }
}
