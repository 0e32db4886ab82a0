//! The data that a check compares the candidate with.

use std::path::Path;

use anyhow::Result;

use super::change_base::BaseSearch;
use super::inputs::{BaselineChoice, CheckInputs, CheckedModel};
use super::remote;
use crate::git::{CommitId, Repository};
use crate::host::Host;
use crate::note::{Note, StoredMachine};
use crate::policy::Policy;
use crate::run::Run;
use crate::session::pair::{Pair, PairAttempt, PairBuilder, SideObstacle};
use crate::session::{CommandError, print, read_run};
use crate::store::{BaselineMatch, Store, StoredBaseline};
use crate::verdict::{BaselineEvidence, keep_runs_like};

/// What the candidate is compared with, which may be nothing.
#[derive(Default)]
pub(super) struct ComparedWith {
    /// The baseline that exists already.
    baseline: FoundBaseline,
    /// The two sides that the command line names, both built; `None` if it names none, or if the
    /// base cannot be built.
    pub(super) pair: Option<Box<Pair>>,
    /// The commit of the baseline, if it is known. Stored runs may be of another machine.
    pub(super) commit: Option<CommitId>,
    /// What went wrong while the baseline was looked for.
    pub(super) notes: Vec<Note>,
}

/// A baseline that exists before a check measures anything.
#[derive(Debug, Default)]
enum FoundBaseline {
    /// No baseline.
    #[default]
    Nothing,
    /// The run of a run file.
    File(Box<Run>),
    /// Stored runs on the candidate's machine, which decide alone. Empty if the stored runs are of
    /// other machines.
    Stored(Vec<Run>),
    /// Stored runs on the candidate's machine, of which rounds confirm what they do not pass. Empty
    /// if the stored runs are of other machines.
    Screen(Vec<Run>),
}

/// Finds the baseline that `--baseline` asks for, or builds the two sides that the command line
/// names. An absent baseline is a note, not an error.
///
/// Fails if a run file, the store or the repository cannot be read, if a named commit is not known,
/// or if Cargo rejects the workspace.
pub(super) fn find(check: &CheckInputs<'_>) -> Result<ComparedWith> {
    match &check.choice {
        BaselineChoice::None => Ok(ComparedWith::default()),
        BaselineChoice::File(path) => ComparedWith::read_file(path),
        BaselineChoice::Commands(baseline, candidate) => {
            let head = check.head.clone();
            let pair = Box::new(Pair::from_commands(baseline, candidate, head));
            Ok(ComparedWith { pair: Some(pair), ..ComparedWith::default() })
        }
        BaselineChoice::Models(baseline, _) => ComparedWith::from_models(check, baseline),
        BaselineChoice::Auto => ComparedWith::find_stored(check)?.or_base_of_change(check),
        BaselineChoice::Stored => ComparedWith::find_stored(check),
        BaselineChoice::Revision(revision) => {
            let (repository, commit) = check.session.project.resolve_commit(revision)?;
            // A candidate that is read from a file cannot be measured in rounds, so it needs a
            // stored run of the commit.
            if check.session.given_run.is_none() {
                return ComparedWith::from_revision(check, repository, revision, commit);
            }
            match check.session.store.open_if_present()? {
                Some(store) => ComparedWith::find_stored_at(check, store, revision, &commit),
                None => Ok(ComparedWith::without_store()),
            }
        }
    }
}

impl ComparedWith {
    /// Returns an empty baseline with a note that gives the reason.
    fn with_note(note: Note) -> Self {
        Self { notes: vec![note], ..Self::default() }
    }

    /// Returns an empty baseline for a project without a store.
    fn without_store() -> Self {
        Self::with_note(Note::NoRepository)
    }

    /// Reads the baseline from a run file.
    ///
    /// Fails if the file cannot be read.
    fn read_file(path: &Path) -> Result<Self> {
        let run = read_run(path)?;
        let commit = run.commit.as_ref().and_then(|commit| CommitId::parse(&commit.id));
        Ok(Self { baseline: FoundBaseline::File(Box::new(run)), commit, ..Self::default() })
    }

