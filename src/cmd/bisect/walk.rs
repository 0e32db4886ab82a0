//! One search along a line of commits: builds and measures what the search asks for, and logs it.

use std::collections::HashMap;

use anyhow::Result;

use super::line::SearchLine;
use super::log_file::LogFile;
use super::meter::{CommitMeter, MeterCommit, RoundsEnd, explain_unmeasured};
use crate::bisect::{
    BisectOutcome, BisectSearch, CommitResult, PositionState, ReportedChange, SearchReport,
    SearchStep, SkipReason, SkippedCommit, SuspectGap,
};
use crate::git::Repository;
use crate::render::{describe_commit_rounds, describe_skip, escape_for_terminal};
use crate::rounds::RoundsBudget;
use crate::session::pair::{CommandPlacer, PairBuilder};
use crate::session::progress::ProgressOutput;
use crate::session::{CommandError, Session};

/// A search along a line of commits.
pub(super) struct SearchWalk<'a> {
    /// The project and what is measured.
    pub(super) session: &'a Session,
    /// The repository of the project.
    pub(super) repository: &'a Repository,
    /// The commits.
    pub(super) line: &'a SearchLine,
    /// Id of the benchmark.
    pub(super) bench: &'a str,
    /// How a command is started in a checkout; `None` for benches.
    pub(super) placer: Option<&'a CommandPlacer<'a>>,
    /// Time limit of everything.
    pub(super) budget: RoundsBudget,
}

/// How a search ended.
pub(super) enum WalkEnd {
    /// With an answer, if only that there is none yet.
    Ended(Box<SearchReport>),
    /// One end of the line cannot be measured.
    Impossible(CommandError),
}

/// A search and its log, which are changed together.
struct LoggedSearch<'a> {
    search: BisectSearch,
    log: &'a mut LogFile,
    depth: usize,
    ids: Vec<String>,
}

