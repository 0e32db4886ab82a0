//! Parts of the crate for its fuzz targets and benchmarks, with the feature `internals`. No version
//! promises that they stay as they are.
//!
//! Each function of [`PARSERS`] gives bytes to one parser of input that strangers can write. The
//! other functions are the steps whose cost `benches/` measures, and what `examples/` print tables of.
//! No step has logic here.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::bisect::{BisectSearch, PositionState, SearchStep};
use crate::calibrate::Calibration;
use crate::compare;
use crate::decision::Decision;
use crate::measure::adapter::{Adapter, detect_adapter};
use crate::measure::command::is_sample_output;
use crate::measure::criterion::{parse_call_profile, parse_written_result};
use crate::policy::trailer::parse_trailers;
use crate::policy::{Config, Policy};
#[cfg(feature = "github")]
use crate::publish::artifact;
use crate::publish::event::{EventEnvironment, WorkflowEvent};
use crate::render::{self, COMMENT_LIMIT};
use crate::report::{Report, ReportContext};
use crate::run::{FileError, LookHorizon, Run};
use crate::site::{self, KnownNights, Night, SiteInput};
use crate::stats::change_points::MIN_SHIFT;
use crate::stats::drift::find_trend_changes;
use crate::stats::proportion::compute_clopper_pearson;
use crate::store::RunKey;
use crate::verdict::{self, BaselineEvidence, Evidence, RoundsEvidence};

/// A function that returns whether a parser accepts some bytes.
pub type ParserProbe = fn(&[u8]) -> bool;

/// All parsers of input that strangers can write, by the name of their fuzz target.
pub const PARSERS: &[(&str, ParserProbe)] = &[
    #[cfg(feature = "github")]
    ("artifact", accepts_artifact),
    ("adapter", accepts_adapter),
    ("calibration", accepts_calibration),
    ("callgrind", accepts_callgrind),
    ("command", accepts_command),
    ("config", accepts_config),
    ("criterion", accepts_criterion),
    ("decision", accepts_decision),
    ("event", accepts_event),
    ("key", accepts_key),
    ("run", accepts_run),
    ("trailers", accepts_trailers),
    ("trend", accepts_trend),
];

/// Returns whether `read` accepts `bytes`.
///
/// # Panics
///
/// Panics if a value that was read cannot be written and read again.
fn survives_rewriting<T: Serialize>(bytes: &[u8], read: fn(&[u8]) -> Result<T, FileError>) -> bool {
    let Ok(value) = read(bytes) else { return false };
    let written = serde_json::to_vec(&value).expect("a value that was read can be written");
    if let Err(error) = read(&written) {
        panic!("{error}: {}", String::from_utf8_lossy(&written));
    }
    true
}

/// Returns whether `bytes` are a run file.
pub fn accepts_run(bytes: &[u8]) -> bool {
    survives_rewriting(bytes, Run::from_json)
}

/// Returns whether `bytes` are a decision file. An accepted decision is rendered in every form.
pub fn accepts_decision(bytes: &[u8]) -> bool {
    if let Some(decision) = ParsedDecision::parse(bytes) {
        decision.render_comment();
        decision.render_page();
    }
    survives_rewriting(bytes, Decision::from_json)
}

/// Returns whether `bytes` are a calibration file.
pub fn accepts_calibration(bytes: &[u8]) -> bool {
    survives_rewriting(bytes, Calibration::from_json)
}

/// Returns whether `bytes` are the archive of a decision.
#[cfg(feature = "github")]
pub fn accepts_artifact(bytes: &[u8]) -> bool {
    artifact::read_artifact(bytes).is_ok()
}

/// Returns whether `bytes` are the payload of a GitHub event from which the destination is known.
pub fn accepts_event(bytes: &[u8]) -> bool {
    let trigger =
        EventEnvironment { name: None, payload: bytes.to_vec(), repository: None, sha: None };
    WorkflowEvent::read(&trigger).is_ok()
}

/// Returns whether `bytes` are `perfgate.toml`, with values that make a policy.
pub fn accepts_config(bytes: &[u8]) -> bool {
    let config = std::str::from_utf8(bytes).ok().and_then(|text| Config::from_toml(text).ok());
    config.is_some_and(|config| make_policy(&config).is_some())
}

