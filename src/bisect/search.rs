//! The search: which commit is measured next, and what is known so far.
//!
//! Unmeasured commits carry no information, so all commits of a gap between measured neighbours are
//! equally likely. The median of the posterior is therefore the middle of the likeliest gap. This is
//! noisy binary search (Burnashev & Zigangirov 1974; Karp & Kleinberg 2007, *Noisy binary search and
//! its applications*), with the posterior of all rounds in place of an error rate that is known.

use super::grid::{BUILD_OFFSET, locate_centre};
use super::posterior::{HistoryModel, LevelChange, PositionRounds};

/// A gap is clear if the probability of a change in it is at most this, or at least one minus this.
const CLEAR_SHARE: f64 = 0.02;
/// Least number of rounds per commit: a single round could be a burst on either side.
const MIN_COMMIT_ROUNDS: usize = 2;
/// Largest number of rounds per commit.
const MAX_COMMIT_ROUNDS: usize = 160;
/// From this number of rounds on, a commit needs no more if their standard error is below the offset
/// that its build may have: more rounds would measure the build, not the commit.
const OFFSET_ROUNDS: usize = 12;
/// The commit that is built is measured again, unless it has this many times the rounds of the other
/// end of the gap: building takes longer than a round.
const STAY_FACTOR: usize = 3;
/// If nothing changes between the ends, commits in between are measured until the longest gap is at
/// most this part of the history. A slowdown and its repair that are further apart are then found.
const PROBED_PARTS: usize = 4;
/// Smallest probability with which a gap is named.
const LEAST_NAMED: f64 = 0.005;

/// What is known about the commit at one position of the history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PositionState {
    /// Nothing yet.
    Unknown,
    /// Measured: one log ratio to the good commit per round.
    Measured(Vec<f64>),
    /// It cannot be measured.
    Skipped,
    /// Its program is that of another position, which is the good commit or is measured.
    SameProgram(usize),
}

/// What the search does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchStep {
    /// Measure a round of the commit at this position.
    Measure(usize),
    /// Nothing: the rounds answer the question, or no commit is left that could.
    Finish,
}

/// A gap between measured positions, in which the level changes with some probability. The change is
/// at one of the positions after `after`, up to `until`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SuspectGap {
    /// The measured position before the gap.
    pub(crate) after: usize,
    /// The measured position that ends the gap.
    pub(crate) until: usize,
    /// Probability that the level changes in the gap.
    pub(crate) probability: f64,
    /// Size of the change if there is one.
    pub(crate) change: LevelChange,
    /// Whether no commit is left that could narrow the gap.
    pub(crate) is_narrow: bool,
}

impl SuspectGap {
    /// Returns the number of commits of the gap.
    pub(crate) fn count_commits(&self) -> usize {
        self.until - self.after
    }
}

/// What a search knows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SearchSummary {
    /// Gaps with a change, as far as it is more likely than not, in the order of the history.
    pub(crate) changes: Vec<SuspectGap>,
    /// The next likely gaps, the likeliest per commit first.
    pub(crate) others: Vec<SuspectGap>,
    /// Probability that nothing changes.
    pub(crate) unchanged: f64,
    /// Whether every gap is clear, and no gap with a change can be narrowed.
    pub(crate) is_settled: bool,
    /// Number of commits of the longest gap.
    pub(crate) longest_gap: usize,
}

/// A search in a history: position 0 is the good commit, the last position the bad one.
#[derive(Clone, Debug)]
pub(crate) struct BisectSearch {
    states: Vec<PositionState>,
}

/// A stretch between two positions whose program is known, with none in between.
struct KnownStretch {
    after: usize,
    /// The position whose rounds stand for the program before the stretch.
    after_root: usize,
    until: usize,
    until_root: usize,
}

impl KnownStretch {
    /// Returns whether the level may change. It does not between two commits with the same program,
    /// unless a commit in between is known to differ.
    fn is_gap(&self) -> bool {
        self.after_root != self.until_root
    }

