//! The files of a whole commit: all of them, and one by the path that it would have in a checkout,
//! through symbolic links.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path};

use git2::{ErrorCode, ObjectType, TreeEntry};

use super::{BranchFile, CommitId, GitError, Repository};

/// Mode of a symbolic link in a tree.
const LINK: i32 = 0o120_000;

/// Maximum number of symbolic links on one path. More than this are a circle.
const MAX_LINKS: usize = 40;

/// Maximum length of the target of a symbolic link in bytes.
const MAX_LINK_BYTES: usize = 4096;

impl Repository {
    /// Returns the file that `path` leads to in a checkout of `commit`, through symbolic links, or
    /// `None` if there is none.
    ///
    /// Fails with [`GitError::LeadsOutside`] if the path leaves the repository, or if the commit,
    /// its trees or a link cannot be read.
    pub(crate) fn follow_file(
        &self,
        commit: &CommitId,
        path: &Path,
    ) -> Result<Option<BranchFile>, GitError> {
        let tree = self.find_tree(commit)?;
        let outside = || GitError::LeadsOutside(path.to_owned());
        let split = |path: &Path| -> Option<Vec<OsString>> {
            let is_relative = |part: &Component<'_>| {
                matches!(part, Component::Normal(_) | Component::CurDir | Component::ParentDir)
            };
            let parts = path.components().map(|part| is_relative(&part).then_some(part));
            parts.map(|part| Some(part?.as_os_str().to_owned())).collect()
        };
        let mut ahead = VecDeque::from(split(path).ok_or_else(outside)?);
        let mut behind: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(part) = ahead.pop_front() {
            if part == "." {
                continue;
            }
            if part == ".." {
                behind.pop().ok_or_else(outside)?;
                continue;
            }
            behind.push(part.to_string_lossy().into_owned());
            // Paths in git have slashes on every system.
            let here = behind.join("/");
            let entry = match tree.get_path(Path::new(&here)) {
                Ok(entry) => entry,
                Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            match entry.kind() {
                Some(ObjectType::Tree) => {}
                Some(ObjectType::Blob) if entry.filemode() == LINK => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Ok(None);
                    }
                    let link = BranchFile { path: here, blob: entry.id() };
                    let target = self.read_file(&link, MAX_LINK_BYTES)?;
                    let target = String::from_utf8_lossy(&target).into_owned();
                    behind.pop();
                    let target = split(Path::new(&target)).ok_or_else(outside)?;
                    target.into_iter().rev().for_each(|part| ahead.push_front(part));
                }
                Some(ObjectType::Blob) if ahead.is_empty() => {
                    return Ok(Some(BranchFile { path: here, blob: entry.id() }));
                }
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Calls `visit` for each file and link of `commit`, with the path of its folder.
    ///
    /// Names may be any bytes; those that are not UTF-8 are replaced in the path. Fails if the
    /// commit or one of its trees cannot be read.
    pub(super) fn visit_files(
        &self,
        commit: &CommitId,
        mut visit: impl FnMut(&str, &TreeEntry<'_>),
    ) -> Result<(), GitError> {
        let mut open = vec![(String::new(), self.find_tree(commit)?)];
        while let Some((folder, tree)) = open.pop() {
            for entry in &tree {
                match entry.kind() {
                    Some(ObjectType::Tree) => {
                        let name = String::from_utf8_lossy(entry.name_bytes());
                        open.push((format!("{folder}{name}/"), self.inner.find_tree(entry.id())?));
                    }
                    Some(ObjectType::Blob) => visit(&folder, &entry),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Returns the paths of all files and links of `commit` with this name, wherever they are.
    ///
    /// Fails if the commit or one of its trees cannot be read.
    pub(crate) fn list_files_named(
        &self,
        commit: &CommitId,
        name: &str,
    ) -> Result<Vec<String>, GitError> {
        let mut found = Vec::new();
        self.visit_files(commit, |folder, entry| {
            if entry.name_bytes() == name.as_bytes() {
                found.push(format!("{folder}{name}"));
            }
        })?;
        Ok(found)
    }
}
