//! `perfgate check`: measures, compares, judges and reports. Its exit status is the gate.

mod counts;
mod outputs;
mod candidate;
mod shared;
mod compared_with;
mod confirm;
mod last_release;
mod waivers;

use std::collections::BTreeMap;
use std::ops::Deref;

use anyhow::Result;

use self::compared_with::{BaselineChoice, ComparedWith};
use crate::cli::CheckArgs;
use crate::git::CommitId;
use crate::rounds::MeasuredRounds;
use crate::run::{BenchmarkId, Run};
use crate::session::pair::{Pair, PairAttempt};
use crate::session::{ExitStatus, Session, SessionRequest, print};
use crate::store::Store;
use crate::verdict::{
    BaselineEvidence, Decision, Evidence, NoiseHistory, RoundsEvidence, TrailerEvidence, decide,
    find_unconfirmed,
};

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
    outputs::write(&check, &candidate, &decision)?;
    Ok(decision.verdict.into())
}

/// Both sides and their launches; `None` if nothing was measured in rounds.
type ConfirmedRounds = Option<(Box<Pair>, Box<MeasuredRounds>)>;

/// The inputs of one check, resolved before anything is measured.
struct CheckSession<'a> {
    args: &'a CheckArgs,
    /// What `--baseline`, or the two commands, ask to compare with.
    choice: BaselineChoice,
    /// The calibrated noise of each benchmark on the machine of the session. Empty without a
    /// calibration.
    noise: BTreeMap<BenchmarkId, NoiseHistory>,
    session: Session,
}

impl Deref for CheckSession<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl<'a> CheckSession<'a> {
    fn new(args: &'a CheckArgs) -> Result<Self> {
        let mut session = Session::open(&SessionRequest {
            selection: &args.selection,
            effort: &args.effort,
            gate: &args.gate,
            store: &args.store,
            given_run: args.run.as_deref(),
        })?;
        session.policy = session.policy.with_required_baseline(args.require_baseline);
        let choice = match (&args.baseline_command, &args.candidate_command) {
            (Some(baseline), Some(candidate)) => {
                BaselineChoice::Commands(baseline.clone(), candidate.clone())
            }
            _ => BaselineChoice::parse(&args.baseline),
        };
        Ok(Self { args, choice, noise: session.read_noise(), session })
    }

    /// Compares one run with an existing baseline. If stored runs are only a screen, rounds confirm
    /// the benchmarks that the screen does not pass.
    fn check_against_baseline(&self) -> Result<(Run, Decision)> {
        // Plan: get the candidate, find its baseline, confirm in rounds what a screen does not
        // pass, gather the rest of the evidence, and decide.
        let candidate = candidate::measure_or_read(self)?;
        let mut comparand = self.find_compared_with(&candidate)?;
        let base = comparand.base_commit();
        let trailers = waivers::read_trailers(self, candidate.commit.as_ref(), base.as_ref());
        let confirmed = match self.find_base_to_confirm(&candidate, &comparand) {
            Some(base) => self.confirm_in_rounds(&base, &candidate, &mut comparand)?,
            None => None,
        };
        let last_release = self.find_last_release(&candidate, &comparand)?;
        // A screen alone fails no benchmark, even if nothing could be measured again.
        let baseline =
            if self.uses_screen() { comparand.as_screen() } else { comparand.as_baseline() };
        let evidence = Evidence {
            rounds: confirmed.as_ref().map(|(_, measured)| measured.as_evidence()),
            trailers: &trailers,
            last_release: last_release.as_ref(),
            notes: &comparand.notes,
            noise: &self.noise,
            ..Evidence::from_sides(&candidate, baseline)
        };
        let pair = confirmed.as_ref().map(|(pair, _)| pair.as_ref());
        let decision = self.decide_with_counts(pair, &evidence)?;
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
    ) -> Result<ConfirmedRounds> {
        let sides = Evidence {
            noise: &self.noise,
            ..Evidence::from_sides(candidate, comparand.as_screen())
        };
        let screen = decide(&sides, &self.policy);
        let wanted = find_unconfirmed(&screen);
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
                let mut look = |rounds: RoundsEvidence<'_>| {
                    decide(&Evidence { rounds: Some(rounds), ..sides }, &self.policy)
                };
                let measured = self.measure_rounds(&pair, Some(&wanted), &mut look)?;
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
        let candidate = candidate::measure_or_read(self)?;
        let trailers = waivers::read_trailers(self, candidate.commit.as_ref(), Some(base));
        let evidence = Evidence {
            trailers: &trailers,
            notes: &[format!("no baseline: {why}")],
            noise: &self.noise,
            ..Evidence::from_sides(&candidate, BaselineEvidence::None)
        };
        let decision = self.decide_with_counts(None, &evidence)?;
        Ok((candidate, decision))
    }

    /// Measures and judges base and candidate in rounds.
    fn check_pair(&self, pair: &Pair, base: Option<&CommitId>) -> Result<(Run, Decision)> {
        let trailers = waivers::read_trailers(self, self.project.read_head()?.as_ref(), base);
        let mut look = |rounds: RoundsEvidence<'_>| {
            decide(&self.gather_rounds(rounds, &trailers), &self.policy)
        };
        let measured = self.measure_rounds(pair, None, &mut look)?;
        outputs::write_run(&self.args.out, &measured.candidate)?;
        let evidence = self.gather_rounds(measured.as_evidence(), &trailers);
        let decision = self.decide_with_counts(Some(pair), &evidence)?;
        Ok((measured.candidate, decision))
    }

    /// Returns the evidence of rounds without stored runs.
    fn gather_rounds<'e>(
        &'e self,
        rounds: RoundsEvidence<'e>,
        trailers: &'e TrailerEvidence,
    ) -> Evidence<'e> {
        Evidence {
            rounds: Some(rounds),
            trailers,
            noise: &self.noise,
            ..Evidence::from_sides(rounds.candidate, BaselineEvidence::None)
        }
    }

    /// Decides on `evidence`. With `--counts`, counts the instructions of what stays inconclusive
    /// and decides again. `pair` is `None` if there were no rounds.
    ///
    /// Fails if counting is interrupted or a process cannot be started.
    fn decide_with_counts(&self, pair: Option<&Pair>, evidence: &Evidence<'_>) -> Result<Decision> {
        let decision = decide(evidence, &self.policy);
        if !self.args.counts {
            return Ok(decision);
        }
        let counts = self.count_inconclusive(pair, &decision)?;
        Ok(decide(&Evidence { counts: &counts, ..*evidence }, &self.policy))
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
                    ComparedWith::find_stored(store, &self.args.remote, &self.project, candidate)
                }
                None => Ok(no_store()),
            },
            BaselineChoice::Revision(revision) => {
                let (_, commit) = self.project.resolve_commit(revision)?;
                match self.open_store()? {
                    Some(store) => {
                        ComparedWith::find_stored_at(store, revision, &commit, candidate)
                    }
                    None => Ok(no_store()),
                }
            }
        }
    }

    /// Opens the store of baselines. Returns `None` outside a repository if no store is named.
    fn open_store(&self) -> Result<Option<&Store>> {
        self.session.store.open_if_present()
    }
}