/// Returns whether `bytes` are a commit message with trailers, all of them valid.
pub fn accepts_trailers(bytes: &[u8]) -> bool {
    let trailers = parse_trailers([&*String::from_utf8_lossy(bytes)]).parsed;
    !trailers.is_empty() && trailers.iter().all(Result::is_ok)
}

/// Returns whether `bytes` are Criterion's `benchmark.json` and `sample.json` with samples,
/// separated by a zero byte.
pub fn accepts_criterion(bytes: &[u8]) -> bool {
    let mut files = bytes.splitn(2, |byte| *byte == 0);
    let (benchmark, sample) = (files.next().unwrap_or_default(), files.next().unwrap_or_default());
    parse_written_result(benchmark, Ok(sample.to_vec()))
        .is_some_and(|result| result.observed.is_ok())
}

/// Returns whether `bytes` are a file of a harness that an adapter reads. Every adapter gets them.
pub fn accepts_adapter(bytes: &[u8]) -> bool {
    detect_adapter(bytes);
    let adapters = Adapter::list_names().filter_map(Adapter::find);
    adapters.filter(|adapter| adapter.parse(bytes).is_ok()).count() > 0
}

/// Returns whether `bytes` are the output of a command that prints samples.
pub fn accepts_command(bytes: &[u8]) -> bool {
    is_sample_output(bytes)
}

/// Returns whether `bytes` are a file of callgrind with a total.
pub fn accepts_callgrind(bytes: &[u8]) -> bool {
    parse_call_profile(&String::from_utf8_lossy(bytes)).is_some()
}

/// Returns whether `bytes` are the path of a stored run.
pub fn accepts_key(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|path| RunKey::parse(path).is_some())
}

/// Returns whether `bytes` are the lines of the runs that an earlier build of the pages has seen.
pub fn accepts_trend(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| KnownNights::parse_lines(text.lines()).is_some())
}

/// Returns the policy of `config`, or `None` if a value in it makes no policy.
fn make_policy(config: &Config) -> Option<Policy> {
    Policy::new(config, &BTreeMap::new(), crate::selection::Selection::default()).ok()
}

/// A run that was read.
#[derive(Debug)]
pub struct ParsedRun(Run);

/// A decision that was read or made.
#[derive(Debug)]
pub struct ParsedDecision(Decision);

impl ParsedRun {
    /// Reads a run file. Returns `None` if perfgate refuses `json`.
    pub fn parse(json: &[u8]) -> Option<Self> {
        Run::from_json(json).ok().map(Self)
    }

    /// Places this run beside a baseline and computes the partners of each benchmark. Returns how
    /// many launches have one.
    pub fn compare_with(&self, baseline: &Self) -> usize {
        let compared = compare::compare_benchmarks(&baseline.0.benchmarks, &self.0.benchmarks);
        compared.iter().map(|benchmark| benchmark.match_partners().candidate.len()).sum()
    }

    /// Decides about the launches of this run and a baseline that were measured in rounds.
    ///
    /// # Panics
    ///
    /// Panics if the default policy is not valid, which a test excludes.
    pub fn decide_in_rounds(&self, baseline: &Self) -> ParsedDecision {
        let rounds = RoundsEvidence {
            baseline: &baseline.0,
            candidate: &self.0,
            entered_count: self.0.benchmarks.len(),
            same_program: &[],
            postponed: &[],
            horizon: LookHorizon::default(),
            has_ended: false,
        };
        let sides = Evidence::from_sides(&self.0, BaselineEvidence::None);
        let evidence = Evidence { rounds: Some(rounds), ..sides };
        let policy = make_policy(&Config::default()).expect("the default policy is valid");
        ParsedDecision(verdict::decide(&evidence, &policy))
    }
}

/// A search for the commit that changed a benchmark. The caller measures the rounds.
#[derive(Debug)]
pub struct ChangeSearch(BisectSearch);

impl ChangeSearch {
    /// Begins a search among this number of commits after the good one, which is commit 0.
    pub fn new(commits: usize) -> Self {
        Self(BisectSearch::new(commits))
    }

    /// Returns the commit of which the next round is measured; `None` if the search has ended.
    /// `built` is the commit that was measured last.
    pub fn next_commit(&self, built: Option<usize>) -> Option<usize> {
        match self.0.next_step(built) {
            SearchStep::Measure(commit) => Some(commit),
            SearchStep::Finish => None,
        }
    }