    /// Opens the model at `baseline`, to be measured in rounds beside that of the candidate.
    ///
    /// Fails if it cannot be opened or run.
    fn from_models(check: &CheckInputs<'_>, baseline: &Path) -> Result<Self> {
        let Some(CheckedModel { settings, command }) = &check.model else {
            return Ok(Self::default());
        };
        let effort = &check.session.effort.effort;
        let interrupt = &check.session.interrupt;
        let baseline = settings.open_model(baseline, effort, interrupt)?;
        let head = check.head.clone();
        let pair = Pair::from_models(baseline, command.clone(), head, effort, interrupt)?;
        Ok(Self { pair: Some(Box::new(pair)), ..Self::default() })
    }

    /// Builds `base`, which is the commit of `revision`, and the checked-out head. A side that cannot
    /// be built is a note.
    ///
    /// Fails if the base cannot be fetched, or if Cargo rejects the workspace in the working tree.
    fn from_revision(
        check: &CheckInputs<'_>,
        repository: &Repository,
        revision: &str,
        base: CommitId,
    ) -> Result<Self> {
        let attempt = build_pair(check, repository, &base)?;
        let mut found = Self::from_attempt(attempt, &base);
        found.notes.extend(note_lacking_commits(check, repository, revision, &base));
        Ok(Self { commit: Some(base), ..found })
    }

    /// Returns the pair of the attempt, or a note that names the side that cannot be built.
    fn from_attempt(attempt: PairAttempt, base: &CommitId) -> Self {
        match attempt {
            PairAttempt::Ready(pair) => Self { pair: Some(pair), ..Self::default() },
            PairAttempt::NoBase(obstacle) => Self::with_note(note_unbuilt_base(obstacle, base)),
            PairAttempt::NoHead(cause) => Self::with_note(Note::HeadNotBuilt { cause }),
        }
    }

    /// Returns this baseline if its stored runs are a usable screen. Else builds the base of the
    /// change, to be measured in rounds. A base that cannot be measured is a note. Without a base
    /// there is nothing else to compare with than what is stored.
    ///
    /// Fails if a signal interrupts the build.
    fn or_base_of_change(mut self, check: &CheckInputs<'_>) -> Result<Self> {
        if self.is_usable() {
            return Ok(self);
        }
        let base = match &check.base {
            BaseSearch::Found(base) => base.commit.clone(),
            BaseSearch::NoChange => return Ok(self),
            BaseSearch::Unknown(note) => {
                self.notes.extend(note.clone());
                return Ok(self);
            }
        };
        let commit = base.short_id().to_owned();
        let Some(repository) = &check.session.project.repository else { return Ok(self) };
        if check.session.given_run.is_some() {
            self.notes.push(Note::BaseBesideRunFile { commit });
            return Ok(self);
        }
        print::print_note(&format!(
            "no usable run is stored: measuring in rounds against {commit}"
        ));
        let found = match build_pair(check, repository, &base) {
            Ok(attempt) => Self::from_attempt(attempt, &base),
            Err(error) if check.session.interrupt.is_raised() => return Err(error),
            Err(error) => {
                Self::with_note(Note::BaseNotMeasured { commit, cause: format!("{error:#}") })
            }
        };
        // What is not stored does not matter beside rounds, but what cannot be fetched or read does.
        if found.pair.is_some() {
            self.notes.retain(|note| !is_about_absence(note));
        }
        self.notes.extend(found.notes);
        // The runs that can be read are better than nothing.
        if found.pair.is_none() && self.has_runs() {
            return Ok(self);
        }
        Ok(Self { commit: Some(base), notes: self.notes, ..found })
    }

    /// Returns whether there are stored runs of the candidate's machine.
    fn has_runs(&self) -> bool {
        match &self.baseline {
            FoundBaseline::Stored(runs) | FoundBaseline::Screen(runs) => !runs.is_empty(),
            FoundBaseline::Nothing | FoundBaseline::File(_) => false,
        }
    }

