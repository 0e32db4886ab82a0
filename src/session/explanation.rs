//! Explains the regressions of a decision: builds both commits with line tables, and counts the
//! instructions of their benchmarks.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::Session;
use super::pair::{Pair, PairAttempt, SideObstacle};
use super::progress::ProgressOutput;
use crate::decision::{
    Change, Decision, ExplainedScope, Explanation, InstructionCounts, Judgement, SideCounts,
};
use crate::explain::{
    AttributedCounts, HiddenEvents, SourceTexts, attribute_profile, contrast_sides, explains_time,
};
use crate::git::CommitId;
use crate::host::detect_program_version;
use crate::measure::MeasureSubject;
use crate::measure::command::{CommandCount, CommandProfile, SampleCommand, profile_command};
use crate::measure::criterion::{
    BuiltBenches, CallProfile, CountDetail, CountRequest, VALGRIND, count_hardware_events,
    profile_calls,
};
use crate::note::{CountObstacle, ExplainObstacle, Note};
use crate::run::BenchmarkId;
use crate::units::Ratio;

/// Remedy if valgrind is not installed.
pub(crate) const VALGRIND_REMEDY: &str = "install it, for example: sudo apt install valgrind";

/// Returns whether the instructions of `judgement` can be explained: it is slower by a known ratio.
fn is_explainable(judgement: &Judgement) -> bool {
    judgement.change == Change::Regressed && judgement.ratio.is_some()
}

