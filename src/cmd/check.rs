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

use self::comparand::{Choice, Comparand};
use self::waivers::Terms;
use super::pair::{Attempt, Pair};
use super::project::Project;
use super::{ExitStatus, Refusal, calibrate, files, gate, guard, measure, print};
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
    check.require_counts()?;
    let (candidate, decision) = match (&args.run, &check.choice) {
        (None, Choice::Commands(baseline, candidate)) => {
            check.in_turn(&Pair::of_commands(baseline, candidate), None)?
        }
        (None, Choice::Revision(revision)) => {
            let (repository, commit) = check.project.commit(revision)?;
            match check.pair(repository, &commit)? {
                Attempt::Ready(pair) => check.in_turn(&pair, Some(&commit))?,
                Attempt::NoBase(why) => check.alone(&why, &commit)?,
            }
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

/// Both sides and their launches, where something was measured in rounds.
type Confirmed = Option<(Box<Pair>, Box<InTurn>)>;

/// What a check goes by, settled before anything is measured.
struct Check<'a> {
    args: &'a CheckArgs,
    choice: Choice,
    project: Project,
    config: Config,
    policy: Policy,
    /// The run that is judged, where it was measured before.
    given: Option<Run>,
    /// What is known of the machine that it was, or will be, measured on.
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
        // Nothing is started where a run is read, and a signal may simply end it.
        let interrupt = if args.run.is_some() { Interrupt::default() } else { guard::interrupt()? };
        let given = args.run.as_deref().map(files::read_run).transpose()?;
        let fingerprint = match &given {
            Some(run) => run.host.fingerprint.clone(),
            None => measure::host(&project.folder).fingerprint,
        };
        let (calibration, note) = calibrate::known(&project.folder, &fingerprint);
        if let Some(note) = note {
            print::note(&note);
        }
        let noise = calibration.map(|calibration| calibration.noise()).unwrap_or_default();
        Ok(Self { args, choice, project, config, policy, given, noise, interrupt })
    }

    /// One run against what is there already; where that only screens, rounds confirm the rest.
    fn once(&self) -> Result<(Run, Decision)> {
        let candidate = self.candidate()?;
        let mut comparand = self.comparand(&candidate)?;
        let terms = Terms::read(self, candidate.commit.as_ref(), comparand.base().as_ref());
        let confirmed = match self.base_to_confirm(&candidate, &comparand) {
            Some(base) => self.confirm(&base, &candidate, &mut comparand, &terms)?,
            None => None,
        };
        // A screen fails nothing by itself, also where nothing could be measured again.
        let baseline = if self.screens() { comparand.screen() } else { comparand.baseline() };
        let rounds = confirmed.as_ref().map(|(_, in_turn)| in_turn.evidence());
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
        decision.warnings.extend(self.creep(&candidate, &decision)?);
        terms.tell(&mut decision);
        Ok((candidate, decision))
    }

    /// Are stored runs only a screen, because rounds can confirm what it does not pass?
    fn screens(&self) -> bool {
        self.choice == Choice::Auto && self.args.run.is_none()
    }

    /// The commit to measure again: that of the stored baseline, unless it is the candidate's own.
    fn base_to_confirm(&self, candidate: &Run, comparand: &Comparand) -> Option<CommitId> {
        let base = comparand.commit.clone()?;
        let head = candidate.commit.as_ref();
        let is_same = head.is_some_and(|head| head.id == base.as_str() && !head.dirty);
        (self.screens() && !is_same).then_some(base)
    }

    /// Measures in rounds what the screen does not pass. That the base cannot be built is noted.
    fn confirm(
        &self,
        base: &CommitId,
        candidate: &Run,
        comparand: &mut Comparand,
        terms: &Terms,
    ) -> Result<Confirmed> {
        let screen = self.judge(candidate, comparand.screen(), None, terms);
        let wanted = comparand.unsettled(&screen);
        if wanted.is_empty() {
            return Ok(None);
        }
        let Some(repository) = &self.project.repository else { return Ok(None) };
        print::note(&format!(
            "confirming {} of {} benchmarks in rounds against {}",
            wanted.len(),
            screen.benchmarks.len(),
            base.short()
        ));
        let why = match self.pair(repository, base) {
            Ok(Attempt::Ready(pair)) => {
                let mut decide = |rounds: Rounds<'_>| {
                    self.judge(candidate, comparand.screen(), Some(rounds), terms)
                };
                let in_turn = self.rounds(&pair, Some(&wanted), &mut decide)?;
                comparand.notes.extend(in_turn.candidate.warnings.iter().cloned());
                return Ok(Some((pair, Box::new(in_turn))));
            }
            Ok(Attempt::NoBase(why)) => why,
            Err(error) if !self.interrupt.is_raised() => format!("{error:#}"),
            Err(error) => return Err(error),
        };
        comparand.notes.push(format!("not confirmed in rounds: {why}"));
        Ok(None)
    }

    /// The candidate without a base that can be measured.
    fn alone(&self, why: &str, base: &CommitId) -> Result<(Run, Decision)> {
        let candidate = self.candidate()?;
        let terms = Terms::read(self, candidate.commit.as_ref(), Some(base));
        let mut decision = self.judge(&candidate, Baseline::None, None, &terms);
        decision.warnings.push(format!("no baseline: {why}"));
        terms.tell(&mut decision);
        Ok((candidate, decision))
    }

    /// Base and candidate in rounds.
    fn in_turn(&self, pair: &Pair, base: Option<&CommitId>) -> Result<(Run, Decision)> {
        let terms = Terms::read(self, self.project.head()?.as_ref(), base);
        let mut decide =
            |rounds: Rounds<'_>| self.judge(rounds.candidate, Baseline::None, Some(rounds), &terms);
        let in_turn = self.rounds(pair, None, &mut decide)?;
        outputs::write_run(&self.args.out, &in_turn.candidate)?;
        let mut decision = decide(in_turn.evidence());
        self.add_counts(pair, &mut decision)?;
        terms.tell(&mut decision);
        Ok((in_turn.candidate, decision))
    }

    /// The run that is judged: measured now and written at once, or read.
    fn candidate(&self) -> Result<Run> {
        let candidate = if let Some(run) = &self.given {
            run.clone()
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
