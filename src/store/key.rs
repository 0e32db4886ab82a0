//! Names of stored runs. The path of a run holds everything that a search needs.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::RunKind;
use crate::git::CommitId;
use crate::run::{Run, SampleSource};

/// Folder of all records within a store.
pub(super) const RUNS_FOLDER: &str = "runs";

/// File of a git store with the ids of all pruned runs, one per line. Clones that still have such a
/// run do not bring it back.
pub(super) const PRUNED_FILE: &str = "runs/pruned";

/// Key of a stored run, whose file is `runs/AB/COMMIT/FINGERPRINT-SOURCE-CREATED-ID.json`.
///
/// All parts of a key are letters and digits, so its path cannot leave the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunKey {
    commit: CommitId,
    fingerprint: String,
    source: SampleSource,
    created: String,
    id: String,
}

const ID_DIGITS: usize = 12;

impl RunKey {
    /// Returns the key of `run`, which is stored as `record`, or `None` if its time cannot be
    /// parsed.
    pub(super) fn new(commit: CommitId, run: &Run, record: &[u8]) -> Option<Self> {
        let created: Timestamp = run.created.parse().ok()?;
        let created = created.strftime("%Y%m%dT%H%M%SZ").to_string();
        let fingerprint = to_file_word(&run.host.fingerprint);
        let key = Self {
            commit,
            fingerprint,
            source: run.source,
            created,
            id: compute_short_hash(record),
        };
        is_compact_time(&key.created).then_some(key)
    }

    /// Parses a path within a store. Returns `None` if the file is not a stored run.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let [RUNS_FOLDER, prefix, commit, name] = parts[..] else { return None };
        let commit = CommitId::parse(commit).filter(|id| id.as_str().starts_with(prefix))?;
        let parts: Vec<&str> = name.strip_suffix(".json")?.split('-').collect();
        let [fingerprint, source, created, id] = parts[..] else { return None };
        let source = ALL_SOURCES.into_iter().find(|known| source_name(*known) == source)?;
        let is_valid = prefix.len() == 2
            && is_file_word(fingerprint)
            && is_compact_time(created)
            && is_run_id(id);
        is_valid.then(|| Self {
            commit,
            fingerprint: fingerprint.to_owned(),
            source,
            created: created.to_owned(),
            id: id.to_owned(),
        })
    }

    /// Returns the path within the store.
    pub(crate) fn path(&self) -> String {
        let Self { commit, fingerprint, created, id, .. } = self;
        let source = self.source_name();
        format!(
            "{RUNS_FOLDER}/{}/{commit}/{fingerprint}-{source}-{created}-{id}.json",
            &commit.as_str()[..2]
        )
    }

    /// Returns the commit that was measured.
    pub(crate) fn commit(&self) -> &CommitId {
        &self.commit
    }

    /// Returns the fingerprint of the host that measured the run, or its hash if the fingerprint
    /// cannot be part of a file name.
    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Returns what produced the samples.
    pub(crate) fn source(&self) -> SampleSource {
        self.source
    }

    /// Returns the source of the samples as a word.
    pub(crate) fn source_name(&self) -> &'static str {
        source_name(self.source)
    }

    /// Returns the time of the measurement in UTC, in the form `20261122T000000Z`.
    pub(crate) fn created(&self) -> &str {
        &self.created
    }

    /// Returns the short id of the run, a hash of its content.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns whether the run is of this kind.
    pub(crate) fn is_of_kind(&self, kind: RunKind<'_>) -> bool {
        self.source == kind.source && self.fingerprint == to_file_word(kind.fingerprint)
    }
}

const ALL_SOURCES: [SampleSource; 2] = [SampleSource::Criterion, SampleSource::Command];

fn source_name(source: SampleSource) -> &'static str {
    match source {
        SampleSource::Criterion => "criterion",
        SampleSource::Command => "command",
    }
}

fn is_compact_time(text: &str) -> bool {
    text.len() == "20261122T000000Z".len()
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

/// Returns whether `text` is 1 to 64 lower-case letters and digits.
fn is_file_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    (1..=64).contains(&text.len())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Returns the fingerprint, or its hash if the fingerprint cannot be part of a file name.
fn to_file_word(fingerprint: &str) -> String {
    if is_file_word(fingerprint) {
        fingerprint.to_owned()
    } else {
        compute_short_hash(fingerprint.as_bytes())
    }
}

/// Returns the ids in the content of [`PRUNED_FILE`]. Lines that are not ids are left out.
pub(super) fn parse_pruned_ids(content: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(content);
    text.lines().filter(|line| is_run_id(line)).map(str::to_owned).collect()
}

/// Returns the content of [`PRUNED_FILE`] for these ids.
pub(super) fn format_pruned_ids(ids: &BTreeSet<String>) -> String {
    ids.iter().flat_map(|id| [id.as_str(), "\n"]).collect()
}

fn is_run_id(text: &str) -> bool {
    text.len() == ID_DIGITS && is_file_word(text)
}

/// Returns the first 12 hexadecimal digits of the SHA-256 of `bytes`.
pub(super) fn compute_short_hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..ID_DIGITS / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_back_from_its_key() {
        let commit = "ab".repeat(20);
        let path = format!("runs/ab/{commit}/0f1e2d-criterion-20261122T013000Z-0123456789ab.json");
        assert_eq!(RunKey::parse(&path).unwrap().path(), path);
    }

    #[test]
    fn pruned_ids_come_back_from_their_file_and_other_lines_do_not() {
        let ids = parse_pruned_ids(b"0123456789ab\nABCDEF012345\n../../x\n\xff\nfedcba987654");
        assert_eq!(format_pruned_ids(&ids), "0123456789ab\nfedcba987654\n");
        assert_eq!(parse_pruned_ids(b""), BTreeSet::new());
    }

    #[test]
    fn other_files_are_not_runs() {
        let commit = "ab".repeat(20);
        for path in [
            "runs/ab/../../etc/passwd".to_owned(),
            format!("runs/ab/{commit}/../x-criterion-20261122T013000Z-0123456789ab.json"),
            format!("runs/cd/{commit}/x-criterion-20261122T013000Z-0123456789ab.json"),
            format!("runs/ab/{commit}/x-criterion-20261122T013000Z-0123456789ab.txt"),
            format!("runs/ab/{commit}/x-criterion-yesterday-0123456789ab.json"),
            format!("runs/ab/{commit}/X Y-criterion-20261122T013000Z-0123456789ab.json"),
            format!("runs/ab/{commit}/x-guess-20261122T013000Z-0123456789ab.json"),
            format!("runs//{commit}/x-criterion-20261122T013000Z-0123456789ab.json"),
            String::new(),
        ] {
            assert_eq!(RunKey::parse(&path), None, "{path}");
        }
    }

    #[test]
    fn a_fingerprint_that_is_not_a_file_name_is_replaced() {
        assert_eq!(to_file_word("0f1e"), "0f1e");
        for hostile in ["../../x", "", "a-b", "a/b", "é"] {
            assert!(is_file_word(&to_file_word(hostile)), "{hostile}");
        }
    }
}