/// Adds to each regressed benchmark of `decision` where its added instructions are, or why they
/// could not be counted. Everything else in the decision stays as it is. Counting takes at most
/// `budget`, the worst benchmarks first.
///
/// The inner `Err` is the obstacle if nothing can be explained.
///
/// # Errors
///
/// Fails if Cargo rejects the workspace, if a process or a file fails, or if a signal interrupts it.
pub(crate) fn explain_decision(
    session: &Session,
    decision: &mut Decision,
    budget: Duration,
) -> Result<Result<(), ExplainObstacle>> {
    if !decision.benchmarks.iter().any(is_explainable) {
        return Ok(Ok(()));
    }
    let pair = match build_with_lines(session, decision)? {
        Ok(pair) => pair,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    let (MeasureSubject::Criterion(baseline), MeasureSubject::Criterion(candidate)) =
        (&pair.baseline, &pair.candidate)
    else {
        return Ok(Err(ExplainObstacle::NotCriterion));
    };
    let mut explainer = Explainer {
        session,
        sides: ExplainedSides::Benches([baseline, candidate]),
        roots: pair.checkout_folders().context("the pair has no checkouts")?,
        texts: SourceTexts::default(),
        deadline: Instant::now() + budget,
    };
    explainer.explain_all(decision)?;
    Ok(Ok(()))
}

/// Does the same for a decision about two `commands`, baseline and candidate, which are started as
/// they are.
///
/// # Errors
///
/// Fails if a process or a file fails, or if a signal interrupts it.
pub(crate) fn explain_commands(
    session: &Session,
    commands: [&SampleCommand; 2],
    decision: &mut Decision,
    budget: Duration,
) -> Result<Result<(), ExplainObstacle>> {
    if !decision.benchmarks.iter().any(is_explainable) {
        return Ok(Ok(()));
    }
    if detect_program_version(VALGRIND).is_none() {
        return Ok(Err(ExplainObstacle::NoValgrind));
    }
    let folder = &session.project.folder;
    let root = folder.canonicalize().with_context(|| format!("`{}`", folder.display()))?;
    let mut explainer = Explainer {
        session,
        sides: ExplainedSides::Commands(commands),
        roots: [&root, &root],
        texts: SourceTexts::default(),
        deadline: Instant::now() + budget,
    };
    explainer.explain_all(decision)?;
    Ok(Ok(()))
}

/// Builds the two commits of `decision` with line tables. The inner `Err` is what prevents it.
///
/// Fails if Cargo rejects the workspace, if git or the folders fail, or if a signal interrupts the
/// build.
fn build_with_lines(
    session: &Session,
    decision: &Decision,
) -> Result<Result<Box<Pair>, ExplainObstacle>> {
    if detect_program_version(VALGRIND).is_none() {
        return Ok(Err(ExplainObstacle::NoValgrind));
    }
    if decision.benchmarks.iter().all(|judgement| judgement.target.is_none()) {
        return Ok(Err(ExplainObstacle::NotCriterion));
    }
    let base = decision.baseline.commit.as_ref().and_then(|base| CommitId::parse(&base.id));
    let judged = decision.candidate.commit.as_ref();
    let (Some(base), Some(judged), Some(repository)) = (base, judged, &session.project.repository)
    else {
        return Ok(Err(ExplainObstacle::NoCommits));
    };
    let head = session.project.read_head()?;
    if head.is_none_or(|head| head.id != judged.id || head.dirty != judged.dirty) {
        let judged = CommitId::parse(&judged.id);
        let judged = judged.map_or_else(String::new, |commit| commit.short_id().to_owned());
        return Ok(Err(ExplainObstacle::OtherCommit { judged }));
    }
    let builder = session.pair_builder(repository).with_line_tables();
    let cause = match Pair::build_from_commits(&builder, &base) {
        Ok(PairAttempt::Ready(pair)) => return Ok(Ok(pair)),
        Ok(PairAttempt::NoBase(SideObstacle::NoManifest(path))) => {
            format!("the base does not have `{path}`")
        }
        Ok(PairAttempt::NoBase(SideObstacle::NoProfile(profile))) => {
            format!("the base has no profile `{profile}`")
        }
        Ok(PairAttempt::NoBase(SideObstacle::NotBuilt(cause)) | PairAttempt::NoHead(cause)) => {
            cause
        }
        Err(error) if !session.interrupt.is_raised() => format!("{error:#}"),
        Err(error) => return Err(error),
    };
    Ok(Err(ExplainObstacle::Failed { cause }))
}

/// What runs under callgrind on both sides, baseline and candidate.
#[derive(Clone, Copy)]
enum ExplainedSides<'a> {
    /// Programs with line tables that were built for it.
    Benches([&'a BuiltBenches; 2]),
    /// Commands.
    Commands([&'a SampleCommand; 2]),
}

/// The counts of both sides, baseline and candidate.
struct CountedSides {
    scope: ExplainedScope,
    profiles: [CallProfile; 2],
}

/// Both sides, ready to be counted.
struct Explainer<'a> {
    session: &'a Session,
    sides: ExplainedSides<'a>,
    /// Folders of the checkouts of both sides.
    roots: [&'a Path; 2],
    texts: SourceTexts,
    deadline: Instant,
}

impl Explainer<'_> {
    /// Explains the regressed benchmarks of `decision`, the worst first.
    ///
    /// Fails if a process cannot be started, or if its files or a program cannot be read.
    fn explain_all(&mut self, decision: &mut Decision) -> Result<()> {
        let stages = ProgressOutput::new();
        let mut slow: Vec<&mut Judgement> =
            decision.benchmarks.iter_mut().filter(|judgement| is_explainable(judgement)).collect();
        slow.sort_by_key(|judgement| Reverse(judgement.ratio.map(|ratio| ratio.point)));
        for judgement in slow {
            stages.print_line(&format!("explaining {}", judgement.id));
            // An earlier explanation would contradict the new one.
            judgement.notes.retain(|note| !matches!(note, Note::SlowdownNotExplained { .. }));
            judgement.explanation = None;
            match self.explain(judgement)? {
                Ok(explanation) => judgement.explanation = Some(Box::new(explanation)),
                Err(obstacle) => judgement.notes.push(Note::SlowdownNotExplained { obstacle }),
            }
        }
        Ok(())
    }

    /// Explains one benchmark. The inner `Err` is the obstacle if it cannot be counted.
    ///
    /// Fails if a process cannot be started, or if its files or a program cannot be read.
    fn explain(&mut self, judgement: &Judgement) -> Result<Result<Explanation, CountObstacle>> {
        let ratio = judgement.ratio.map(|ratio| ratio.point).context("there is no ratio")?;
        let counted = match self.profile_sides(judgement, CountDetail::Instructions)? {
            Ok(counted) => counted,
            Err(obstacle) => return Ok(Err(obstacle)),
        };
        let [baseline, candidate] = &counted.profiles;
        let sides = [self.attribute(baseline, 0)?, self.attribute(candidate, 1)?];
        let events = self.count_hidden_if_needed(judgement, &counted.profiles, ratio)?;
        Ok(Ok(contrast_sides(&sides, counted.scope, ratio, events)))
    }

    /// Counts both sides. The inner `Err` is the obstacle if one cannot be counted.
    fn profile_sides(
        &self,
        judgement: &Judgement,
        detail: CountDetail,
    ) -> Result<Result<CountedSides, CountObstacle>> {
        match self.sides {
            ExplainedSides::Benches(built) => self.profile_benches(built, judgement, detail),
            ExplainedSides::Commands(commands) => {
                self.profile_commands(commands, &judgement.id, detail)
            }
        }
    }

    fn profile_benches(
        &self,
        sides: [&BuiltBenches; 2],
        judgement: &Judgement,
        detail: CountDetail,
    ) -> Result<Result<CountedSides, CountObstacle>> {
        let id = judgement.to_id();
        let Some(target) = &judgement.target else {
            return Ok(Err(CountObstacle::UnknownTarget));
        };
        let mut profiles = [CallProfile::default(), CallProfile::default()];
        for (profile, built) in profiles.iter_mut().zip(sides) {
            let request = self.request_count(built, target, &id, detail);
            match profile_calls(&request)? {
                Ok(counted) => *profile = counted,
                Err(obstacle) => return Ok(Err(obstacle)),
            }
        }
        Ok(Ok(CountedSides { scope: ExplainedScope::Call, profiles }))
    }

    fn profile_commands(
        &self,
        commands: [&SampleCommand; 2],
        id: &str,
        detail: CountDetail,
    ) -> Result<Result<CountedSides, CountObstacle>> {
        let mut counted = Vec::new();
        for command in commands {
            let count = CommandCount {
                command,
                id,
                detail,
                effort: &self.session.effort.effort,
                deadline: self.deadline,
                interrupt: &self.session.interrupt,
            };
            match profile_command(&count)? {
                Ok(profile) => counted.push(profile),
                Err(obstacle) => return Ok(Err(obstacle)),
            }
        }
        Ok(match <[CommandProfile; 2]>::try_from(counted) {
            Ok([CommandProfile::Call(one), CommandProfile::Call(other)]) => {
                Ok(CountedSides { scope: ExplainedScope::Call, profiles: [one, other] })
            }
            Ok(
                [
                    CommandProfile::Process { profile: one, calls },
                    CommandProfile::Process { profile: other, calls: other_calls },
                ],
            ) if (calls - other_calls).abs() < 0.5 => {
                Ok(CountedSides { scope: ExplainedScope::Process, profiles: [one, other] })
            }
            _ => Err(CountObstacle::OtherCalls),
        })
    }

    fn attribute(&mut self, profile: &CallProfile, side: usize) -> Result<AttributedCounts> {
        attribute_profile(profile, self.roots[side], &mut self.texts)
            .context("failed to read a program that was counted")
    }

    /// Returns what else is counted on both sides if instructions do not explain the time: events of a
    /// simulated processor and of this machine. Returns none if they do, or if there is no time left.
    fn count_hidden_if_needed(
        &self,
        judgement: &Judgement,
        profiles: &[CallProfile; 2],
        ratio: Ratio,
    ) -> Result<HiddenEvents> {
        let [baseline, candidate] = profiles.each_ref().map(CallProfile::count_instructions);
        if explains_time(InstructionCounts { baseline, candidate }, ratio) {
            return Ok(HiddenEvents::default());
        }
        let Ok(counted) = self.profile_sides(judgement, CountDetail::Simulation)? else {
            return Ok(HiddenEvents::default());
        };
        let [baseline, candidate] = counted.profiles;
        let simulated = pair_events(&baseline.events, candidate.events);
        Ok(HiddenEvents { simulated, hardware: self.count_hardware(judgement)? })
    }

    /// Returns the events of this machine on both sides. Returns none for commands, which may start
    /// several processes, and where the machine does not count them.
    fn count_hardware(&self, judgement: &Judgement) -> Result<BTreeMap<String, SideCounts>> {
        let target = judgement.target.as_deref().zip(judgement.candidate.as_ref());
        let (ExplainedSides::Benches(sides), Some((target, figures))) = (self.sides, target) else {
            return Ok(BTreeMap::new());
        };
        let id = judgement.to_id();
        let mut counted = Vec::new();
        for built in sides {
            let request = self.request_count(built, target, &id, CountDetail::Instructions);
            counted.push(count_hardware_events(&request, figures.median.point)?);
        }
        let [baseline, candidate] = <[_; 2]>::try_from(counted).unwrap_or_default();
        let both = pair_events(&baseline, candidate).into_iter();
        Ok(both.filter(|(event, _)| baseline.contains_key(event)).collect())
    }

    fn request_count<'b>(
        &'b self,
        built: &'b BuiltBenches,
        target: &'b str,
        id: &'b BenchmarkId,
        detail: CountDetail,
    ) -> CountRequest<'b> {
        CountRequest {
            built,
            target,
            id,
            detail,
            effort: &self.session.effort.effort,
            deadline: Some(self.deadline),
            interrupt: &self.session.interrupt,
        }
    }
}

/// Sets the events of both sides beside each other.
fn pair_events(
    baseline: &BTreeMap<String, f64>,
    candidate: BTreeMap<String, f64>,
) -> BTreeMap<String, SideCounts> {
    let events = candidate.into_iter().map(|(event, candidate)| {
        let baseline = baseline.get(&event).copied().unwrap_or_default();
        (event, SideCounts { baseline, candidate })
    });
    events.collect()
}
