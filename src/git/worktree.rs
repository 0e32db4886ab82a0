//! Worktrees for other commits. The user's git creates them, so that its filters run. They are
//! removed again, by a later process if this one is killed.

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::command::GitCommand;
use super::{CommitId, GitError, Repository, resolve_path};

/// File mode by which git marks a submodule.
const SUBMODULE_MODE: u32 = 0o160_000;

/// A detached checkout of a commit, removed when dropped.
///
/// A record file in the repository holds the path of the worktree and stays locked while this
/// process lives. A later process recognizes the remains of a killed process by a record file that
/// is not locked.
pub(crate) struct Worktree {
    path: PathBuf,
    repository: PathBuf,
    record_file: PathBuf,
    _lock: File,
}

impl Repository {
    /// Checks out `commit` in the folder `path`, which must be empty or not exist yet.
    ///
    /// Fails with [`GitError::Io`] if the folder or the record file cannot be created, and with
    /// [`GitError::CommandFailed`] if git cannot check out the commit.
    pub(crate) fn add_worktree(
        &self,
        path: &Path,
        commit: &CommitId,
    ) -> Result<Worktree, GitError> {
        let io_error_at = |path: &Path| {
            let path = path.to_owned();
            move |error| GitError::Io(path, error)
        };
        let records = self.worktree_record_folder();
        fs::create_dir_all(&records).map_err(io_error_at(&records))?;
        fs::create_dir_all(path).map_err(io_error_at(path))?;
        let path = path.canonicalize().map_err(io_error_at(path))?;
        let mut file = tempfile::Builder::new()
            .prefix("starting-")
            .tempfile_in(&records)
            .map_err(io_error_at(&records))?;
        file.as_file().lock().map_err(io_error_at(&records))?;
        file.write_all(path.as_os_str().as_encoded_bytes()).map_err(io_error_at(&records))?;
        let name = file.path().file_name().unwrap_or_default().to_string_lossy();
        let record = records.join(name.replace("starting-", "worktree-"));
        // Rename the record only after it is locked: an unlocked record then always belongs to a
        // dead process.
        let lock = file.persist(&record).map_err(|error| io_error_at(&record)(error.error))?;
        let repository = self.inner.commondir().to_owned();
        let worktree = Worktree { path, repository, record_file: record, _lock: lock };
        let git = GitCommand::new(self.folder());
        git.run(&[
            "worktree".as_ref(),
            "add".as_ref(),
            "--quiet".as_ref(),
            "--detach".as_ref(),
            "--force".as_ref(),
            worktree.path.as_os_str(),
            commit.as_str().as_ref(),
        ])?;
        Ok(worktree)
    }

    /// Removes the worktrees of processes that were killed, and returns their paths.
    ///
    /// Fails if a record file cannot be tested for its lock.
    pub(crate) fn remove_stale_worktrees(&self) -> Result<Vec<PathBuf>, GitError> {
        let records = self.worktree_record_folder();
        let Ok(entries) = fs::read_dir(&records) else { return Ok(Vec::new()) };
        let mut removed = Vec::new();
        for record in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let is_ours = record
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"worktree-"));
            let Some(mut lock) = is_ours.then(|| File::open(&record).ok()).flatten() else {
                continue;
            };
            // A process holds the lock of its record as long as it lives.
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(GitError::Io(record, error)),
            }
            // Dropping the worktree removes it together with its record.
            let mut path = String::new();
            if lock.read_to_string(&mut path).is_ok() {
                let path = PathBuf::from(path);
                let repository = self.inner.commondir().to_owned();
                drop(Worktree { path: path.clone(), repository, record_file: record, _lock: lock });
                removed.push(path);
            }
        }
        Ok(removed)
    }

    /// Returns the folder of the record files.
    fn worktree_record_folder(&self) -> PathBuf {
        self.inner.commondir().join("perfgate")
    }
}

impl Worktree {
    /// Returns the folder of the worktree.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the paths of the submodules, which git leaves empty in a worktree until somebody
    /// fills them.
    ///
    /// Fails if the index of the worktree cannot be read.
    pub(crate) fn list_empty_submodules(&self) -> Result<Vec<String>, GitError> {
        let index = git2::Repository::open(self.path())?.index()?;
        let submodules = index.iter().filter(|entry| entry.mode == SUBMODULE_MODE);
        let paths = submodules.map(|entry| String::from_utf8_lossy(&entry.path).into_owned());
        let is_empty = |path: &String| {
            fs::read_dir(self.path().join(path)).is_ok_and(|mut entries| entries.next().is_none())
        };
        Ok(paths.filter(is_empty).collect())
    }

    /// Returns whether the folder is a worktree of this repository. An incomplete worktree, which
    /// git does not recognize, still names its repository in its `.git` file.
    fn belongs_to_repository(&self) -> bool {
        let Ok(link) = fs::read_to_string(self.path.join(".git")) else { return false };
        let Some(target) = link.strip_prefix("gitdir: ") else { return false };
        let target = Path::new(target.trim());
        let records = target.parent().map(resolve_path);
        records.is_some_and(|records| records == resolve_path(&self.repository).join("worktrees"))
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        let git = GitCommand::new(&self.repository);
        let is_ours = self.belongs_to_repository();
        let remove = ["worktree", "remove", "--force", "--force", "--"].map(std::ffi::OsStr::new);
        let removed = git.run(&[&remove[..], &[self.path.as_os_str()]].concat());
        if removed.is_err() && is_ours {
            let _ = fs::remove_dir_all(&self.path);
        } else if removed.is_err() {
            let _ = fs::remove_dir(&self.path);
        }
        let _ = git.run(&["worktree", "prune"]);
        let _ = fs::remove_file(&self.record_file);
    }
}