    /// Returns whether the stored runs can screen: there are some of the candidate's machine, and
    /// every run that should be among them can be read.
    fn is_usable(&self) -> bool {
        self.has_runs()
            && !self.notes.iter().any(|note| matches!(note, Note::StoredRunIgnored { .. }))
    }

    /// Finds the stored runs of the nearest measured ancestors of the candidate, on its machine.
    ///
    /// Fetches the store's branch and the history that a shallow clone lacks, if needed. Fails if
    /// the store cannot be read.
    fn find_stored(check: &CheckInputs<'_>) -> Result<Self> {
        let Some(store) = check.session.store.open_if_present()? else {
            return Ok(Self::without_store());
        };
        // Plan: identify the candidate's commit, fetch what is missing, then look up the ancestry.
        let repository = check.session.project.repository.as_ref();
        let Some((repository, commit)) = repository.zip(check.head.as_ref()) else {
            return Ok(Self::with_note(Note::CandidateNotCommitted));
        };
        let Some(commit) = CommitId::parse(&commit.id) else {
            return Ok(Self::with_note(Note::InvalidCommit { commit: commit.id.clone() }));
        };
        let in_workflow = check.session.trigger.is_some();
        let mut notes: Vec<Note> =
            remote::fetch_branch(store, &check.args.remote, in_workflow).into_iter().collect();
        let has_runs = !store.list().map_err(CommandError::from)?.is_empty();
        let ancestry = remote::find_ancestry(repository, &commit, has_runs, &mut notes);
        let lookup =
            store.find_baseline(ancestry, check.session.run_kind()).map_err(CommandError::from)?;
        notes.extend(lookup.notes);
        Ok(Self::from_found(check, lookup.found, notes))
    }

    /// Finds the stored runs of exactly this commit.
    ///
    /// Fails if the store cannot be read or has no run of the commit.
    fn find_stored_at(
        check: &CheckInputs<'_>,
        store: &Store,
        revision: &str,
        commit: &CommitId,
    ) -> Result<Self> {
        let lookup = store
            .find_baseline([commit.clone()], check.session.run_kind())
            .map_err(CommandError::from)?;
        if matches!(lookup.found, BaselineMatch::Nothing) {
            let message = format!("no run of `{revision}` ({}) is stored", commit.short_id());
            let help = "`perfgate baseline list` shows what is stored; without --run, perfgate measures it";
            return Err(CommandError::new_usage(message).with_help(help).into());
        }
        Ok(Self::from_found(check, lookup.found, lookup.notes))
    }

    fn from_found(check: &CheckInputs<'_>, found: BaselineMatch, mut notes: Vec<Note>) -> Self {
        let mut nearest = None;
        let stored = match found {
            BaselineMatch::Baseline(StoredBaseline { commit, runs }) => {
                nearest = Some(commit);
                runs
            }
            BaselineMatch::OtherHost { commit, hosts } => {
                notes.push(describe_other_hosts(&commit, hosts, &check.session.host));
                nearest = Some(commit);
                Vec::new()
            }
            BaselineMatch::Nothing => {
                notes.push(Note::NothingStored);
                Vec::new()
            }
        };
        // Stored runs are only a screen if rounds can confirm what they do not pass.
        let is_screen = check.choice == BaselineChoice::Auto && check.session.given_run.is_none();
        let baseline =
            if is_screen { FoundBaseline::Screen(stored) } else { FoundBaseline::Stored(stored) };
        Self { baseline, pair: None, commit: nearest, notes }
    }

    /// Drops stored runs whose conditions differ from those of `candidate` where `policy` does not
    /// allow it. Keeps all of them if none is left, so that the decision can name the difference.
    pub(super) fn keep_runs_like(&mut self, candidate: &Run, policy: &Policy) {
        if let FoundBaseline::Stored(runs) | FoundBaseline::Screen(runs) = &mut self.baseline {
            *runs = keep_runs_like(std::mem::take(runs), candidate, policy);
            let nearest = runs.first().and_then(|run| run.commit.as_ref());
            if let Some(commit) = nearest.and_then(|commit| CommitId::parse(&commit.id)) {
                self.commit = Some(commit);
            }
        }
    }