    fn count_commits(&self) -> usize {
        self.until - self.after
    }
}

impl BisectSearch {
    /// Begins a search in a history with this number of commits after the good one; at least one.
    pub(crate) fn new(commits: usize) -> Self {
        let mut states = vec![PositionState::Unknown; commits + 1];
        states[0] = PositionState::SameProgram(0);
        Self { states }
    }

    /// Returns what is known about each position.
    pub(crate) fn states(&self) -> &[PositionState] {
        &self.states
    }

    /// Sets what is known about the commit at `position`, which is not the good one.
    pub(crate) fn set_state(&mut self, position: usize, state: PositionState) {
        self.states[position] = state;
    }

    /// Returns what to do next. `built` is the position whose program is built, if any: it costs
    /// least to measure it again.
    pub(crate) fn next_step(&self, built: Option<usize>) -> SearchStep {
        // Plan: the bad commit first, and no commit with a single round. Then rounds where a gap is
        // not clear, then the middle of a gap with a change, and if there is no change, the middle of
        // a gap that is too long.
        let last = self.states.len() - 1;
        if self.states[last] == PositionState::Unknown {
            return SearchStep::Measure(last);
        }
        let is_fresh = |position: &usize| {
            (1..MIN_COMMIT_ROUNDS).contains(&self.count_rounds(*position))
                && matches!(self.states[*position], PositionState::Measured(_))
        };
        if let Some(position) = built.into_iter().chain(0..=last).find(is_fresh) {
            return SearchStep::Measure(position);
        }
        let stretches = self.list_stretches();
        let gaps: Vec<&KnownStretch> = stretches.iter().filter(|one| one.is_gap()).collect();
        let posterior = HistoryModel::new(&self.collect_rounds(&gaps)).summarize();
        let list_judged = || gaps.iter().copied().zip(posterior.changes.iter().copied());
        let unclear = list_judged().filter(|(_, probability)| !is_clear(*probability));
        if let Some(position) = self.choose_repeat(unclear.map(|(gap, _)| gap), built) {
            return SearchStep::Measure(position);
        }
        let changed: Vec<&KnownStretch> = list_judged()
            .filter(|(_, probability)| *probability > 0.5)
            .map(|(gap, _)| gap)
            .collect();
        let middle = if changed.is_empty() {
            let limit = last.div_ceil(PROBED_PARTS);
            let long = stretches.iter().filter(|stretch| stretch.count_commits() > limit);
            self.find_middle_of_longest(long)
        } else {
            self.find_middle_of_longest(changed.into_iter())
        };
        middle.map_or(SearchStep::Finish, SearchStep::Measure)
    }

    /// Returns what is known, with the gaps in which something changes.
    pub(crate) fn summarize(&self) -> SearchSummary {
        let stretches = self.list_stretches();
        let longest_gap = stretches.iter().map(KnownStretch::count_commits).max();
        let gaps: Vec<&KnownStretch> = stretches.iter().filter(|one| one.is_gap()).collect();
        let rounds = self.collect_rounds(&gaps);
        let model = HistoryModel::new(&rounds);
        let posterior = model.summarize();
        let suspects = gaps.iter().enumerate().map(|(at, gap)| SuspectGap {
            after: gap.after,
            until: gap.until,
            probability: posterior.changes[at],
            change: model.estimate_change(at),
            is_narrow: self.find_middle(gap).is_none(),
        });
        let suspects: Vec<SuspectGap> =
            suspects.filter(|gap| gap.probability >= LEAST_NAMED).collect();
        let (changes, mut others): (Vec<_>, Vec<_>) =
            suspects.into_iter().partition(|gap| gap.probability > 0.5);
        let per_commit = |gap: &SuspectGap| gap.probability / gap.count_commits() as f64;
        others.sort_by(|one, other| per_commit(other).total_cmp(&per_commit(one)));
        SearchSummary {
            is_settled: longest_gap.is_some()
                && posterior.changes.iter().all(|probability| is_clear(*probability))
                && changes.iter().all(|gap| gap.is_narrow),
            changes,
            others,
            // Without the bad commit, nothing is known.
            unchanged: longest_gap.map_or(0.0, |_| posterior.unchanged),
            longest_gap: longest_gap.unwrap_or(self.states.len() - 1),
        }
    }

