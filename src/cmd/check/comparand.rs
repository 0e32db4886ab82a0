//! What a check compares with.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;

use super::super::project::Project;
use super::super::{Refusal, files};
use super::shared;
use crate::cli::RemoteArgs;
use crate::git::CommitId;
use crate::host::Host;
use crate::run::{BenchmarkId, Run};
use crate::stats::random_effects::LEAST_RUNS;
use crate::store::{Baseline, Found, Kind, Store};
use crate::verdict::{self, Change, Decision};

/// What `--baseline` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The store screens, rounds confirm.
    Auto,
    /// The store alone.
    Stored,
    /// Nothing.
    None,
    /// A run file.
    File(std::path::PathBuf),
    /// A branch, tag or commit.
    Revision(String),
    /// A command for the baseline, and one for the candidate.
    Commands(String, String),
}

impl Choice {
    /// Reads the flag: a word, else an existing file, else a revision.
    pub(super) fn of(text: &str) -> Self {
        match text {
            "auto" => Self::Auto,
            "stored" => Self::Stored,
            "none" => Self::None,
            path if Path::new(path).is_file() => Self::File(path.into()),
            revision => Self::Revision(revision.to_owned()),
        }
    }
}

/// What there is to compare with.
#[derive(Debug, Default)]
pub(super) struct Comparand {
    file: Option<Run>,
    stored: Vec<Run>,
    /// The nearest commit that was measured, on this machine or another.
    pub(super) commit: Option<CommitId>,
    /// What the reader should know about it.
    pub(super) notes: Vec<String>,
}

impl Comparand {
    /// Nothing, and why.
    pub(super) fn noted(note: &str) -> Self {
        Self { notes: vec![note.to_owned()], ..Self::default() }
    }

    /// A run file.
    pub(super) fn file(path: &Path) -> Result<Self> {
        Ok(Self { file: Some(files::read_run(path)?), ..Self::default() })
    }

    /// Stored runs of the candidate's ancestors on its machine.
    pub(super) fn stored(
        store: &Store,
        remote: &RemoteArgs,
        project: &Project,
        candidate: &Run,
    ) -> Result<Self> {
        let Some((repository, commit)) = project.repository.as_ref().zip(candidate.commit.as_ref())
        else {
            return Ok(Self::noted(
                "no baseline: what was measured is no commit of this repository",
            ));
        };
        let Some(commit) = CommitId::parse(&commit.id) else {
            return Ok(Self::noted(&format!("no baseline: `{}` is no commit id", commit.id)));
        };
        let mut notes: Vec<String> = shared::fetch_branch(store, remote).into_iter().collect();
        let has_runs = !store.list().map_err(Refusal::from)?.is_empty();
        let ancestry = shared::ancestry(repository, &commit, has_runs, &mut notes);
        let lookup = store.baseline(ancestry, Kind::of(candidate)).map_err(Refusal::from)?;
        notes.extend(lookup.warnings);
        Ok(Self::found(lookup.found, notes))
    }

    /// Stored runs of exactly this commit.
    pub(super) fn stored_at(
        store: &Store,
        revision: &str,
        commit: &CommitId,
        candidate: &Run,
    ) -> Result<Self> {
        let lookup =
            store.baseline([commit.clone()], Kind::of(candidate)).map_err(Refusal::from)?;
        if matches!(lookup.found, Found::Nothing) {
            let message = format!("no run of `{revision}` ({}) is stored", commit.short());
            let help = "`perfgate baseline list` shows what is; without --run it is measured";
            return Err(Refusal::usage(message).help(help).into());
        }
        Ok(Self::found(lookup.found, lookup.warnings))
    }

    fn found(found: Found, mut notes: Vec<String>) -> Self {
        let mut nearest = None;
        let stored = match found {
            Found::Baseline(Baseline { commit, runs }) => {
                nearest = Some(commit);
                runs
            }
            Found::OtherHost { commit, hosts } => {
                notes.push(format!(
                    "no baseline of this machine: {} was measured on {}",
                    commit.short(),
                    hosts.iter().map(machine).collect::<Vec<_>>().join(" and on ")
                ));
                nearest = Some(commit);
                Vec::new()
            }
            Found::Nothing => {
                let note = "no baseline yet: no ancestor of this commit is stored";
                notes.push(note.to_owned());
                Vec::new()
            }
        };
        Self { stored, notes, commit: nearest, file: None }
    }

    /// The commit that is compared with, where it is known.
    pub(super) fn base(&self) -> Option<CommitId> {
        let of_file = self.file.as_ref().and_then(|run| run.commit.as_ref());
        self.commit.clone().or_else(|| CommitId::parse(&of_file?.id))
    }

    /// As evidence.
    pub(super) fn baseline(&self) -> verdict::Baseline<'_> {
        match &self.file {
            Some(run) => verdict::Baseline::File(run),
            None if self.stored.is_empty() => verdict::Baseline::None,
            None => verdict::Baseline::Stored(&self.stored),
        }
    }
}

impl Comparand {
    /// The stored runs as a screen.
    pub(super) fn screen(&self) -> verdict::Baseline<'_> {
        if self.stored.is_empty() {
            verdict::Baseline::None
        } else {
            verdict::Baseline::Screen(&self.stored)
        }
    }

    /// What a screen leaves to be confirmed: what it does not pass; everything where it rests on too
    /// few runs to be one.
    pub(super) fn unsettled(&self, screen: &Decision) -> HashSet<BenchmarkId> {
        let is_screen = self.stored.len() >= LEAST_RUNS;
        let open = screen.benchmarks.iter().filter(|judgement| match judgement.change {
            Change::Inconclusive => true,
            Change::Unchanged => !is_screen,
            Change::New => self.stored.is_empty(),
            // A screen says of nothing that it changed.
            Change::Regressed | Change::Improved | Change::Missing | Change::Failed => false,
        });
        open.map(verdict::Judgement::identity).collect()
    }
}

fn machine(host: &Host) -> String {
    format!("{} ({} cores, {})", host.cpu_model, host.cores, host.kernel)
}
