//! A branch that holds files and is never checked out. It is read and written as git objects and
//! moved by compare and swap.

use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{ErrorCode, FileMode, ObjectType, Oid, Reference, Signature};

use super::{CommitId, GitError, Repository};

/// A file on a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BranchFile {
    /// Path relative to the root, with slashes.
    pub(crate) path: String,
    pub(super) blob: Oid,
}

/// A branch by name; it may not exist yet.
pub(crate) struct Branch<'a> {
    repository: &'a Repository,
    reference: String,
}

impl Repository {
    /// Returns a handle to the local branch `name`.
    ///
    /// Fails with [`GitError::InvalidBranchName`] if `name` is not a valid branch name. `HEAD` and
    /// names that begin with `refs/` are no names of branches: `refs/heads/x` would be
    /// `refs/heads/refs/heads/x`.
    pub(crate) fn open_branch(&self, name: &str) -> Result<Branch<'_>, GitError> {
        let refuse = || GitError::InvalidBranchName(name.to_owned());
        if name == "HEAD" || name.starts_with("refs/") {
            return Err(refuse());
        }
        self.open_reference(&format!("refs/heads/{name}")).ok_or_else(refuse)
    }

    /// Returns a handle to the branch with this full reference name, or `None` if the name is
    /// invalid.
    pub(crate) fn open_reference(&self, name: &str) -> Option<Branch<'_>> {
        let is_valid = Reference::is_valid_name(name) && !name.contains("/-");
        is_valid.then(|| Branch { repository: self, reference: name.to_owned() })
    }

    /// Returns the files of `commit` that lie exactly `depth` folders below `folder`.
    ///
    /// Links, submodules, names that are not UTF-8 and files at other depths are skipped. Fails if
    /// the commit or one of its trees cannot be read.
    pub(crate) fn list_files(
        &self,
        commit: &CommitId,
        folder: &str,
        depth: usize,
    ) -> Result<Vec<BranchFile>, GitError> {
        let tree = self.find_tree(commit)?;
        let mut found = Vec::new();
        match tree.get_path(Path::new(folder)) {
            Ok(entry) if entry.kind() == Some(ObjectType::Tree) => {
                self.collect_files(entry.id(), folder, depth, &mut found)?;
            }
            Ok(_) => {}
            Err(error) if error.code() == ErrorCode::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        Ok(found)
    }

    fn collect_files(
        &self,
        tree: Oid,
        path: &str,
        depth: usize,
        found: &mut Vec<BranchFile>,
    ) -> Result<(), GitError> {
        const REGULAR: [i32; 2] = [0o100_644, 0o100_755];
        for entry in &self.inner.find_tree(tree)? {
            let Ok(name) = entry.name() else { continue };
            let path = format!("{path}/{name}");
            match entry.kind() {
                Some(ObjectType::Tree) if depth > 0 => {
                    self.collect_files(entry.id(), &path, depth - 1, found)?;
                }
                Some(ObjectType::Blob) if depth == 0 && REGULAR.contains(&entry.filemode()) => {
                    found.push(BranchFile { path, blob: entry.id() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the file at `path`, or `None` if there is none.
    ///
    /// Fails if the commit or its trees cannot be read.
    pub(crate) fn find_file(
        &self,
        commit: &CommitId,
        path: &str,
    ) -> Result<Option<BranchFile>, GitError> {
        match self.find_tree(commit)?.get_path(Path::new(path)) {
            Ok(entry) if entry.kind() == Some(ObjectType::Blob) => {
                Ok(Some(BranchFile { path: path.to_owned(), blob: entry.id() }))
            }
            Ok(_) => Ok(None),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the names of the files and folders at the root of `commit`.
    ///
    /// Fails if the commit or its tree cannot be read.
    pub(crate) fn list_root_names(&self, commit: &CommitId) -> Result<Vec<String>, GitError> {
        let tree = self.find_tree(commit)?;
        Ok(tree
            .iter()
            .map(|entry| String::from_utf8_lossy(entry.name_bytes()).into_owned())
            .collect())
    }

    /// Returns the content of a file of at most `max_bytes` bytes.
    ///
    /// Fails with [`GitError::TooLarge`] if the file is larger, without loading it, and with
    /// [`GitError::Libgit2`] if it cannot be read.
    pub(crate) fn read_file(
        &self,
        entry: &BranchFile,
        max_bytes: usize,
    ) -> Result<Vec<u8>, GitError> {
        let objects = self.inner.odb()?;
        let (size, _) = objects.read_header(entry.blob)?;
        if size > max_bytes {
            return Err(GitError::TooLarge(size));
        }
        Ok(objects.read(entry.blob)?.data().to_owned())
    }

    /// Stores `content` as an object that [`Repository::write_commit`] can refer to.
    ///
    /// Fails if the object cannot be written.
    pub(crate) fn write_file(&self, path: String, content: &[u8]) -> Result<BranchFile, GitError> {
        Ok(BranchFile { path, blob: self.inner.blob(content)? })
    }

    /// Writes a commit that adds `files` to the content of `parent` and returns its id. Without a
    /// parent, the commit holds only `files`.
    ///
    /// No branch is moved. Fails if an object cannot be read or written.
    pub(crate) fn write_commit(
        &self,
        parent: Option<&CommitId>,
        files: &[BranchFile],
        message: &str,
    ) -> Result<CommitId, GitError> {
        let parent = parent.map(|id| self.find_commit(id)).transpose()?;
        let base = match &parent {
            Some(commit) => commit.tree()?,
            None => self.inner.find_tree(self.inner.treebuilder(None)?.write()?)?,
        };
        let mut update = TreeUpdateBuilder::new();
        for file in files {
            update.upsert(file.path.as_str(), file.blob, FileMode::Blob);
        }
        let tree = update.create_updated(&self.inner, &base)?;
        self.commit_tree(tree, &parent.iter().collect::<Vec<_>>(), message)
    }

    /// Writes a commit without parents that has the content of `commit` without the files at
    /// `paths` and with `files`, and returns its id.
    ///
    /// No branch is moved. Fails if an object cannot be read or written.
    pub(crate) fn write_root_commit(
        &self,
        commit: &CommitId,
        paths: impl IntoIterator<Item = String>,
        files: &[BranchFile],
        message: &str,
    ) -> Result<CommitId, GitError> {
        let mut update = TreeUpdateBuilder::new();
        for path in paths {
            update.remove(path);
        }
        for file in files {
            update.upsert(file.path.as_str(), file.blob, FileMode::Blob);
        }
        let tree = update.create_updated(&self.inner, &self.find_tree(commit)?)?;
        self.commit_tree(tree, &[], message)
    }

    fn commit_tree(
        &self,
        tree: Oid,
        parents: &[&git2::Commit<'_>],
        message: &str,
    ) -> Result<CommitId, GitError> {
        let author = match self.inner.signature() {
            Ok(author) => author,
            Err(_) => Signature::now("perfgate", "perfgate@localhost")?,
        };
        let tree = self.inner.find_tree(tree)?;
        Ok(self.inner.commit(None, &author, &author, message, &tree, parents)?.into())
    }

    fn find_commit(&self, id: &CommitId) -> Result<git2::Commit<'_>, GitError> {
        Ok(self.inner.find_commit(Oid::from_str(id.as_str())?)?)
    }

    pub(super) fn find_tree(&self, commit: &CommitId) -> Result<git2::Tree<'_>, GitError> {
        Ok(self.find_commit(commit)?.tree()?)
    }
}

impl Branch<'_> {
    /// Returns the commit that the branch points to, or `None` if the branch does not exist.
    ///
    /// Fails if the reference cannot be read.
    pub(crate) fn read_tip(&self) -> Result<Option<CommitId>, GitError> {
        match self.repository.inner.refname_to_id(&self.reference) {
            Ok(id) => Ok(Some(id.into())),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves the branch from `expected` to `commit`. `expected` is `None` if the branch must not
    /// exist yet.
    ///
    /// Fails with [`GitError::BranchMoved`] if the branch is not at `expected` or is locked, and
    /// with [`GitError::Libgit2`] if the reference cannot be written.
    pub(crate) fn compare_and_swap(
        &self,
        expected: Option<&CommitId>,
        commit: &CommitId,
    ) -> Result<(), GitError> {
        // libgit2 reads the zero id as "does not exist yet", and checks it under the lock.
        let expected = expected.map_or(Ok(Oid::ZERO_SHA1), |id| Oid::from_str(id.as_str()))?;
        let commit = Oid::from_str(commit.as_str())?;
        let inner = &self.repository.inner;
        match inner.reference_matching(&self.reference, commit, true, expected, "perfgate") {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.code() {
                ErrorCode::Modified
                | ErrorCode::Locked
                | ErrorCode::NotFound
                | ErrorCode::Exists => GitError::BranchMoved(self.reference.clone()),
                _ => error.into(),
            }),
        }
    }

    /// Returns the path of the branch's lock file, or `None` if the branch is not locked. A process
    /// that was killed leaves its lock file behind.
    pub(crate) fn find_lock_file(&self) -> Option<std::path::PathBuf> {
        let lock = self.repository.inner.commondir().join(format!("{}.lock", self.reference));
        lock.exists().then_some(lock)
    }
}
