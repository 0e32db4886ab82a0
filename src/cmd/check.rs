//! `perfgate check`: measure, compare, judge, report; its exit status is the gate.

mod comparand;
mod in_turn;
mod outputs;
mod shared;
mod waivers;

use std::collections::BTreeMap;

use anyhow::Result;

use self::comparand::{Choice, Comparand};
use self::in_turn::Pair;
use self::waivers::Terms;
use super::project::Project;
use super::{ExitStatus, Refusal, calibrate, files, gate, measure, print};
use crate::cli::CheckArgs;
use crate::git::CommitId;
use crate::measure::Interrupt;
use crate::policy::{Config, Policy};
use crate::rounds::InTurn;
use crate::run::{BenchmarkId, Run};
use crate::store::{DEFAULT_URL, Store, StoreError};
use crate::verdict::{Baseline, Decision, Evidence, Noise, Rounds, decide};

/// Runs the gate; the status is that of the verdict.
pub(super) fn run(args: &CheckArgs) -> Result<ExitStatus> {
    let check = Check::new(args)?;
    let (candidate, decision) = match (&args.run, &check.choice) {
        (None, Choice::Commands(baseline, candidate)) => {
            check.in_turn(&Pair::of_commands(baseline, candidate), None)?
        }
        (None, Choice::Revision(revision)) => {
            let (repository, commit) = check.project.commit(revision)?;
            let pair = Pair::of_commits(&check, repository, &commit, &check.interrupt)?;
            check.in_turn(&pair, Some(&commit))?
        }
        _ => check.once()?,
    };
    outputs::write_decision(&args.out, &decision)?;
    print::decision(&decision, args.format)?;
    if args.save_baseline {
        let store = check.store()?;
        print::note(&outputs::save_baseline(store.as_ref(), &candidate, &decision)?);
    }
    Ok(decision.verdict.into())
}

/// What a check goes by, settled before anything is measured.
struct Check<'a> {
    args: &'a CheckArgs,
    choice: Choice,
    project: Project,
    config: Config,
    policy: Policy,
    noise: BTreeMap<BenchmarkId, Noise>,
    interrupt: Interrupt,
}

impl<'a> Check<'a> {
    fn new(args: &'a CheckArgs) -> Result<Self> {
        let project = Project::find(args.selection.manifest_path.as_deref())?;
        let config = gate::config(&args.gate, &project.folder)?;
        let policy = gate::policy(config.clone(), &args.gate, &args.selection.bench)?
            .requiring_baseline(args.require_baseline);
        let choice = match (&args.baseline_command, &args.candidate_command) {
            (Some(baseline), Some(candidate)) => {
                Choice::Commands(baseline.clone(), candidate.clone())
            }
            _ => Choice::of(&args.baseline),
        };
        let interrupt = Interrupt::watch()?;
        let fingerprint = measure::host(&project.folder).fingerprint;
        let (calibration, note) = calibrate::known(&project.folder, &fingerprint);
        if let Some(note) = note {
            print::note(&note);
        }
        let noise = calibration.map(|calibration| calibration.noise()).unwrap_or_default();
        Ok(Self { args, choice, project, config, policy, noise, interrupt })
    }

    /// One run against what is there already; where that only screens, rounds confirm the rest.
    fn once(&self) -> Result<(Run, Decision)> {
        let candidate = self.candidate()?;
        let mut comparand = self.comparand(&candidate)?;
        let terms = Terms::read(self, candidate.commit.as_ref(), comparand.base().as_ref());
        let in_turn = match self.base_to_confirm(&candidate, &comparand) {
            Some(base) => self.confirm(&base, &candidate, &mut comparand, &terms)?,
            None => None,
        };
        let rounds = in_turn.as_ref().map(InTurn::evidence);
        let baseline = if rounds.is_some() { comparand.screen() } else { comparand.baseline() };
        let mut decision = self.judge(&candidate, baseline, rounds, &terms);
        decision.warnings.extend(comparand.notes);
        terms.tell(&mut decision);
        Ok((candidate, decision))
    }

    /// The commit to measure again: that of the stored baseline, unless it is the candidate's own.
    fn base_to_confirm(&self, candidate: &Run, comparand: &Comparand) -> Option<CommitId> {
        let base = comparand.commit.clone()?;
        let head = candidate.commit.as_ref();
        let is_same = head.is_some_and(|head| head.id == base.as_str() && !head.dirty);
        (self.choice == Choice::Auto && self.args.run.is_none() && !is_same).then_some(base)
    }