impl SearchWalk<'_> {
    /// Searches until the answer is known or the budget is spent. Everything is logged in `log` at
    /// `depth`.
    ///
    /// # Errors
    ///
    /// Fails if git, a process or a file fails, or if a signal interrupts the search.
    pub(super) fn run(&self, log: &mut LogFile, depth: usize) -> Result<WalkEnd> {
        // Plan: take up the log, then do what the search asks for. The good commit is built when the
        // first commit is to be measured, so that a finished search builds nothing.
        let mut logged = self.take_up(log, depth)?;
        let builder = self.session.pair_builder(self.repository);
        let mut output = ProgressOutput::new();
        let (mut meter, mut built): (Option<CommitMeter<'_>>, Option<(usize, MeterCommit)>) =
            (None, None);
        let is_spent = loop {
            let built_at = built.as_ref().map(|(position, _)| *position);
            let SearchStep::Measure(position) = logged.search.next_step(built_at) else {
                break false;
            };
            if self.budget.time_left().is_zero() {
                break true;
            }
            if self.share_equal_files(&mut logged, position)? {
                continue;
            }
            let meter = match &meter {
                Some(meter) => meter,
                None => match self.start_meter(&builder, &output)? {
                    Ok(started) => &*meter.insert(started),
                    Err(why) => return Ok(WalkEnd::Impossible(why)),
                },
            };
            if built_at != Some(position) {
                // The checkout of the commit before must be gone.
                drop(built.take());
                built = self.build(meter, &mut logged, position, &output)?;
            }
            if let Some((_, commit)) = &built {
                Self::measure(meter, commit, &mut logged, position, &mut output)?;
            }
            let last = self.line.commits.len() - 1;
            if let Some(why) = logged.find_skipped(last) {
                let commit = &self.line.commits[last];
                return Ok(WalkEnd::Impossible(explain_unmeasured("BAD", commit, &why)));
            }
        };
        Ok(WalkEnd::Ended(Box::new(self.report(&mut logged, is_spent))))
    }

    /// Returns the search as far as it is logged. Fails if the log contradicts the history.
    fn take_up<'l>(&self, log: &'l mut LogFile, depth: usize) -> Result<LoggedSearch<'l>> {
        let ids = self.line.list_ids();
        let (good, bad) = (&ids[0], &ids[ids.len() - 1]);
        let restored = log.take_up(depth, good, bad).restore_search(&ids);
        let search = restored.map_err(|error| log.explain_contradiction(error))?;
        Ok(LoggedSearch { search, log, depth, ids })
    }

    /// Builds the good commit. The inner `Err` is why it cannot be measured. Fails if git, a folder or
    /// a process fails.
    fn start_meter<'m>(
        &'m self,
        builder: &'m PairBuilder<'m>,
        output: &ProgressOutput,
    ) -> Result<Result<CommitMeter<'m>, CommandError>> {
        output.print_line(&format!("building {}, the good commit", self.describe(0)));
        let good = &self.line.commits[0];
        CommitMeter::start(self.session, builder, good, self.placer, self.bench, self.budget)
    }

    /// Shares the rounds of a commit with the same files, if there is one, and returns whether there
    /// is. Fails if git fails or the log cannot be written.
    fn share_equal_files(&self, logged: &mut LoggedSearch<'_>, position: usize) -> Result<bool> {
        if logged.search.states()[position] != PositionState::Unknown {
            return Ok(false);
        }
        let read_tree = |at: usize| {
            self.repository.read_tree_id(&self.line.commits[at]).map_err(CommandError::from)
        };
        let tree = read_tree(position)?;
        for at in logged.list_roots() {
            if read_tree(at)? == tree {
                logged.set(position, CommitResult::SameProgram(logged.ids[at].clone()))?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Builds the commit at `position`. Returns `None` if there is nothing to measure: it cannot be
    /// built, or its program is known. Then the log has the reason.
    ///
    /// Fails if git, a process or a file fails.
    fn build(
        &self,
        meter: &CommitMeter<'_>,
        logged: &mut LoggedSearch<'_>,
        position: usize,
        output: &ProgressOutput,
    ) -> Result<Option<(usize, MeterCommit)>> {
        let last = self.line.commits.len() - 1;
        output.print_line(&format!("commit {position} of {last}: {}", self.describe(position)));
        let commit = match meter.build(&self.line.commits[position])? {
            Ok(commit) => commit,
            Err(why) => {
                output.print_line(&format!(
                    "  skipped: {}",
                    escape_for_terminal(&describe_skip(&why))
                ));
                logged.set(position, CommitResult::Skipped(why))?;
                return Ok(None);
            }
        };
        if logged.search.states()[position] != PositionState::Unknown {
            return Ok(Some((position, commit)));
        }
        let mut same = commit.is_good_program.then_some(0);
        if let Some(program) = commit.program.as_ref().filter(|_| same.is_none()) {
            for at in logged.list_positions_of(program) {
                if meter.has_same_data(&self.line.commits[at], &self.line.commits[position])? {
                    same = Some(at);
                    break;
                }
            }
        }
        let Some(same) = same else { return Ok(Some((position, commit))) };
        output.print_line(&format!("  the same program as {}", self.describe(same)));
        logged.set(position, CommitResult::SameProgram(logged.ids[same].clone()))?;
        Ok(None)
    }

    /// Measures rounds of `commit` as long as the search asks for them. Each round is logged.
    ///
    /// Fails if a process or the log fails.
    fn measure(
        meter: &CommitMeter<'_>,
        commit: &MeterCommit,
        logged: &mut LoggedSearch<'_>,
        position: usize,
        output: &mut ProgressOutput,
    ) -> Result<()> {
        let earlier = logged.list_differences(position);
        let mut written = Ok(());
        let end = meter.measure(commit, output, &mut |differences| {
            let all = earlier.iter().chain(differences).copied().collect();
            written = logged.set_measured(position, all, commit.program.as_ref());
            let next = logged.search.next_step(Some(position));
            written.is_ok() && next == SearchStep::Measure(position)
        })?;
        written?;
        if let RoundsEnd::Skipped(why) = end {
            output.print_line(&format!("  skipped: {}", escape_for_terminal(&describe_skip(&why))));
            return logged.set(position, CommitResult::Skipped(why));
        }
        let differences = logged.list_differences(position);
        let summary = logged.search.summarize();
        output.print_line(&describe_commit_rounds(&differences, &summary));
        Ok(())
    }

    /// Returns the short id and the subject of the commit at `position`.
    fn describe(&self, position: usize) -> String {
        let commit = &self.line.commits[position];
        let subject = self.repository.read_subject(commit);
        format!("{} {}", commit.short_id(), escape_for_terminal(&subject))
    }

    fn report(&self, logged: &mut LoggedSearch<'_>, is_spent: bool) -> SearchReport {
        let summary = logged.search.summarize();
        let name_at = |position: usize| self.line.name_commit(self.repository, position);
        let report_change = |gap: &SuspectGap| ReportedChange {
            commits: (gap.after + 1..=gap.until).map(name_at).collect(),
            probability: gap.probability,
            ratio: gap.change.into(),
        };
        let outcome = match summary.changes.len() {
            _ if is_spent => BisectOutcome::Unfinished,
            0 => BisectOutcome::NoChange,
            1 => BisectOutcome::Found,
            _ => BisectOutcome::Several,
        };
        let states = logged.search.states();
        let count_states = |is_counted: &dyn Fn(&PositionState) -> bool| {
            states.iter().skip(1).filter(|state| is_counted(state)).count()
        };
        let rounds = states.iter().map(|state| match state {
            PositionState::Measured(differences) => differences.len(),
            _ => 0,
        });
        SearchReport {
            outcome,
            good: name_at(0),
            bad: name_at(states.len() - 1),
            commits: states.len() - 1,
            is_settled: summary.is_settled,
            unchanged: summary.unchanged,
            changes: summary.changes.iter().map(report_change).collect(),
            others: summary.others.iter().map(report_change).collect(),
            measured: count_states(&|state| matches!(state, PositionState::Measured(_))),
            same_program: count_states(&|state| matches!(state, PositionState::SameProgram(_))),
            rounds: rounds.sum(),
            longest_gap: summary.longest_gap,
            skipped: logged
                .list_skipped()
                .into_iter()
                .map(|(position, why)| SkippedCommit { commit: name_at(position), why })
                .collect(),
        }
    }
}

impl LoggedSearch<'_> {
    /// Sets what the commit at `position` gave, in the search and in the log, and writes the log.
    ///
    /// Fails if it cannot be written.
    fn set(&mut self, position: usize, result: CommitResult) -> Result<()> {
        let state = match &result {
            CommitResult::Measured(differences) => PositionState::Measured(differences.clone()),
            CommitResult::Skipped(_) => PositionState::Skipped,
            CommitResult::SameProgram(other) => {
                let root = self.ids.iter().position(|id| id == other).unwrap_or(0);
                PositionState::SameProgram(root)
            }
        };
        self.search.set_state(position, state);
        self.log.search_at(self.depth).set_result(&self.ids[position], result);
        self.log.write()
    }

    /// Sets the rounds of the commit at `position`, and its program. Fails if the log cannot be
    /// written.
    fn set_measured(
        &mut self,
        position: usize,
        differences: Vec<f64>,
        program: Option<&String>,
    ) -> Result<()> {
        let logged = self.log.search_at(self.depth);
        logged.set_result(&self.ids[position], CommitResult::Measured(differences.clone()));
        if let Some(program) = program {
            logged.set_program(&self.ids[position], program.clone());
        }
        self.search.set_state(position, PositionState::Measured(differences));
        self.log.write()
    }

    fn list_differences(&mut self, position: usize) -> Vec<f64> {
        self.log.search_at(self.depth).list_differences(&self.ids[position])
    }

    /// Returns the good commit and the commits with rounds.
    fn list_roots(&self) -> Vec<usize> {
        let measured = self.search.states().iter().enumerate();
        let measured = measured.filter(|(_, state)| matches!(state, PositionState::Measured(_)));
        std::iter::once(0).chain(measured.map(|(at, _)| at)).collect()
    }

    /// Returns the positions of measured commits with this program.
    fn list_positions_of(&mut self, program: &str) -> Vec<usize> {
        let places: HashMap<&str, usize> =
            self.ids.iter().enumerate().map(|(at, id)| (id.as_str(), at)).collect();
        let commits = &self.log.search_at(self.depth).commits;
        let same = commits.iter().filter(|logged| {
            logged.program.as_deref() == Some(program)
                && matches!(logged.result, CommitResult::Measured(_))
        });
        same.filter_map(|logged| places.get(logged.commit.as_str()).copied()).collect()
    }

    /// Returns why the commit at `position` was skipped, if it was.
    fn find_skipped(&mut self, position: usize) -> Option<SkipReason> {
        let mut skipped = self.list_skipped().into_iter();
        skipped.find(|(at, _)| *at == position).map(|(_, why)| why)
    }

    /// Returns the skipped commits with the reasons, in the order of the history.
    fn list_skipped(&mut self) -> Vec<(usize, SkipReason)> {
        let commits = &self.log.search_at(self.depth).commits;
        let mut skipped: Vec<(usize, SkipReason)> = commits
            .iter()
            .filter_map(|logged| match &logged.result {
                CommitResult::Skipped(why) => {
                    let at = self.ids.iter().position(|id| *id == logged.commit)?;
                    Some((at, why.clone()))
                }
                _ => None,
            })
            .collect();
        skipped.sort_by_key(|(at, _)| *at);
        skipped
    }
}