    /// Returns the position whose rounds stand for the program at `position`; `None` without any.
    fn find_root(&self, position: usize) -> Option<usize> {
        match self.states[position] {
            PositionState::Measured(_) => Some(position),
            PositionState::SameProgram(root) => Some(root),
            PositionState::Unknown | PositionState::Skipped => None,
        }
    }

    fn count_rounds(&self, position: usize) -> usize {
        match &self.states[position] {
            PositionState::Measured(differences) => differences.len(),
            _ => 0,
        }
    }

    /// Returns the stretches between positions whose program is known.
    fn list_stretches(&self) -> Vec<KnownStretch> {
        let mut stretches = Vec::new();
        let (mut after, mut after_root) = (0, 0);
        for until in 1..self.states.len() {
            let Some(until_root) = self.find_root(until) else { continue };
            stretches.push(KnownStretch { after, after_root, until, until_root });
            (after, after_root) = (until, until_root);
        }
        stretches
    }

    /// Returns the rounds at the end of each gap. The good commit's program has none, because it is
    /// at zero by definition. The rounds of a program that returns count again where it returns.
    fn collect_rounds(&self, gaps: &[&KnownStretch]) -> Vec<PositionRounds> {
        gaps.iter()
            .map(|gap| PositionRounds {
                candidates: gap.count_commits(),
                differences: match &self.states[gap.until_root] {
                    PositionState::Measured(differences) => differences.clone(),
                    _ => Vec::new(),
                },
            })
            .collect()
    }

    /// Returns the end of an unclear gap that needs further rounds: the commit that is built, or else
    /// the one with the fewest rounds. Returns `None` if none may have more.
    fn choose_repeat<'a>(
        &self,
        unclear: impl Iterator<Item = &'a KnownStretch>,
        built: Option<usize>,
    ) -> Option<usize> {
        let mut ends: Vec<usize> =
            unclear.flat_map(|gap| [gap.after_root, gap.until_root]).collect();
        ends.retain(|end| self.profits_from_rounds(*end));
        let fewest = ends.iter().copied().min_by_key(|end| self.count_rounds(*end))?;
        let may_stay = |built: &usize| {
            ends.contains(built)
                && self.count_rounds(*built) < STAY_FACTOR * self.count_rounds(fewest)
        };
        Some(built.filter(may_stay).unwrap_or(fewest))
    }

    /// Returns whether further rounds of the commit at `position` could show something.
    fn profits_from_rounds(&self, position: usize) -> bool {
        let PositionState::Measured(differences) = &self.states[position] else { return false };
        let (_, error) = locate_centre(differences);
        differences.len() < MAX_COMMIT_ROUNDS
            && (differences.len() < OFFSET_ROUNDS || error > BUILD_OFFSET)
    }

    fn find_middle_of_longest<'a>(
        &self,
        gaps: impl Iterator<Item = &'a KnownStretch>,
    ) -> Option<usize> {
        let divisible = gaps.filter_map(|gap| Some((gap.count_commits(), self.find_middle(gap)?)));
        divisible.max_by_key(|(length, _)| *length).map(|(_, middle)| middle)
    }

    /// Returns the unknown position that is nearest to the middle of the gap, or `None` if there is
    /// none.
    fn find_middle(&self, gap: &KnownStretch) -> Option<usize> {
        let inside = gap.after + 1..gap.until;
        let unknown = inside.filter(|at| self.states[*at] == PositionState::Unknown);
        unknown.min_by_key(|at| (2 * at).abs_diff(gap.after + gap.until))
    }
}

fn is_clear(probability: f64) -> bool {
    probability <= CLEAR_SHARE || probability >= 1.0 - CLEAR_SHARE
}
