//! `perfgate check`: measure, compare, judge, report; its exit status is the gate.

mod anchor;
mod comparand;
mod counts;
mod in_turn;
mod outputs;
mod shared;
mod waivers;

use std::collections::BTreeMap;

use anyhow::Result;

use self::comparand::{BaselineChoice, ComparedWith};
use self::waivers::JudgedPolicy;
use super::pair::{Pair, PairAttempt};
use super::project::Project;
use super::{CommandError, ExitStatus, calibrate, gate, guard, measure, print, run_file};
use crate::cli::CheckArgs;
use crate::git::CommitId;
use crate::measure::Interrupt;
use crate::policy::{Config, Policy};
use crate::rounds::MeasuredRounds;
use crate::run::{BenchmarkId, Run};
use crate::store::{DEFAULT_STORE_URL, Store, StoreError};
use crate::verdict::{BaselineEvidence, Decision, Evidence, NoiseHistory, RoundsEvidence, decide};

/// Runs the gate; the status is that of the verdict.
pub(super) fn run(args: &CheckArgs) -> Result<ExitStatus> {
    let check = CheckSession::new(args)?;
    check.require_counts()?;
    let (candidate, decision) = match (&args.run, &check.choice) {
        (None, BaselineChoice::Commands(baseline, candidate)) => {
            check.check_pair(&Pair::from_commands(baseline, candidate), None)?
        }
        (None, BaselineChoice::Revision(revision)) => {
            let (repository, commit) = check.project.resolve_commit(revision)?;
            match check.build_pair(repository, &commit)? {
                PairAttempt::Ready(pair) => check.check_pair(&pair, Some(&commit))?,
                PairAttempt::NoBase(why) => check.check_without_base(&why, &commit)?,
            }
        }
        _ => check.check_against_baseline()?,
    };
    outputs::write_decision(&args.out, &decision)?;
    print::print_decision(&decision, args.format)?;
    if args.save_baseline {
        let store = check.open_store()?;
        print::print_note(&outputs::save_baseline(store.as_ref(), &candidate, &decision)?);
    }
    Ok(decision.verdict.into())
}

/// Both sides and their launches, where something was measured in rounds.
type ConfirmedRounds = Option<(Box<Pair>, Box<MeasuredRounds>)>;

/// What a check goes by, settled before anything is measured.
struct CheckSession<'a> {
    args: &'a CheckArgs,
    choice: BaselineChoice,
    project: Project,
    config: Config,
    policy: Policy,
    /// The run that is judged, where it was measured before.
    given: Option<Run>,
    /// What is known of the machine that it was, or will be, measured on.
    noise: BTreeMap<BenchmarkId, NoiseHistory>,
    interrupt: Interrupt,
}

impl<'a> CheckSession<'a> {
    fn new(args: &'a CheckArgs) -> Result<Self> {
        let project = Project::find(args.selection.manifest_path.as_deref())?;
        let config = gate::read_config(&args.gate, &project.folder)?;
        let policy = gate::resolve_policy(config.clone(), &args.gate, &args.selection.bench)?
            .with_required_baseline(args.require_baseline);
        let choice = match (&args.baseline_command, &args.candidate_command) {
            (Some(baseline), Some(candidate)) => {
                BaselineChoice::Commands(baseline.clone(), candidate.clone())
            }
            _ => BaselineChoice::parse(&args.baseline),
        };
        // Nothing is started where a run is read, and a signal may simply end it.
        let interrupt =
            if args.run.is_some() { Interrupt::default() } else { guard::watch_signals()? };
        let given = args.run.as_deref().map(run_file::read_run).transpose()?;
        let fingerprint = match &given {
            Some(run) => run.host.fingerprint.clone(),
            None => measure::detect_host(&project.folder).fingerprint,
        };
        let (calibration, note) = calibrate::read_calibration(&project.folder, &fingerprint);
        if let Some(note) = note {
            print::print_note(&note);
        }
        let noise =
            calibration.map(|calibration| calibration.noise_histories()).unwrap_or_default();
        Ok(Self { args, choice, project, config, policy, given, noise, interrupt })
    }

