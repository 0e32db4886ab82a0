//! The command that shows the same on another machine.

use std::fmt::Write as _;

use super::ReportRow;
use crate::verdict::{BaselineKind, Decision};

/// More names than this do not make a command that anybody would type.
const MOST_NAMES: usize = 5;
/// Longer names are cut where they are shown, so that the command would not work.
const LONGEST_NAME: usize = 200;

/// `None` where nothing sensible can be said: nothing to look at, no commit to compare with, or
/// names that no terminal takes.
pub(super) fn build_repeat_command(
    decision: &Decision,
    notable: &[ReportRow<'_>],
) -> Option<String> {
    let baseline = choose_baseline(decision)?;
    let reasons: Vec<_> = notable.iter().filter(|row| row.is_reason).collect();
    let named_rows = if reasons.is_empty() { notable.iter().collect() } else { reasons };
    let mut command = "perfgate check".to_owned();
    match named_rows.len() {
        0 => return None,
        1..=MOST_NAMES => {
            if !named_rows.iter().all(|row| is_typable(row.id)) {
                return None;
            }
            for row in &named_rows {
                let _ = write!(command, " --bench {}", quote_for_shell(&escape_glob(row.id)));
            }
        }
        _ => {}
    }
    let packages = named_rows.iter().filter_map(|row| row.told_apart_by);
    for package in packages.filter(|package| is_typable(package)) {
        let _ = write!(command, " --package {}", quote_for_shell(package));
    }
    Some(command + " --baseline " + baseline)
}

fn choose_baseline(decision: &Decision) -> Option<&str> {
    match (decision.baseline.kind, &decision.baseline.commit) {
        (BaselineKind::None, _) => Some("none"),
        (_, Some(commit)) => is_object_id(&commit.id).then_some(commit.id.as_str()).map(shorten_id),
        (_, None) => None,
    }
}

fn is_object_id(id: &str) -> bool {
    (7..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Enough of an object id to be told from all others of a repository.
fn shorten_id(id: &str) -> &str {
    &id[..id.len().min(10)]
}

fn is_typable(name: &str) -> bool {
    name.len() <= LONGEST_NAME && !name.chars().any(char::is_control)
}

/// A pattern that matches this name only.
fn escape_glob(name: &str) -> String {
    let mut glob = String::with_capacity(name.len());
    for (place, character) in name.chars().enumerate() {
        match character {
            '*' | '?' | '[' | ']' | '{' | '}' => glob.extend(['[', character, ']']),
            // Elsewhere it is a plain character; in front it would leave the benchmark out.
            '!' if place == 0 => glob.push_str("{!}"),
            '\\' => glob.push_str("\\\\"),
            _ => glob.push(character),
        }
    }
    glob
}

/// One word for any POSIX shell, whatever it holds.
fn quote_for_shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
