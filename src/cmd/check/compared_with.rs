//! The data that a check compares the candidate with.

use std::path::Path;

use anyhow::Result;

use super::shared;
use crate::cli::RemoteArgs;
use crate::git::CommitId;
use crate::host::Host;
use crate::run::Run;
use crate::session::project::Project;
use crate::session::{CommandError, read_run};
use crate::store::{BaselineMatch, RunKind, Store, StoredBaseline};
use crate::verdict;

/// The kind of baseline that the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BaselineChoice {
    /// Stored runs screen, and rounds confirm.
    Auto,
    /// Stored runs alone.
    Stored,
    /// No baseline.
    None,
    /// A run file.
    File(std::path::PathBuf),
    /// A branch, tag or commit.
    Revision(String),
    /// The command of the baseline and the command of the candidate.
    Commands(String, String),
}

impl BaselineChoice {
    /// Parses the value of `--baseline`: a keyword, else an existing file, else a revision.
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "auto" => Self::Auto,
            "stored" => Self::Stored,
            "none" => Self::None,
            path if Path::new(path).is_file() => Self::File(path.into()),
            revision => Self::Revision(revision.to_owned()),
        }
    }
}

/// The baseline that was found, which may be empty.
#[derive(Debug, Default)]
pub(super) struct ComparedWith {
    /// The run of a run file, if one was given.
    file: Option<Run>,
    /// Stored runs of one commit on the candidate's machine.
    stored: Vec<Run>,
    /// The nearest stored commit, measured on this machine or another; `None` if none is stored.
    pub(super) commit: Option<CommitId>,
    /// Notes on the baseline, for the warnings of the decision.
    pub(super) notes: Vec<String>,
}

impl ComparedWith {
    /// Returns an empty baseline with a note that says why.
    pub(super) fn with_note(note: &str) -> Self {
        Self { notes: vec![note.to_owned()], ..Self::default() }
    }

    /// Reads the baseline from a run file.
    ///
    /// Fails if the file cannot be read.
    pub(super) fn read_file(path: &Path) -> Result<Self> {
        Ok(Self { file: Some(read_run(path)?), ..Self::default() })
    }

    /// Finds the stored runs of the nearest measured ancestor of the candidate, on its machine.
    ///
    /// Fetches the store's branch and the history that a shallow clone lacks, if needed. Fails if
    /// the store cannot be read.
    pub(super) fn find_stored(
        store: &Store,
        remote: &RemoteArgs,
        project: &Project,
        candidate: &Run,
    ) -> Result<Self> {
        // Plan: identify the candidate's commit, fetch what is missing, then look up the ancestry.
        let Some((repository, commit)) = project.repository.as_ref().zip(candidate.commit.as_ref())
        else {
            return Ok(Self::with_note(
                "no baseline: what was measured is no commit of this repository",
            ));
        };
        let Some(commit) = CommitId::parse(&commit.id) else {
            return Ok(Self::with_note(&format!("no baseline: `{}` is no commit id", commit.id)));
        };
        let mut notes: Vec<String> = shared::fetch_branch(store, remote).into_iter().collect();
        let has_runs = !store.list().map_err(CommandError::from)?.is_empty();
        let ancestry = shared::find_ancestry(repository, &commit, has_runs, &mut notes);
        let lookup = store
            .find_baseline(ancestry, RunKind::from_run(candidate))
            .map_err(CommandError::from)?;
        notes.extend(lookup.warnings);
        Ok(Self::from_found(lookup.found, notes))
    }

    /// Finds the stored runs of exactly this commit.
    ///
    /// Fails if the store cannot be read or has no run of the commit.
    pub(super) fn find_stored_at(
        store: &Store,
        revision: &str,
        commit: &CommitId,
        candidate: &Run,
    ) -> Result<Self> {
        let lookup = store
            .find_baseline([commit.clone()], RunKind::from_run(candidate))
            .map_err(CommandError::from)?;
        if matches!(lookup.found, BaselineMatch::Nothing) {
            let message = format!("no run of `{revision}` ({}) is stored", commit.short_id());
            let help = "`perfgate baseline list` shows what is; without --run it is measured";
            return Err(CommandError::new_usage(message).with_help(help).into());
        }
        Ok(Self::from_found(lookup.found, lookup.warnings))
    }

    fn from_found(found: BaselineMatch, mut notes: Vec<String>) -> Self {
        let mut nearest = None;
        let stored = match found {
            BaselineMatch::Baseline(StoredBaseline { commit, runs }) => {
                nearest = Some(commit);
                runs
            }
            BaselineMatch::OtherHost { commit, hosts } => {
                notes.push(format!(
                    "no baseline of this machine: {} was measured on {}",
                    commit.short_id(),
                    hosts.iter().map(describe_machine).collect::<Vec<_>>().join(" and on ")
                ));
                nearest = Some(commit);
                Vec::new()
            }
            BaselineMatch::Nothing => {
                let note = "no baseline yet: no ancestor of this commit is stored";
                notes.push(note.to_owned());
                Vec::new()
            }
        };
        Self { stored, notes, commit: nearest, file: None }
    }

    /// Returns the commit of the baseline, if it is known.
    pub(super) fn base_commit(&self) -> Option<CommitId> {
        let file_commit = self.file.as_ref().and_then(|run| run.commit.as_ref());
        self.commit.clone().or_else(|| CommitId::parse(&file_commit?.id))
    }

    /// Returns the baseline as evidence that can decide alone.
    pub(super) fn as_baseline(&self) -> verdict::BaselineEvidence<'_> {
        match &self.file {
            Some(run) => verdict::BaselineEvidence::File(run),
            None if self.stored.is_empty() => verdict::BaselineEvidence::None,
            None => verdict::BaselineEvidence::Stored(&self.stored),
        }
    }
}

impl ComparedWith {
    /// Returns the stored runs as a screen, which cannot fail a benchmark alone.
    pub(super) fn as_screen(&self) -> verdict::BaselineEvidence<'_> {
        if self.stored.is_empty() {
            verdict::BaselineEvidence::None
        } else {
            verdict::BaselineEvidence::Screen(&self.stored)
        }
    }
}

fn describe_machine(host: &Host) -> String {
    format!("{} ({} cores, {})", host.cpu_model, host.cores, host.kernel)
}