    /// One run against what is there already; where that only screens, rounds confirm the rest.
    fn check_against_baseline(&self) -> Result<(Run, Decision)> {
        let candidate = self.measure_or_read_candidate()?;
        let mut comparand = self.find_compared_with(&candidate)?;
        let terms =
            JudgedPolicy::read(self, candidate.commit.as_ref(), comparand.base_commit().as_ref());
        let confirmed = match self.find_base_to_confirm(&candidate, &comparand) {
            Some(base) => self.confirm_in_rounds(&base, &candidate, &mut comparand, &terms)?,
            None => None,
        };
        // A screen fails nothing by itself, also where nothing could be measured again.
        let baseline =
            if self.uses_screen() { comparand.as_screen() } else { comparand.as_baseline() };
        let rounds = confirmed.as_ref().map(|(_, in_turn)| in_turn.as_evidence());
        let mut decision = self.judge(&candidate, baseline, rounds, &terms);
        if let Some((pair, _)) = &confirmed {
            self.add_counts(pair, &mut decision)?;
        } else if self.args.counts {
            let note = "--counts counted nothing: there were no rounds";
            comparand.notes.push(note.to_owned());
        }
        // The rounds find again what the screen's run has said already, as of benches that are skipped.
        comparand.notes.retain(|note| !decision.warnings.contains(note));
        decision.warnings.extend(comparand.notes);
        decision.warnings.extend(self.find_creep(&candidate, &decision)?);
        terms.add_warnings(&mut decision);
        Ok((candidate, decision))
    }

    /// Are stored runs only a screen, because rounds can confirm what it does not pass?
    fn uses_screen(&self) -> bool {
        self.choice == BaselineChoice::Auto && self.args.run.is_none()
    }

    /// The commit to measure again: that of the stored baseline, unless it is the candidate's own.
    fn find_base_to_confirm(&self, candidate: &Run, comparand: &ComparedWith) -> Option<CommitId> {
        let base = comparand.commit.clone()?;
        let head = candidate.commit.as_ref();
        let is_same = head.is_some_and(|head| head.id == base.as_str() && !head.dirty);
        (self.uses_screen() && !is_same).then_some(base)
    }