    /// Measures in rounds what the screen does not pass; none where it passes everything, or where
    /// the base cannot be built, which is noted.
    fn confirm(
        &self,
        base: &CommitId,
        candidate: &Run,
        comparand: &mut Comparand,
        terms: &Terms,
    ) -> Result<Option<InTurn>> {
        let screen = self.judge(candidate, comparand.screen(), None, terms);
        let wanted = comparand.unsettled(&screen);
        let Some(repository) = self.project.repository.as_ref().filter(|_| !wanted.is_empty())
        else {
            return Ok(None);
        };
        print::note(&format!(
            "confirming {} of {} benchmarks in rounds against {}",
            wanted.len(),
            screen.benchmarks.len(),
            base.short()
        ));
        let pair = match Pair::of_commits(self, repository, base, &self.interrupt) {
            Ok(pair) => pair,
            Err(error) if !self.interrupt.is_raised() => {
                comparand.notes.push(format!("not confirmed in rounds: {error:#}"));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut decide =
            |rounds: Rounds<'_>| self.judge(candidate, comparand.screen(), Some(rounds), terms);
        pair.measure(self, Some(&wanted), &self.interrupt, &mut decide).map(Some)
    }

    /// Base and candidate in rounds.
    fn in_turn(&self, pair: &Pair, base: Option<&CommitId>) -> Result<(Run, Decision)> {
        let terms = Terms::read(self, self.project.head()?.as_ref(), base);
        let mut decide =
            |rounds: Rounds<'_>| self.judge(rounds.candidate, Baseline::None, Some(rounds), &terms);
        let in_turn = pair.measure(self, None, &self.interrupt, &mut decide)?;
        outputs::write_run(&self.args.out, &in_turn.candidate)?;
        let mut decision = decide(in_turn.evidence());
        terms.tell(&mut decision);
        Ok((in_turn.candidate, decision))
    }

    /// The run that is judged: measured now and written at once, or read.
    fn candidate(&self) -> Result<Run> {
        let candidate = if let Some(path) = &self.args.run {
            files::read_run(path)?
        } else {
            let effort = gate::effort(&self.args.effort, &self.config.measure);
            // Before anything is written beside the sources, and makes them dirty.
            let commit = self.project.head()?;
            let mut run =
                measure::measure_criterion(&self.args.selection, &effort, &self.interrupt)?;
            run.commit = commit;
            run
        };
        outputs::write_run(&self.args.out, &candidate)?;
        self.policy.check_targets(&candidate.benchmarks).map_err(|error| gate::refused(&error))?;
        Ok(candidate)
    }

    fn comparand(&self, candidate: &Run) -> Result<Comparand> {
        let no_store =
            || Comparand::noted("no baseline: there is no git repository to keep one in");
        match &self.choice {
            Choice::None | Choice::Commands(..) => Ok(Comparand::default()),
            Choice::File(path) => Comparand::file(path),
            Choice::Auto | Choice::Stored => match self.store()? {
                Some(store) => {
                    Comparand::stored(&store, &self.args.remote, &self.project, candidate)
                }
                None => Ok(no_store()),
            },
            Choice::Revision(revision) => {
                let (_, commit) = self.project.commit(revision)?;
                match self.store()? {
                    Some(store) => Comparand::stored_at(&store, revision, &commit, candidate),
                    None => Ok(no_store()),
                }
            }
        }
    }

    fn judge<'e>(
        &'e self,
        candidate: &'e Run,
        baseline: Baseline<'e>,
        rounds: Option<Rounds<'e>>,
        terms: &Terms,
    ) -> Decision {
        let evidence = Evidence { candidate, baseline, rounds, noise: &self.noise };
        decide(&evidence, &terms.policy)
    }

    /// The store of baselines; none outside of a repository unless one is named.
    fn store(&self) -> Result<Option<Store>> {
        let named = self.args.store.store.as_deref().or(self.config.store.url.as_deref());
        match Store::open(named.unwrap_or(DEFAULT_URL), &self.project.folder) {
            Ok(store) => Ok(Some(store)),
            Err(StoreError::NoRepository { .. }) if named.is_none() => Ok(None),
            Err(error) => Err(Refusal::from(error).into()),
        }
    }
}
