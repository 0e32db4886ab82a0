//! Builds the command that repeats the check on another machine.

use std::fmt::Write as _;

use super::ReportRow;
use super::typed_words::{is_object_id, is_typable, quote_for_shell, shorten_id};
use crate::decision::{BaselineKind, Change, Decision, Judgement};
use crate::run::RunRequest;
use crate::units::Amount;

/// Maximum number of benchmark names in the command. Nobody would type a longer one.
const MAX_NAMES: usize = 5;
/// Returns the command that repeats the check for the benchmarks that matter. Returns `None` if
/// there is no such benchmark, no commit to compare with, or a name that cannot be typed in a
/// terminal.
pub(super) fn build_repeat_command(
    decision: &Decision,
    notable: &[ReportRow<'_>],
) -> Option<String> {
    let baseline = choose_baseline(decision)?;
    // Hosts of commands have no compiler, and the command itself is not in the decision.
    decision.candidate.host.rustc.as_ref()?;
    let reasons: Vec<_> = notable.iter().filter(|row| row.is_reason).collect();
    let named_rows = if reasons.is_empty() { notable.iter().collect() } else { reasons };
    let mut command = "perfgate check".to_owned();
    match named_rows.len() {
        // Groups of undecided benchmarks are too large to name.
        0 if !decision.benchmarks.iter().any(is_undecided) => return None,
        1..=MAX_NAMES => {
            if !named_rows.iter().all(|row| is_typable(row.id)) {
                return None;
            }
            for row in &named_rows {
                // A separate word that begins with a hyphen would be read as a flag.
                let equals = if row.id.starts_with('-') { '=' } else { ' ' };
                let id = quote_for_shell(&escape_glob(row.id));
                let _ = write!(command, " --bench{equals}{id}");
            }
        }
        _ => {}
    }
    let packages = named_rows.iter().filter_map(|row| row.shown_package);
    for package in packages.filter(|package| is_typable(package)) {
        let _ = write!(command, " --package {}", quote_for_shell(package));
    }
    for row in named_rows.iter().take(1) {
        for target in row.targets.iter().filter(|target| target.is_reason) {
            // Other targets have no flag.
            let Some(metric) = target.metric.time() else { continue };
            let limit = format_limit(target.limit);
            let _ = write!(command, " --target-{} {limit}", metric.name());
        }
    }
    if let Some(request) = &decision.candidate.request {
        add_request(&mut command, request)?;
    }
    Some(command + " --baseline " + baseline)
}

/// Adds the flags of the command line that is repeated. Returns `None` if one cannot be typed in a
/// terminal.
fn add_request(command: &mut String, request: &RunRequest) -> Option<()> {
    let RunRequest { manifest_path, features, profile, launches } = request;
    let manifests = manifest_path.iter().map(|path| ("--manifest-path", path));
    let features = features.iter().map(|feature| ("--features", feature));
    let profiles = profile.iter().map(|profile| ("--profile", profile));
    for (flag, value) in manifests.chain(features).chain(profiles) {
        if !is_typable(value) {
            return None;
        }
        let _ = write!(command, " {flag}={}", quote_if_needed(value));
    }
    if let Some(launches) = launches {
        let _ = write!(command, " --launches {launches}");
    }
    Some(())
}

/// Returns `word` as one word for any POSIX shell, without quotes if none of its characters means
/// anything to a shell.
fn quote_if_needed(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        quote_for_shell(word)
    }
}

/// Returns the limit as a flag reads it.
fn format_limit(limit: Amount) -> String {
    format!("{}ns", limit.get())
}

fn is_undecided(judgement: &Judgement) -> bool {
    judgement.change == Change::Inconclusive
}

fn choose_baseline(decision: &Decision) -> Option<&str> {
    match (decision.baseline.kind, &decision.baseline.commit) {
        (BaselineKind::None, _) => Some("none"),
        // The path of a run file is not recorded, and its commit would be measured in rounds.
        (BaselineKind::File, _) | (_, None) => None,
        (_, Some(commit)) => is_object_id(&commit.id).then_some(commit.id.as_str()).map(shorten_id),
    }
}

/// Returns a glob pattern that matches only this name.
fn escape_glob(name: &str) -> String {
    let mut glob = String::with_capacity(name.len());
    for (place, character) in name.chars().enumerate() {
        match character {
            '*' | '?' | '[' | ']' | '{' | '}' => glob.extend(['[', character, ']']),
            // In front, `!` would exclude the benchmark. Elsewhere it is an ordinary character.
            '!' if place == 0 => glob.push_str("{!}"),
            '\\' => glob.push_str("\\\\"),
            _ => glob.push(character),
        }
    }
    glob
}
