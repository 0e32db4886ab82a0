//! Commit subjects, release tags, changed files, and web addresses of the repository.

use std::collections::HashMap;
use std::path::PathBuf;

use super::command::GitCommand;
use super::{CommitId, GitError, Repository, parse_release_version};

impl Repository {
    /// Returns the first line of the commit's message, or an empty string if the commit was not
    /// fetched.
    pub(crate) fn read_subject(&self, id: &CommitId) -> String {
        let commit = git2::Oid::from_str(id.as_str()).and_then(|id| self.inner.find_commit(id));
        let subject = commit.ok().and_then(|commit| {
            let line = String::from_utf8_lossy(commit.message_bytes()).lines().next()?.to_owned();
            Some(line)
        });
        subject.unwrap_or_default()
    }

    /// Returns the files that differ between two commits, as paths relative to the repository root.
    ///
    /// Fails if `git diff` fails, for example because a commit was not fetched.
    pub(crate) fn list_changed_files(
        &self,
        from: &CommitId,
        to: &CommitId,
    ) -> Result<Vec<PathBuf>, GitError> {
        self.list_differences(&[from.as_str(), to.as_str()])
    }

    /// Returns the files that only one of two commits has, or that are of another type in each, as
    /// paths relative to the repository root.
    ///
    /// Fails if `git diff` fails.
    pub(crate) fn list_unpaired_files(
        &self,
        from: &CommitId,
        to: &CommitId,
    ) -> Result<Vec<PathBuf>, GitError> {
        self.list_differences(&["--diff-filter=ADT", from.as_str(), to.as_str()])
    }

    /// Returns the files of the working tree that differ from the commit `from`, as paths relative to
    /// the repository root. Files that git does not track are left out.
    ///
    /// Fails if `git diff` fails, for example because the commit was not fetched.
    pub(crate) fn list_changes_since(&self, from: &CommitId) -> Result<Vec<PathBuf>, GitError> {
        self.list_differences(&[from.as_str()])
    }

    /// Returns the files that `git diff` names for these revisions.
    fn list_differences(&self, revisions: &[&str]) -> Result<Vec<PathBuf>, GitError> {
        // `.gitmodules`, which belongs to the commits, may hide the changes of a submodule.
        let flags = ["diff", "--name-only", "--no-renames", "--ignore-submodules=none", "-z"];
        let changed =
            GitCommand::new(self.folder()).run(&[&flags[..], revisions, &["--"]].concat())?;
        let names = changed.split('\0').filter(|name| !name.is_empty());
        Ok(names.map(PathBuf::from).collect())
    }

    /// Returns the number of commits that `other` has and `head` lacks, and the commit at which they
    /// parted. Returns `None` if they have no common ancestor in this clone.
    ///
    /// Fails if libgit2 cannot read the history.
    pub(crate) fn count_lacking_commits(
        &self,
        head: &CommitId,
        other: &CommitId,
    ) -> Result<Option<(usize, CommitId)>, GitError> {
        let [head, other] =
            [git2::Oid::from_str(head.as_str())?, git2::Oid::from_str(other.as_str())?];
        let merge_base = match self.inner.merge_base(head, other) {
            Ok(merge_base) => merge_base,
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (_, lacking) = self.inner.graph_ahead_behind(head, other)?;
        Ok(Some((lacking, merge_base.into())))
    }

    /// Returns the release tags by the commit they name. If a commit has several, the latest
    /// version is returned.
    ///
    /// Fails if the tags cannot be listed.
    pub(crate) fn list_releases(&self) -> Result<HashMap<CommitId, String>, GitError> {
        let mut releases: HashMap<CommitId, (Vec<u64>, String)> = HashMap::new();
        for name in &self.inner.tag_names(None)? {
            let Ok(Some(name)) = name else { continue };
            let Some(version) = parse_release_version(name) else { continue };
            let Ok(id) = self.resolve_revision(&format!("refs/tags/{name}")) else { continue };
            let release = (version, name.to_owned());
            let latest = releases.entry(id).or_insert_with(|| release.clone());
            if *latest < release {
                *latest = release;
            }
        }
        Ok(releases.into_iter().map(|(id, (_, name))| (id, name)).collect())
    }

    /// Returns the web page of the repository that `origin` was cloned from, or `None` if its
    /// address is not on the web.
    pub(crate) fn find_web_address(&self) -> Option<String> {
        let origin = self.inner.find_remote("origin").ok()?;
        build_web_address(origin.url().ok()?)
    }
}

/// Converts a clone address to the address of the repository's web page, without user, password and
/// `.git`. Returns `None` for local paths and unknown schemes.
fn build_web_address(url: &str) -> Option<String> {
    let place = match url.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", place)) => {
            place.rsplit_once('@').map_or(place, |(_, place)| place).to_owned()
        }
        Some(_) => return None,
        None => {
            let (host, path) = url.split_once(':')?;
            let (_, host) = host.split_once('@')?;
            format!("{host}/{path}")
        }
    };
    let place = place.trim_end_matches('/').trim_end_matches(".git");
    place.contains('/').then(|| format!("https://{place}"))
}

#[cfg(test)]
mod tests {
    use super::build_web_address;

    #[test]
    fn the_web_page_of_a_repository_has_no_credentials() {
        let page = Some("https://example.org/owner/name".to_owned());
        for url in [
            "https://example.org/owner/name.git",
            "https://user:secret@example.org/owner/name",
            "git@example.org:owner/name.git",
            "ssh://git@example.org/owner/name.git",
        ] {
            assert_eq!(build_web_address(url), page, "{url}");
        }
        for local in ["/srv/git/name.git", "file:///srv/name.git", "../name", "C:\\name"] {
            assert_eq!(build_web_address(local), None, "{local}");
        }
    }
}
