//! `perfgate check`: measures, compares, judges and reports. Its exit status is the gate.

mod counts;
mod outputs;
mod shared;
mod comparand;
mod anchor;
mod in_turn;
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

/// Runs the gate and returns the exit status of the verdict.
///
/// Fails if the check cannot be made or its output cannot be written. A regression is not an error.
pub(super) fn run_check(args: &CheckArgs) -> Result<ExitStatus> {
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

/// Both sides and their launches; `None` if nothing was measured in rounds.
type ConfirmedRounds = Option<(Box<Pair>, Box<MeasuredRounds>)>;

/// The inputs of one check, resolved before anything is measured.
struct CheckSession<'a> {
    args: &'a CheckArgs,
    /// What `--baseline`, or the two commands, ask to compare with.
    choice: BaselineChoice,
    project: Project,
    config: Config,
    policy: Policy,
    /// The run of `--run`, which was measured before; `None` if this check measures.
    given: Option<Run>,
    /// The calibrated noise of each benchmark on the machine that measured `given`, or else on this
    /// machine. Empty without a calibration.
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
        // With `--run`, no process is started, so a signal may simply end perfgate.
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

    /// Compares one run with an existing baseline. If stored runs are only a screen, rounds confirm
    /// the benchmarks that the screen does not pass.
    fn check_against_baseline(&self) -> Result<(Run, Decision)> {
        // Plan: get the candidate, find its baseline, confirm in rounds what a screen does not
        // pass, judge, then add counts and warnings.
        let candidate = self.measure_or_read_candidate()?;
        let mut comparand = self.find_compared_with(&candidate)?;
        let terms =
            JudgedPolicy::read(self, candidate.commit.as_ref(), comparand.base_commit().as_ref());
        let confirmed = match self.find_base_to_confirm(&candidate, &comparand) {
            Some(base) => self.confirm_in_rounds(&base, &candidate, &mut comparand, &terms)?,
            None => None,
        };
        // A screen alone fails no benchmark, even if nothing could be measured again.
        let baseline =
            if self.uses_screen() { comparand.as_screen() } else { comparand.as_baseline() };
        let rounds = confirmed.as_ref().map(|(_, measured)| measured.as_evidence());
        let mut decision = self.judge(&candidate, baseline, rounds, &terms);
        if let Some((pair, _)) = &confirmed {
            self.add_counts(pair, &mut decision)?;
        } else if self.args.counts {
            let note = "--counts counted nothing: there were no rounds";
            comparand.notes.push(note.to_owned());
        }
        // The rounds repeat warnings of the candidate's first run, for example about skipped
        // benches.
        comparand.notes.retain(|note| !decision.warnings.contains(note));
        decision.warnings.extend(comparand.notes);
        decision.warnings.extend(self.find_creep(&candidate, &decision)?);
        terms.add_warnings(&mut decision);
        Ok((candidate, decision))
    }

    /// Returns whether stored runs are only a screen, because rounds can confirm what they do not
    /// pass.
    fn uses_screen(&self) -> bool {
        self.choice == BaselineChoice::Auto && self.args.run.is_none()
    }

    /// Returns the commit to measure again, which is that of the stored baseline.
    ///
    /// Returns `None` if there is none, if it is the candidate's own commit, or if stored runs are
    /// not a screen.
    fn find_base_to_confirm(&self, candidate: &Run, comparand: &ComparedWith) -> Option<CommitId> {
        let base = comparand.commit.clone()?;
        let head = candidate.commit.as_ref();
        let is_same = head.is_some_and(|head| head.id == base.as_str() && !head.dirty);
        (self.uses_screen() && !is_same).then_some(base)
    }

    /// Measures in rounds the benchmarks that the screen does not pass.
    ///
    /// Returns `None` if the screen passes all. Also returns `None`, and adds a note to
    /// `comparand`, if the base cannot be built.
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
                let measured = self.measure_rounds(&pair, Some(&wanted), &mut decide)?;
                comparand.notes.extend(measured.candidate.warnings.iter().cloned());
                return Ok(Some((pair, Box::new(measured))));
            }
            Ok(PairAttempt::NoBase(why)) => why,
            Err(error) if !self.interrupt.is_raised() => format!("{error:#}"),
            Err(error) => return Err(error),
        };
        comparand.notes.push(format!("not confirmed in rounds: {why}"));
        Ok(None)
    }

    /// Judges the candidate without a baseline. `why` explains that `base` cannot be measured.
    fn check_without_base(&self, why: &str, base: &CommitId) -> Result<(Run, Decision)> {
        let candidate = self.measure_or_read_candidate()?;
        let terms = JudgedPolicy::read(self, candidate.commit.as_ref(), Some(base));
        let mut decision = self.judge(&candidate, BaselineEvidence::None, None, &terms);
        decision.warnings.push(format!("no baseline: {why}"));
        terms.add_warnings(&mut decision);
        Ok((candidate, decision))
    }

    /// Measures and judges base and candidate in rounds.
    fn check_pair(&self, pair: &Pair, base: Option<&CommitId>) -> Result<(Run, Decision)> {
        let terms = JudgedPolicy::read(self, self.project.read_head()?.as_ref(), base);
        let mut decide = |rounds: RoundsEvidence<'_>| {
            self.judge(rounds.candidate, BaselineEvidence::None, Some(rounds), &terms)
        };
        let measured = self.measure_rounds(pair, None, &mut decide)?;
        outputs::write_run(&self.args.out, &measured.candidate)?;
        let mut decision = decide(measured.as_evidence());
        self.add_counts(pair, &mut decision)?;
        terms.add_warnings(&mut decision);
        Ok((measured.candidate, decision))
    }

    /// Returns the run to judge, measured now or read from `--run`, and writes it at once.
    ///
    /// Fails if the run cannot be measured or written, or if a target does not fit its benchmarks.
    fn measure_or_read_candidate(&self) -> Result<Run> {
        let candidate = if let Some(run) = &self.given {
            run.clone()
        } else {
            let effort = gate::resolve_effort(&self.args.effort, &self.config.measure);
            // Read first: a file written next to the sources makes the tree dirty.
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

    /// Finds the baseline that `--baseline` asks for. An absent baseline is a note, not an error.
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

    /// Decides on the candidate with this evidence, the known noise and the policy of `terms`.
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

    /// Opens the store of baselines. Returns `None` outside a repository if no store is named.
    fn open_store(&self) -> Result<Option<Store>> {
        let named = self.args.store.store.as_deref().or(self.config.store.url.as_deref());
        match Store::open(named.unwrap_or(DEFAULT_STORE_URL), &self.project.folder) {
            Ok(store) => Ok(Some(store)),
            Err(StoreError::NoRepository { .. }) if named.is_none() => Ok(None),
            Err(error) => Err(CommandError::from(error).into()),
        }
    }
}
