//! Times of files that stay where content stays, so that Cargo builds again only what changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{GitError, Worktree};
use crate::files;

/// Blob and time of modification, since the epoch, of each file of a checkout.
#[derive(Debug, Default, Serialize, Deserialize)]
struct FileTimes(BTreeMap<String, (String, Duration)>);

impl Worktree {
    /// Gives the files that were the same in the last checkout at this place the times they had then.
    ///
    /// A checkout makes every file new, and Cargo goes by times. `record` says how the last checkout
    /// was and is written anew; what cannot be read says nothing, and then all is new. A file that
    /// differs from the last checkout keeps its present time, whatever it was before.
    pub(crate) fn restore_times(&self, record: &Path) -> Result<(), GitError> {
        let last_times: FileTimes = fs::read(record)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let now = self.list_blobs()?;
        // Filters may write another content for the same blob.
        let is_filter_file =
            |path: &str| path == ".gitattributes" || path.ends_with("/.gitattributes");
        let last_entry = |path: &String| last_times.0.get(path);
        let are_filters_same = now
            .keys()
            .chain(last_times.0.keys())
            .filter(|path| is_filter_file(path))
            .all(|path| now.get(path) == last_entry(path).map(|(blob, _)| blob));
        let mut times = FileTimes::default();
        for (path, blob) in now {
            let previous = last_entry(&path).filter(|(old, _)| are_filters_same && *old == blob);
            let time =
                restore_or_read_time(&self.path().join(&path), previous.map(|(_, time)| *time));
            // What is not a file, or is gone, is new the next time too.
            if let Ok(Some(time)) = time {
                times.0.insert(path, (blob, time));
            }
        }
        let text = serde_json::to_vec(&times).map_err(io::Error::from);
        text.and_then(|text| files::write_atomically(record, &text))
            .map_err(|error| GitError::Io(record.to_owned(), error))
    }

    /// The blob of each checked out file whose path is text.
    fn list_blobs(&self) -> Result<BTreeMap<String, String>, GitError> {
        let index = git2::Repository::open(self.path())?.index()?;
        let entries = index
            .iter()
            .filter_map(|entry| Some((String::from_utf8(entry.path).ok()?, entry.id.to_string())));
        Ok(entries.collect())
    }
}

/// The time of a file, once it is what it is to be; none of a link or a folder.
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
