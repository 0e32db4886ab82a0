//! Keeps the modification times of files whose content did not change, so that Cargo rebuilds only
//! what did.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{GitError, Worktree};
use crate::files;

/// For each path of a checkout, its blob id and its modification time since the Unix epoch.
#[derive(Debug, Default, Serialize, Deserialize)]
struct FileTimes(BTreeMap<String, (String, Duration)>);

impl Worktree {
    /// Restores the modification times of files that are the same as in the last checkout at this
    /// path.
    ///
    /// A checkout gives every file a new time, and Cargo decides by times. `record` is the file
    /// that describes the last checkout; it is rewritten for this one. If `record` cannot be read,
    /// all files count as new. A file that differs from the last checkout keeps its present time,
    /// even if an earlier checkout had the same content.
    ///
    /// Fails if the index of the worktree cannot be read or `record` cannot be written.
    pub(crate) fn restore_times(&self, record: &Path) -> Result<(), GitError> {
        let last_times: FileTimes = fs::read(record)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let now = self.list_blobs()?;
        // Filters may write different content for the same blob. If any `.gitattributes` file
        // changed, no time is restored.
        let is_filter_file =
            |path: &str| path == ".gitattributes" || path.ends_with("/.gitattributes");
        let last_times = last_times.0;
        let are_filters_same = now
            .keys()
            .chain(last_times.keys())
            .filter(|path| is_filter_file(path))
            .all(|path| now.get(path) == last_times.get(path).map(|(blob, _)| blob));
        let mut times = FileTimes::default();
        for (path, blob) in now {
            let last_entry = last_times.get(&path);
            let previous = last_entry.filter(|(old, _)| are_filters_same && *old == blob);
            let time =
                restore_or_read_time(&self.path().join(&path), previous.map(|(_, time)| *time));
            // A path that is missing or not a regular file is not recorded, so it counts as new the
            // next time too.
            if let Ok(Some(time)) = time {
                times.0.insert(path, (blob, time));
            }
        }
        let text = serde_json::to_vec(&times).map_err(io::Error::from);
        text.and_then(|text| files::write_atomically(record, &text))
            .map_err(|error| GitError::Io(record.to_owned(), error))
    }

    /// Returns the blob id of each checked-out file, by path. Paths that are not UTF-8 are left
    /// out.
    fn list_blobs(&self) -> Result<BTreeMap<String, String>, GitError> {
        let index = git2::Repository::open(self.path())?.index()?;
        let entries = index
            .iter()
            .filter_map(|entry| Some((String::from_utf8(entry.path).ok()?, entry.id.to_string())));
        Ok(entries.collect())
    }
}

/// Sets the modification time to `previous`, if given, and returns the time that the file then has,
/// since the Unix epoch. Returns `None` for a link or a folder, or for a time before the epoch.
fn restore_or_read_time(path: &Path, previous: Option<Duration>) -> io::Result<Option<Duration>> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Ok(None);
    }
    if let Some(time) = previous {
        File::options().write(true).open(path)?.set_modified(SystemTime::UNIX_EPOCH + time)?;
        return Ok(Some(time));
    }
    Ok(metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).ok())
}
