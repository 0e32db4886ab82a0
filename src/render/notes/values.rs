//! The words of the values inside a note: machines, compilers, conditions, amounts.

use crate::note::{Disturbance, MachineName, StoredMachine};
use crate::render::numbers::{format_count, format_wait};
use crate::units::{Nanos, Percent, Ratio};

/// Returns the clause that names `disturbance`.
pub(crate) fn describe_disturbance(disturbance: Disturbance) -> String {
    match disturbance {
        Disturbance::StolenTime { share } => {
            format!("{} of the processor time was stolen", format_percent(share, 1))
        }
        Disturbance::Throttled { times: 1 } => "the processor was throttled once".to_owned(),
        Disturbance::Throttled { times } => format!("the processor was throttled {times} times"),
    }
}

/// Returns the clause that names the id nearest to a pattern; empty without one.
pub(super) fn describe_nearest(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |id| format!(": the nearest is `{id}`"))
}

/// Describes benchmarks whose benches set their own time, of which `longest` is the longest launch.
pub(super) fn describe_own_time(benchmarks: &[String], count: u64, longest: Nanos) -> String {
    let named = benchmarks.join("`, `");
    let more = match count.saturating_sub(benchmarks.len() as u64) {
        0 => String::new(),
        more => format!(" and {} more", format_large_count(more)),
    };
    let takes = if count == 1 { "takes" } else { "take up to" };
    format!(
        "`{named}`{more} {takes} {} per launch, whatever perfgate asks for, because `measurement_time`, \
         `warm_up_time` or `sample_size` in the bench overrides perfgate: make these smaller in \
         the bench, or leave it out with `--bench`",
        format_wait(longest.get())
    )
}

/// Formats a number with commas between the thousands.
pub(super) fn format_large_count(number: u64) -> String {
    format_count(usize::try_from(number).unwrap_or(usize::MAX))
}

/// Returns the number of a launch or a round as people count: from 1. Files count from 0.
pub(super) fn count_from_one(number: u32) -> u64 {
    u64::from(number) + 1
}

/// Returns the message of an error on one line. Its lines are joined, because a note is a sentence.
pub(super) fn join_lines(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.fold(String::new(), |joined, line| match joined.chars().next_back() {
        None => line.to_owned(),
        Some(':' | ';' | ',' | '.') => joined + " " + line,
        Some(_) => joined + "; " + line,
    })
}

/// Returns the name of a compiler of this release.
pub(super) fn describe_compiler(release: Option<&str>) -> String {
    release.map_or_else(|| "an unknown rustc".to_owned(), |release| format!("rustc {release}"))
}

/// Returns the name of a machine that has stored runs.
pub(super) fn describe_stored_machine(machine: &StoredMachine) -> String {
    let StoredMachine { cpu_model, cores, kernel } = machine;
    let unit = if *cores == 1 { "core" } else { "cores" };
    format!("{cpu_model} ({cores} {unit}, {kernel})")
}

/// Returns the name of a machine with its kernel.
pub(super) fn describe_machine(machine: &MachineName) -> String {
    format!("{} (kernel {})", machine.cpu_model, machine.kernel)
}

/// Returns the value of a condition. `None` is one that was not recorded.
pub(super) fn describe_condition(value: Option<&str>) -> String {
    value.map_or_else(|| "not recorded".to_owned(), |value| format!("`{value}`"))
}

/// Returns the declared work of a call. `None` if there is none.
pub(super) fn describe_amount(amount: Option<f64>) -> String {
    amount.map_or_else(|| "none".to_owned(), |amount| amount.to_string())
}

/// Formats a share as percent with `digits` decimal places.
pub(super) fn format_percent(share: Percent, digits: usize) -> String {
    format!("{:.digits$} %", share.get() * 100.0)
}

/// Formats by how much a ratio is above 1, as percent.
pub(super) fn format_slowdown(ratio: Ratio) -> String {
    format!("{:.1} %", (ratio.get() - 1.0) * 100.0)
}
