//! The words about load on a service, and about the course of a launch.

use super::values::{format_large_count, format_slowdown};
use crate::note::{CourseFinding, LoadIssue};
use crate::units::RequestRate;

/// Returns the sentence about a load that answers the question of a target.
pub(super) fn describe_load(asked: RequestRate, reached: Option<RequestRate>) -> String {
    let reached = reached.map(|reached| format!(", reached {:.1}/s", reached.get()));
    format!("asked at {asked}{}", reached.unwrap_or_default())
}

/// Returns the sentence about a target that is asked at the rate `asked`.
pub(super) fn describe_load_issue(issue: &LoadIssue, asked: RequestRate) -> String {
    match issue {
        LoadIssue::ClosedLoop => format!(
            "the target is asked at {asked}, but each request was sent only after an answer (closed loop): a slow \
             service got fewer requests, and the wait of the others is not counted"
        ),
        LoadIssue::WaitNotCounted { concurrency } => format!(
            "the target is asked at {asked}, but at most {concurrency} requests were on their way at a time, and \
             latency counts from when a request was sent: the wait before it is not counted"
        ),
        LoadIssue::UnknownLoad => format!(
            "the target is asked at {asked}, but the output does not state whether requests were sent on schedule \
             and from when latency counts; the conditions `load` and `latency-from` can state it"
        ),
        LoadIssue::UnknownRate => format!(
            "the target is asked at {asked}, but the output does not state the rate; the condition `rate` can state it"
        ),
        LoadIssue::OtherRate { measured } => {
            format!("the target is asked at {asked}, but the load was {measured}")
        }
        LoadIssue::RateNotReached { reached } => {
            format!("the target is asked at {asked}, but only {:.1}/s were reached", reached.get())
        }
    }
}

/// Returns the sentence about the course of a launch.
pub(super) fn describe_course(finding: &CourseFinding) -> String {
    match finding {
        CourseFinding::LatencyGrew { benchmark, low, point, high } => format!(
            "the latency of `{benchmark}` grew during a launch: {} (99 % interval {} to {}) from its beginning to \
             its end",
            format_slowdown(*point),
            format_slowdown(*low),
            format_slowdown(*high)
        ),
        CourseFinding::MemoryGrew { low, point, high } => format!(
            "the memory of the service grew during a launch: by {} (99 % interval {} to {}) from its beginning to \
             its end",
            format_memory(*point),
            format_memory(*low),
            format_memory(*high)
        ),
        CourseFinding::RequestsDropped { benchmark, dropped } => format!(
            "the load generator dropped {} of `{benchmark}`, whose latency nobody knows",
            describe_requests(*dropped)
        ),
    }
}

fn describe_requests(count: u64) -> String {
    match count {
        1 => "1 request".to_owned(),
        count => format!("{} requests", format_large_count(count)),
    }
}

/// Formats a number of bytes in KiB or MiB.
fn format_memory(bytes: f64) -> String {
    const KIBIBYTE: f64 = 1024.0;
    const MEBIBYTE: f64 = 1024.0 * KIBIBYTE;
    if bytes < MEBIBYTE {
        format!("{:.0} KiB", bytes / KIBIBYTE)
    } else {
        format!("{:.1} MiB", bytes / MEBIBYTE)
    }
}