    /// Returns whether the baseline is only a screen, which rounds confirm.
    pub(super) fn is_screen(&self) -> bool {
        matches!(self.baseline, FoundBaseline::Screen(_))
    }

    /// Returns the baseline as evidence. A pair is not a baseline until it is measured.
    pub(super) fn as_evidence(&self) -> BaselineEvidence<'_> {
        match &self.baseline {
            FoundBaseline::File(run) => BaselineEvidence::File(run),
            FoundBaseline::Stored(runs) if !runs.is_empty() => BaselineEvidence::Stored(runs),
            FoundBaseline::Screen(runs) if !runs.is_empty() => BaselineEvidence::Screen(runs),
            FoundBaseline::Nothing | FoundBaseline::Stored(_) | FoundBaseline::Screen(_) => {
                BaselineEvidence::None
            }
        }
    }
}

/// Returns a note if `base` has commits that the candidate lacks, because their effect then counts
/// as one of the candidate.
///
/// Returns `None` if the history in this clone does not show where both parted.
fn note_lacking_commits(
    check: &CheckInputs<'_>,
    repository: &Repository,
    revision: &str,
    base: &CommitId,
) -> Option<Note> {
    let head = CommitId::parse(&check.head.as_ref()?.id)?;
    let (commits, merge_base) = repository.count_lacking_commits(&head, base).ok()??;
    (commits > 0).then(|| Note::BaseIsAhead {
        revision: revision.to_owned(),
        commits: commits as u64,
        merge_base: merge_base.short_id().to_owned(),
    })
}

/// Returns the note that there is no baseline because `base` cannot be built.
pub(super) fn note_unbuilt_base(obstacle: SideObstacle, base: &CommitId) -> Note {
    let commit = base.short_id().to_owned();
    match obstacle {
        SideObstacle::NoManifest(manifest) => Note::BaseHasNoManifest { commit, manifest },
        SideObstacle::NoProfile(profile) => Note::BaseHasNoProfile { commit, profile },
        SideObstacle::NotBuilt(cause) => Note::BaseNotBuilt { commit, cause },
    }
}

/// Makes `base` and the checked-out head ready to be measured. Benches are not built if the change
/// affects none.
///
/// Fails if `base` cannot be fetched, or if Cargo rejects the workspace in the working tree.
pub(super) fn build_pair(
    check: &CheckInputs<'_>,
    repository: &Repository,
    base: &CommitId,
) -> Result<PairAttempt> {
    remote::fetch_commit(repository, base).map_err(CommandError::from)?;
    let skips = !check.measures_everything();
    let skip_policy = skips.then_some(&check.session.policy);
    let builder = PairBuilder { skip_policy, ..check.session.pair_builder(repository) };
    if let Some(CheckedModel { settings, command }) = &check.model {
        let effort = &check.session.effort.effort;
        return Pair::check_out_models(&builder, base, command.model(), settings, effort);
    }
    Pair::make_ready(&builder, base)
}

/// Returns the note that stored runs of `commit` were measured on other machines than `own`, or that
/// another compiler built them.
fn describe_other_hosts(commit: &CommitId, hosts: Vec<Host>, own: &Host) -> Note {
    let commit = commit.short_id().to_owned();
    let here = hosts.iter().filter(|host| host.differs_by_compiler(own));
    let stored: Vec<String> = here.filter_map(|host| host.rustc.clone()).collect();
    match &own.rustc {
        Some(current) if !stored.is_empty() => {
            Note::StoredWithOtherCompiler { commit, stored, current: current.clone() }
        }
        _ => Note::StoredElsewhere {
            commit,
            machines: hosts.into_iter().map(to_stored_machine).collect(),
        },
    }
}

/// Returns whether the note is about runs that are not stored.
fn is_about_absence(note: &Note) -> bool {
    matches!(
        note,
        Note::NothingStored
            | Note::NoRepository
            | Note::StoredElsewhere { .. }
            | Note::StoredWithOtherCompiler { .. }
    )
}

fn to_stored_machine(host: Host) -> StoredMachine {
    StoredMachine { cpu_model: host.cpu_model, cores: host.cores, kernel: host.kernel }
}
