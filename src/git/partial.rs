//! Files that a clone knows by name only. A clone with a filter has commits and folders, and gets the
//! content of files when it is needed.

use std::collections::BTreeSet;

use git2::Oid;

use super::command::GitCommand;
use super::remote::is_reference_missing;
use super::{BranchFile, CommitId, GitError, GitToken, Remote, Repository};

/// Maximum number of files that one request asks for. Their ids are arguments of a command.
const MAX_REQUESTED_FILES: usize = 1000;

/// A branch of another repository, in a separate repository that has the content of its files only
/// where it was needed.
pub(crate) struct BranchView {
    /// The separate repository.
    pub(crate) repository: Repository,
    /// The commit that the branch was at.
    pub(crate) tip: CommitId,
    /// The name of the remote, its address or its path.
    pub(crate) remote: String,
}

impl Remote<'_> {
    /// Fetches the last commit of `branch` into a separate repository, without the content of its
    /// files. If the server cannot leave it out, it comes too. Returns `None` if the remote has no
    /// such branch.
    ///
    /// Fails if the fetch fails or the separate repository cannot be created.
    pub(crate) fn fetch_view(&self, branch: &str) -> Result<Option<BranchView>, GitError> {
        let folder = self.repository.inner.commondir().join("perfgate").join("data.git");
        let inner = git2::Repository::init_bare(&folder)?;
        let (from, into) = (format!("refs/heads/{branch}"), format!("refs/perfgate/view/{branch}"));
        let refspec = format!("+{from}:{into}");
        let arguments = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1"];
        let flags = ["--no-auto-maintenance", "--filter=blob:none", "--", &self.url, &refspec];
        let git = GitCommand::new(&folder).with_token(self.token.as_ref(), &self.url);
        match git.try_run(&[&arguments[..], &flags].concat())? {
            (_, None) => {}
            (_, Some(message)) if is_reference_missing(&message, &from) => return Ok(None),
            (_, Some(message)) => return Err(self.explain_failure("fetch", &message)),
        }
        let repository = Repository { inner };
        let tip = repository.resolve_revision(&into)?;
        Ok(Some(BranchView { repository, tip, remote: self.name.clone() }))
    }
}

impl Repository {
    /// Fetches the content of those `files` that this clone knows by name only. Does nothing in a
    /// clone without a filter.
    ///
    /// Fails if the fetch fails.
    pub(crate) fn fetch_files<'a>(
        &self,
        files: impl IntoIterator<Item = &'a BranchFile>,
    ) -> Result<(), GitError> {
        self.fetch_objects(files.into_iter().map(|file| file.blob).collect())
    }

    /// Fetches the content of the files of `commit` that this clone knows by name only, so that the
    /// commit can be checked out by a git without a token.
    ///
    /// Does nothing in a clone without a filter, or if the clone lacks the commit. Fails if the
    /// commit cannot be read or the fetch fails.
    pub(crate) fn fetch_files_of(&self, commit: &CommitId) -> Result<(), GitError> {
        if !self.is_partial()? || !self.has_commit(commit) {
            return Ok(());
        }
        let mut files = BTreeSet::new();
        self.visit_files(commit, |_, entry| {
            files.insert(entry.id());
        })?;
        self.fetch_objects(files)
    }

    /// Returns whether this clone has a filter, so that it may know files by name only.
    ///
    /// Fails if the configuration cannot be read.
    pub(crate) fn is_partial(&self) -> Result<bool, GitError> {
        Ok(self.find_promisor()?.is_some())
    }

    /// Fetches the objects that this clone lacks.
    fn fetch_objects(&self, mut objects: BTreeSet<Oid>) -> Result<(), GitError> {
        let present = self.inner.odb()?;
        objects.retain(|id| !present.exists(*id));
        if objects.is_empty() {
            return Ok(());
        }
        let Some(promisor) = self.find_promisor()? else { return Ok(()) };
        let remote = self.open_remote(&promisor, GitToken::from_environment())?;
        let ids: Vec<String> = objects.iter().map(Oid::to_string).collect();
        for ids in ids.chunks(MAX_REQUESTED_FILES) {
            // The server would leave out what a commit that this clone has refers to.
            let mut arguments = vec!["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet"];
            arguments.extend(["--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"]);
            arguments.extend(["--no-auto-maintenance", "--filter=blob:none", "--", &promisor]);
            arguments.extend(ids.iter().map(String::as_str));
            let git = GitCommand::new(self.folder()).with_token(remote.token.as_ref(), &remote.url);
            if let (_, Some(message)) = git.try_run(&arguments)? {
                return Err(remote.explain_failure("fetch", &message));
            }
        }
        Ok(())
    }

    /// Returns the name or the address of the remote that promised to deliver what this clone lacks.
    /// Returns `None` for a clone without a filter.
    fn find_promisor(&self) -> Result<Option<String>, GitError> {
        let mut found = None;
        self.inner.config()?.entries(Some(r"^remote\..*\.promisor$"))?.for_each(|entry| {
            let Ok(name) = entry.name() else { return };
            let name = name.strip_prefix("remote.").and_then(|name| name.strip_suffix(".promisor"));
            if entry.value().is_ok_and(|value| value == "true") {
                found = name.map(str::to_owned);
            }
        })?;
        Ok(found)
    }
}
