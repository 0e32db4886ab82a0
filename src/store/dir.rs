//! A store in a folder, with the same layout as the branch of a git store.

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::key::RUNS_FOLDER;
use super::{MAX_RECORD_BYTES, RunKey, StoreError};
use crate::files;
use crate::run::FileError;

/// A store in a folder.
pub(crate) struct DirStore {
    folder: PathBuf,
}

impl DirStore {
    pub(super) fn open(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Writes a record. Fails if the file cannot be written.
    pub(super) fn save_record(&self, key: &RunKey, record: &[u8]) -> Result<(), StoreError> {
        let path = self.folder.join(key.path());
        files::write_atomically(&path, record).map_err(|error| StoreError::Io(path, error))
    }

    /// Returns the keys of all records. Fails if a folder cannot be read.
    pub(super) fn list_keys(&self) -> Result<Vec<RunKey>, StoreError> {
        let mut keys = Vec::new();
        for start in list_folder_names(&self.folder.join(RUNS_FOLDER))? {
            for commit in list_folder_names(&self.folder.join(RUNS_FOLDER).join(&start))? {
                let folder = [RUNS_FOLDER, &start, &commit].join("/");
                let found = list_folder_names(&self.folder.join(&folder))?.into_iter();
                keys.extend(found.filter_map(|name| RunKey::parse(&format!("{folder}/{name}"))));
            }
        }
        Ok(keys)
    }

    /// Reads a record. Fails with [`StoreError::Missing`] or [`StoreError::Broken`].
    pub(super) fn read_record(&self, key: &RunKey) -> Result<Vec<u8>, StoreError> {
        let path = self.folder.join(key.path());
        read_limited(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => StoreError::Missing(key.id().to_owned()),
            _ => StoreError::Broken { path: key.path(), source: FileError::Io(error) },
        })
    }

    /// Removes records and the folders that become empty. Fails if a file cannot be removed.
    pub(super) fn remove_records(&self, keys: &[RunKey]) -> Result<(), StoreError> {
        for path in keys.iter().map(|key| self.folder.join(key.path())) {
            // Another process may have pruned the same run.
            files::remove_if_present(&path).map_err(|error| StoreError::Io(path.clone(), error))?;
            for folder in path.ancestors().skip(1).take(2) {
                // This fails if the folder holds other runs, as intended.
                let _ = fs::remove_dir(folder);
            }
        }
        Ok(())
    }
}

/// Reads a regular file of at most [`MAX_RECORD_BYTES`]. Other kinds of files are refused, because
/// reading from a pipe could wait forever.
fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    let mut content = Vec::new();
    files::open_plain_file(path)?.take(MAX_RECORD_BYTES as u64 + 1).read_to_end(&mut content)?;
    if content.len() > MAX_RECORD_BYTES {
        return Err(io::Error::other(format!("it is longer than {} MiB", MAX_RECORD_BYTES >> 20)));
    }
    Ok(content)
}

/// Returns the names in a folder; empty if it does not exist or is not a folder. Names that are not
/// UTF-8 are left out.
fn list_folder_names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(StoreError::Io(folder.to_owned(), error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| StoreError::Io(folder.to_owned(), error))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}