    /// Measures in rounds what the screen does not pass. That the base cannot be built is noted.
    fn confirm_in_rounds(
        &self,
        base: &CommitId,
        candidate: &Run,
        comparand: &mut ComparedWith,
        terms: &JudgedPolicy,
    ) -> Result<ConfirmedRounds> {
        let screen = self.judge(candidate, comparand.as_screen(), None, terms);
        let wanted = comparand.find_unconfirmed(&screen);
        if wanted.is_empty() {
            return Ok(None);
        }
        let Some(repository) = &self.project.repository else { return Ok(None) };
        print::print_note(&format!(
            "confirming {} of {} benchmarks in rounds against {}",
            wanted.len(),
            screen.benchmarks.len(),
            base.short_id()
        ));
        let why = match self.build_pair(repository, base) {
            Ok(PairAttempt::Ready(pair)) => {
                let mut decide = |rounds: RoundsEvidence<'_>| {
                    self.judge(candidate, comparand.as_screen(), Some(rounds), terms)
                };
                let in_turn = self.measure_rounds(&pair, Some(&wanted), &mut decide)?;
                comparand.notes.extend(in_turn.candidate.warnings.iter().cloned());
                return Ok(Some((pair, Box::new(in_turn))));
            }
            Ok(PairAttempt::NoBase(why)) => why,
            Err(error) if !self.interrupt.is_raised() => format!("{error:#}"),
            Err(error) => return Err(error),
        };
        comparand.notes.push(format!("not confirmed in rounds: {why}"));
        Ok(None)
    }

    /// The candidate without a base that can be measured.
    fn check_without_base(&self, why: &str, base: &CommitId) -> Result<(Run, Decision)> {
        let candidate = self.measure_or_read_candidate()?;
        let terms = JudgedPolicy::read(self, candidate.commit.as_ref(), Some(base));
        let mut decision = self.judge(&candidate, BaselineEvidence::None, None, &terms);
        decision.warnings.push(format!("no baseline: {why}"));
        terms.add_warnings(&mut decision);
        Ok((candidate, decision))
    }

    /// Base and candidate in rounds.
    fn check_pair(&self, pair: &Pair, base: Option<&CommitId>) -> Result<(Run, Decision)> {
        let terms = JudgedPolicy::read(self, self.project.read_head()?.as_ref(), base);
        let mut decide = |rounds: RoundsEvidence<'_>| {
            self.judge(rounds.candidate, BaselineEvidence::None, Some(rounds), &terms)
        };
        let in_turn = self.measure_rounds(pair, None, &mut decide)?;
        outputs::write_run(&self.args.out, &in_turn.candidate)?;
        let mut decision = decide(in_turn.as_evidence());
        self.add_counts(pair, &mut decision)?;
        terms.add_warnings(&mut decision);
        Ok((in_turn.candidate, decision))
    }

    /// The run that is judged: measured now and written at once, or read.
    fn measure_or_read_candidate(&self) -> Result<Run> {
        let candidate = if let Some(run) = &self.given {
            run.clone()
        } else {
            let effort = gate::resolve_effort(&self.args.effort, &self.config.measure);
            // Before anything is written beside the sources, and makes them dirty.
            let commit = self.project.read_head()?;
            let mut run =
                measure::measure_criterion(&self.args.selection, &effort, &self.interrupt)?;
            run.commit = commit;
            run
        };
        outputs::write_run(&self.args.out, &candidate)?;
        self.policy
            .check_targets(&candidate.benchmarks)
            .map_err(|error| gate::explain_policy_error(&error))?;
        Ok(candidate)
    }

    fn find_compared_with(&self, candidate: &Run) -> Result<ComparedWith> {
        let no_store =
            || ComparedWith::with_note("no baseline: there is no git repository to keep one in");
        match &self.choice {
            BaselineChoice::None | BaselineChoice::Commands(..) => Ok(ComparedWith::default()),
            BaselineChoice::File(path) => ComparedWith::read_file(path),
            BaselineChoice::Auto | BaselineChoice::Stored => match self.open_store()? {
                Some(store) => {
                    ComparedWith::find_stored(&store, &self.args.remote, &self.project, candidate)
                }
                None => Ok(no_store()),
            },
            BaselineChoice::Revision(revision) => {
                let (_, commit) = self.project.resolve_commit(revision)?;
                match self.open_store()? {
                    Some(store) => {
                        ComparedWith::find_stored_at(&store, revision, &commit, candidate)
                    }
                    None => Ok(no_store()),
                }
            }
        }
    }

    fn judge<'e>(
        &'e self,
        candidate: &'e Run,
        baseline: BaselineEvidence<'e>,
        rounds: Option<RoundsEvidence<'e>>,
        terms: &JudgedPolicy,
    ) -> Decision {
        let evidence = Evidence { candidate, baseline, rounds, noise: &self.noise };
        decide(&evidence, &terms.policy)
    }

    /// The store of baselines; none outside of a repository unless one is named.
    fn open_store(&self) -> Result<Option<Store>> {
        let named = self.args.store.store.as_deref().or(self.config.store.url.as_deref());
        match Store::open(named.unwrap_or(DEFAULT_STORE_URL), &self.project.folder) {
            Ok(store) => Ok(Some(store)),
            Err(StoreError::NoRepository { .. }) if named.is_none() => Ok(None),
            Err(error) => Err(CommandError::from(error).into()),
        }
    }
}