    /// Adds a round of `commit`: the logarithm of its time ÷ that of the good one.
    pub fn add_round(&mut self, commit: usize, difference: f64) {
        let mut differences = match &self.0.states()[commit] {
            PositionState::Measured(differences) => differences.clone(),
            _ => Vec::new(),
        };
        differences.push(difference);
        self.0.set_state(commit, PositionState::Measured(differences));
    }

    /// Returns the first and the last suspect of each change, with the probability that it is one of
    /// them.
    pub fn list_suspects(&self) -> Vec<(usize, usize, f64)> {
        let changes = self.0.summarize().changes;
        changes.iter().map(|gap| (gap.after + 1, gap.until, gap.probability)).collect()
    }
}

impl ParsedDecision {
    /// Returns what the data show about each benchmark: `regressed`, `unchanged` and so on.
    pub fn list_changes(&self) -> Vec<&'static str> {
        self.0.benchmarks.iter().map(|judgement| judgement.change.name()).collect()
    }

    /// Reads a decision file. Returns `None` if perfgate refuses `json`.
    pub fn parse(json: &[u8]) -> Option<Self> {
        Decision::from_json(json).ok().map(Self)
    }

    /// Renders the comment for a pull request.
    ///
    /// # Panics
    ///
    /// Panics if the template does not fit the decision, which is a defect.
    pub fn render_comment(&self) -> String {
        let context = ReportContext::default();
        render::render_markdown(&Report::new(&self.0, &context), COMMENT_LIMIT)
            .expect("a decision fits the template")
    }

    /// Renders the HTML report.
    ///
    /// # Panics
    ///
    /// Panics if the template does not fit the decision, which is a defect.
    pub fn render_page(&self) -> String {
        let context = ReportContext::default();
        render::render_html(&Report::new(&self.0, &context)).expect("a decision fits the template")
    }
}

/// Builds the trend pages of `runs`, in commit order, in `folder`. Returns how many files it wrote.
///
/// # Panics
///
/// Panics if a file cannot be written or a page cannot be rendered.
pub fn build_trend_pages(runs: &[ParsedRun], folder: &Path) -> usize {
    let policy = make_policy(&Config::default()).expect("the default policy is valid");
    let nights = runs.iter().filter_map(|run| Night::from_run(&run.0, policy.confidence)).collect();
    let material = SiteInput {
        title: "trend".to_owned(),
        nights,
        releases: Vec::new(),
        repository: None,
        policy: &policy,
        commits_between: &|_, _| Vec::new(),
        now: Timestamp::UNIX_EPOCH,
    };
    let tracks = site::build_tracks(&material.nights);
    let written = site::build_site(&material, &tracks, folder).expect("the folder is writable");
    written.written
}

/// Shifts of a level below this share are not reported by default.
pub const LEAST_SHIFT: f64 = MIN_SHIFT;

/// Returns where the level of `values` shifts by at least the share `least`, as positions of the
/// first value after each shift. Returns `None` if a value is not positive and finite.
pub fn locate_change_points(values: &[f64], least: f64, confidence: f64) -> Option<Vec<usize>> {
    let found = find_trend_changes(values, least, confidence).ok()?;
    Some(found.steps.iter().map(|point| point.index).collect())
}

/// Returns where `values` drift by at least the share `least` in all: the range of each drift, and
/// the lower bound, the estimate and the upper bound of the ratio of a value to the one before.
/// Returns `None` if a value is not positive and finite.
pub fn locate_drifts(
    values: &[f64],
    least: f64,
    confidence: f64,
) -> Option<Vec<(Range<usize>, [f64; 3])>> {
    let found = find_trend_changes(values, least, confidence).ok()?.drifts;
    let drifts = found
        .iter()
        .map(|drift| (drift.start..drift.end, [drift.interval.0, drift.ratio, drift.interval.1]));
    Some(drifts.collect())
}

/// Returns the Clopper-Pearson interval of the share `part` of `whole`.
pub fn compute_binomial_interval(part: u64, whole: u64, confidence: f64) -> (f64, f64) {
    compute_clopper_pearson(part, whole, confidence)
}
