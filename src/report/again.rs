//! The command that shows the same on another machine.

use std::fmt::Write as _;

use super::Row;
use crate::verdict::{BaselineKind, Decision};

/// More names than this do not make a command that anybody would type.
const MOST_NAMES: usize = 5;
/// Longer names are cut where they are shown, so that the command would not work.
const LONGEST_NAME: usize = 200;

/// `None` where nothing sensible can be said: nothing to look at, no commit to compare with, or
/// names that no terminal takes.
pub(super) fn command(decision: &Decision, notable: &[Row<'_>]) -> Option<String> {
    let baseline = baseline(decision)?;
    let reasons: Vec<_> = notable.iter().filter(|row| row.is_reason).collect();
    let named = if reasons.is_empty() { notable.iter().collect() } else { reasons };
    let mut command = "perfgate check".to_owned();
    match named.len() {
        0 => return None,
        1..=MOST_NAMES => {
            if !named.iter().all(|row| is_typable(row.id)) {
                return None;
            }
            for row in &named {
                let _ = write!(command, " --bench {}", quoted(&literal_glob(row.id)));
            }
        }
        _ => {}
    }
    let packages = named.iter().filter_map(|row| row.told_apart_by);
    for package in packages.filter(|package| is_typable(package)) {
        let _ = write!(command, " --package {}", quoted(package));
    }
    Some(command + " --baseline " + baseline)
}

fn baseline(decision: &Decision) -> Option<&str> {
    match (decision.baseline.kind, &decision.baseline.commit) {
        (BaselineKind::None, _) => Some("none"),
        (_, Some(commit)) => is_object_id(&commit.id).then_some(commit.id.as_str()).map(short),
        (_, None) => None,
    }
}

fn is_object_id(id: &str) -> bool {
    (7..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Enough of an object id to be told from all others of a repository.
fn short(id: &str) -> &str {
    &id[..id.len().min(10)]
}

fn is_typable(name: &str) -> bool {
    name.len() <= LONGEST_NAME && !name.chars().any(char::is_control)
}

/// A pattern that matches this name only.
fn literal_glob(name: &str) -> String {
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
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
