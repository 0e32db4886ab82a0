//! The words of `perfgate bisect`: its answer, and what it shows while it searches.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::escape_for_terminal;
use super::notes::describe_failure;
use super::numbers::{format_signed_percent, format_significant};
use crate::bisect::{
    BisectOutcome, BisectReport, NamedCommit, ReportedChange, SearchReport, SearchSummary,
    SkipReason, SuspectGap,
};
use crate::text::shorten;

/// Number of digits of a commit's id that are shown.
const SHORT_DIGITS: usize = 12;
/// Longest subject of a commit in columns.
const SUBJECT_WIDTH: usize = 72;
/// Largest number of commits that are listed if nothing distinguishes them.
const MAX_LISTED: usize = 10;
/// Largest number of next likely places that are shown.
const MAX_OTHERS: usize = 3;
/// Probabilities above this one and below its complement are shown as limits.
const MOST_SHOWN: f64 = 0.9995;

/// Returns the answer of a search for a terminal.
pub(crate) fn render_bisect_text(report: &BisectReport) -> String {
    let mut text = String::new();
    for (depth, search) in report.searches.iter().enumerate() {
        if depth > 0 {
            let (good, bad) = (format_commit(&search.good), format_commit(&search.bad));
            let _ = writeln!(text, "\ninside of the merge, between {good} and {bad}:");
        }
        write_search(&mut text, &report.bench, search);
    }
    text
}

/// Returns the answer of a search as JSON. What was skipped has a `text` for people.
///
/// # Errors
///
/// Fails if the report cannot be serialized.
pub(crate) fn render_bisect_json(report: &BisectReport) -> Result<String, serde_json::Error> {
    let mut document = serde_json::to_value(report)?;
    let searches = document.get_mut("searches").and_then(Value::as_array_mut);
    for (written, search) in searches.into_iter().flatten().zip(&report.searches) {
        let skipped = written.get_mut("skipped").and_then(Value::as_array_mut);
        for (entry, skipped) in skipped.into_iter().flatten().zip(&search.skipped) {
            entry["text"] = json!(describe_skip(&skipped.why));
        }
    }
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// Returns why a commit cannot be measured.
pub(crate) fn describe_skip(why: &SkipReason) -> String {
    match why {
        SkipReason::NotBuilt { cause } => format!("it cannot be built: {cause}"),
        SkipReason::NoManifest { path } => format!("git does not have `{path}` in it"),
        SkipReason::NoProfile { profile } => format!("it has no profile `{profile}`"),
        SkipReason::NoBenchmark => "it does not have the benchmark".to_owned(),
        SkipReason::Failed { failure } => {
            format!("the benchmark fails: {}", describe_failure(failure))
        }
    }
}

/// Returns one line about the rounds of a commit, given as log ratios, and what is known after them.
pub(crate) fn describe_commit_rounds(differences: &[f64], summary: &SearchSummary) -> String {
    let mean = differences.iter().sum::<f64>() / differences.len().max(1) as f64;
    let rounds = pluralize(differences.len(), "round");
    let known = match summary.changes.as_slice() {
        [] => format!("no change with probability {}", format_probability(summary.unchanged)),
        [one] if one.count_commits() == 1 => {
            format!("one commit is left, with probability {}", format_probability(one.probability))
        }
        [one] => format!(
            "the change is in one of {} with probability {}",
            pluralize(one.count_commits(), "commit"),
            format_probability(one.probability)
        ),
        several => {
            let commits = several.iter().map(SuspectGap::count_commits).sum();
            format!("{} changes in {}", several.len(), pluralize(commits, "commit"))
        }
    };
    format!("  {} in {rounds}; {known}", format_signed_percent(mean.exp_m1()))
}

fn write_search(text: &mut String, bench: &str, search: &SearchReport) {
    let bench = escape_for_terminal(bench);
    let (good, bad) = (format_commit(&search.good), format_commit(&search.bad));
    let _ = match search.outcome {
        BisectOutcome::NoChange => {
            let probability = format_probability(search.unchanged);
            writeln!(
                text,
                "nothing changes `{bench}` between {good} and {bad}, with probability {probability}"
            )
        }
        BisectOutcome::Unfinished => writeln!(
            text,
            "the budget ended before the answer for `{bench}` was known; the same command goes on"
        ),
        BisectOutcome::Several => writeln!(
            text,
            "{} commits change `{bench}` between {good} and {bad}",
            search.changes.len()
        ),
        BisectOutcome::Found => Ok(()),
    };
    for change in &search.changes {
        write_change(text, &bench, change);
    }
    if search.outcome == BisectOutcome::NoChange && search.longest_gap > 1 {
        let _ = writeln!(
            text,
            "  a change that is taken back within {} may be missed",
            pluralize(search.longest_gap, "commit")
        );
    }
    if !search.is_settled && search.outcome != BisectOutcome::Unfinished {
        let _ = writeln!(
            text,
            "  more rounds would not make it clearer: two builds of the same code differ by as much"
        );
    }
    if !search.others.is_empty() {
        let _ = writeln!(text, "\nnext likely:");
    }
    for other in search.others.iter().take(MAX_OTHERS) {
        let probability = format_probability(other.probability);
        let _ = writeln!(text, "  {probability:>8}  {}", describe_commits(&other.commits));
    }
    if !search.skipped.is_empty() {
        let _ = writeln!(text, "\nnot measured:");
    }
    for skipped in &search.skipped {
        let why = escape_for_terminal(&describe_skip(&skipped.why));
        let why = why.lines().next().unwrap_or_default();
        let _ = writeln!(text, "  {}: {why}", format_commit(&skipped.commit));
    }
    let same = match search.same_program {
        0 => String::new(),
        same => format!(", {} with the program of another one", pluralize(same, "commit")),
    };
    let _ = writeln!(
        text,
        "\nmeasured {} of {}{same}: {}, {}",
        search.measured,
        pluralize(search.commits, "commit"),
        pluralize(search.rounds, "round"),
        pluralize(2 * search.rounds, "launch")
    );
}

fn write_change(text: &mut String, bench: &str, change: &ReportedChange) {
    let verb = if change.ratio.point > 1.0 { "slower" } else { "faster" };
    let [point, low, high] = [change.ratio.point, change.ratio.low, change.ratio.high]
        .map(|ratio| format_signed_percent(ratio - 1.0));
    let probability = format_probability(change.probability);
    let size = format!("{point} [{low}, {high}]");
    if let [commit] = change.commits.as_slice() {
        let name = format_commit(commit);
        let _ =
            writeln!(text, "{name} makes `{bench}` {verb}: {size}, with probability {probability}");
    } else {
        let commits = pluralize(change.commits.len(), "commit");
        let _ = writeln!(
            text,
            "one of {commits} makes `{bench}` {verb}: {size}, with probability {probability}"
        );
    }
    for commit in change.commits.iter().take(MAX_LISTED) {
        let date = commit.author_date.as_deref().unwrap_or("no date");
        let name = if change.commits.len() > 1 {
            format!("{}  ", format_commit(commit))
        } else {
            String::new()
        };
        let _ = writeln!(text, "  {name}{}  ({date})", format_subject(commit));
    }
    if change.commits.len() > MAX_LISTED {
        let _ = writeln!(text, "  and {} more", change.commits.len() - MAX_LISTED);
    }
}

/// Returns the only commit with its subject, or the first and the last one.
fn describe_commits(commits: &[NamedCommit]) -> String {
    match commits {
        [] => String::new(),
        [one] => format!("{}  {}", format_commit(one), format_subject(one)),
        [first, .., last] => format!(
            "one of {}, {} to {}",
            pluralize(commits.len(), "commit"),
            format_commit(first),
            format_commit(last)
        ),
    }
}

fn format_commit(commit: &NamedCommit) -> String {
    let id: String = commit.id.chars().take(SHORT_DIGITS).collect();
    escape_for_terminal(&id)
}

fn format_subject(commit: &NamedCommit) -> String {
    escape_for_terminal(&shorten(&commit.subject, SUBJECT_WIDTH))
}

/// Formats a probability in percent. Nothing is certain, so none is shown as 0 or 100 %.
fn format_probability(probability: f64) -> String {
    if probability > MOST_SHOWN {
        return format!("> {} %", 100.0 * MOST_SHOWN);
    }
    if probability < 1.0 - MOST_SHOWN {
        return format!("< {} %", format_significant(100.0 * (1.0 - MOST_SHOWN), 1));
    }
    format!("{:.1} %", 100.0 * probability)
}

/// Returns the number with its noun, in the singular for 1 and else in the plural.
fn pluralize(number: usize, noun: &str) -> String {
    match (number, noun) {
        (1, _) => format!("1 {noun}"),
        (_, "launch") => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}
