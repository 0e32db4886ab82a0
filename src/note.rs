//! Why an answer is what it is, or weaker than it looks, and why a benchmark failed, as values.
//!
//! Every module above may make a note. Only `render::notes` turns one into words. In files a note
//! is an object whose `note` names the kind. It has a `text` for people, which is ignored when the
//! file is read. Files of schema 1 have a sentence instead, which becomes [`Note::Recorded`].

use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::{Nanos, Percent, Ratio, RequestRate};

mod recorded;
mod claim;
mod failure;
mod rules;
mod explanation;
mod machine;
mod load;

pub(crate) use claim::ClaimIssue;
pub(crate) use explanation::{CountObstacle, ExplainObstacle};
pub(crate) use failure::FailureReason;
pub(crate) use load::{CourseFinding, LoadIssue};
pub(crate) use machine::{Disturbance, MachineName, StoredMachine};
use recorded::{RecordedValue, RecordedVisitor};
pub(crate) use rules::RulesIssue;

/// Why an answer is what it is, or weaker than it looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "kebab-case", deny_unknown_fields, remote = "Self")]
pub(crate) enum Note {
    /// A sentence of a file of schema 1.
    Recorded {
        /// The sentence as the file has it.
        sentence: String,
    },

    // The measurement.
    /// Other processes used the processors before the measurement began.
    BusyBefore {
        /// Share of the processors that others used.
        others: Percent,
    },
    /// Other processes used the processors during the measurement.
    BusyDuring {
        /// Share of the processors that others used.
        others: Percent,
    },
    /// The machine was disturbed during the measurement.
    Disturbed {
        /// What disturbed it.
        disturbance: Disturbance,
    },
    /// A launch was disturbed and therefore measured again.
    LaunchRepeated {
        /// Number of the launch, from 0. Its text counts from 1.
        launch: u32,
        /// Bench target or command that was launched.
        job: String,
        /// What disturbed it.
        disturbance: Disturbance,
    },
    /// A round was disturbed and therefore measured again.
    RoundRepeated {
        /// Number of the round, from 0. Its text counts from 1.
        round: u32,
        /// Bench target or command that was launched.
        job: String,
        /// What disturbed it.
        disturbance: Disturbance,
    },
    /// The machine was replaced during the measurement.
    MachineChanged {
        /// The machine at the start.
        before: MachineName,
        /// The machine at the end.
        after: MachineName,
    },
    /// A launch reported another value of a condition than the first launch of its benchmark.
    ConditionVaries {
        /// Name of the condition.
        key: String,
        /// Value of the first launch. `None` if it did not report it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first: Option<String>,
        /// Value of the other launch. `None` if it did not report it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        other: Option<String>,
    },
    /// The first calls of a model were slower than its last ones, so it was still warming up.
    WarmupNotSettled {
        /// Id of the benchmark.
        benchmark: String,
    },
    /// The file with which a bench describes its conditions cannot be used, so they are not known.
    SettingsUnusable {
        /// The error.
        cause: String,
    },
    /// A bench target was not measured because it does not read Criterion's flags.
    BenchSkipped {
        /// Name of the bench target.
        bench: String,
        /// Package of the bench target.
        package: String,
    },
    /// A bench target was not built.
    BenchLeftOut {
        /// Name of the bench target.
        bench: String,
        /// Package of the bench target.
        package: String,
        /// Cargo features that it needs. Empty if Cargo leaves it out for another reason.
        #[serde(default)]
        features: Vec<String>,
    },
    /// The packages that `cargo bench` builds have no benches, but other packages have.
    BenchesElsewhere {
        /// Names of the other packages.
        packages: Vec<String>,
    },
    /// No package of the workspace has a bench target.
    NoBenches,
    /// A bench target failed before it listed its benchmarks, so that patterns cannot select any of
    /// them.
    BenchNotListed {
        /// Name of the bench target.
        bench: String,
        /// Package of the bench target.
        package: String,
        /// Why it failed.
        reason: FailureReason,
        /// Last line of its error message; `None` if it printed none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The two commits choose different compilers.
    CompilerChanged {
        /// Release of the baseline's compiler. `None` if it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseline: Option<String>,
        /// Release of the candidate's compiler. `None` if it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        candidate: Option<String>,
    },
    /// Cargo's configuration cannot be read, so a runner in it is not used.
    RunnerUnknown {
        /// The error.
        cause: String,
    },
    /// A bench target was measured, but it registers no benchmark.
    BenchEmpty {
        /// Name of the bench target.
        bench: String,
        /// Package of the bench target.
        package: String,
    },
    /// A benchmark was left out because Criterion measures something other than time in it.
    OtherMeasurement {
        /// Name of the benchmark.
        benchmark: String,
        /// Unit in which Criterion shows it; empty if there is none.
        unit: String,
    },
    /// Launches of benchmarks take long whatever is asked for, because their benches set measurement
    /// time, warm-up time or sample size in their code.
    BenchSetsOwnTime {
        /// Names of the slowest benchmarks, the slowest first.
        benchmarks: Vec<String>,
        /// Number of benchmarks.
        count: u64,
        /// Time that a launch of the slowest takes at least.
        longest: Nanos,
    },
    /// Entries of another harness's output are not times, and were left out.
    EntriesLeftOut {
        /// Name of the harness.
        adapter: String,
        /// Names of the first entries.
        entries: Vec<String>,
        /// Number of entries.
        count: u64,
    },
    /// What the course of one launch shows: growth, or requests that were not sent.
    Course {
        /// What it is.
        finding: CourseFinding,
    },
    /// The patterns of `--bench` match no benchmark.
    NothingSelected {
        /// Names of the benchmarks that are most similar to the patterns.
        nearest: Vec<String>,
    },
    /// A package was left out because only the other side has it.
    PackageAbsent {
        /// Name of the package.
        package: String,
    },
    /// A Cargo feature was left out because only the other side has it.
    FeatureAbsent {
        /// Name of the feature, as the command line has it.
        feature: String,
    },
    /// The commit has no `Cargo.lock`, so it was built with the one of the working tree.
    LockFromWorkingTree,
    /// A benchmark failed and is not in the run, because the other side does not have it.
    BenchmarkFailed {
        /// Name of the benchmark.
        benchmark: String,
        /// Why it failed.
        reason: FailureReason,
    },
    /// A note about the baseline's side of the rounds.
    Baseline {
        /// The note.
        about: Box<Note>,
    },
    /// The measurement ended early or benchmarks failed.
    Incomplete,
    /// The working tree differed from the commit.
    DirtyTree,

    // The baseline.
    /// There is no repository that could hold a baseline.
    NoRepository,
    /// The candidate is not a commit of this repository.
    CandidateNotCommitted,
    /// The run file names a commit that cannot be one.
    InvalidCommit {
        /// The name in the run file.
        commit: String,
    },
    /// No ancestor of the candidate has a stored run.
    NothingStored,
    /// The nearest stored commit was measured on other machines only.
    StoredElsewhere {
        /// Abbreviated id of the commit.
        commit: String,
        /// The machines.
        machines: Vec<StoredMachine>,
    },
    /// The nearest ancestor with stored runs was built by another release of the compiler.
    StoredWithOtherCompiler {
        /// Short id of the ancestor.
        commit: String,
        /// Releases that built its runs.
        stored: Vec<String>,
        /// Release that builds the candidate.
        current: String,
    },
    /// A stored run was ignored because it cannot be read.
    StoredRunIgnored {
        /// The error.
        cause: String,
    },
    /// The branch of the store could not be fetched.
    BaselinesNotFetched {
        /// The error.
        cause: String,
    },
    /// The history behind a shallow clone could not be fetched.
    HistoryNotFetched {
        /// The error.
        cause: String,
    },
    /// The base commit could not be built, so there is no baseline.
    BaseNotBuilt {
        /// Abbreviated id of the base.
        commit: String,
        /// The error.
        cause: String,
    },
    /// The base commit has no workspace at the path of the candidate's.
    BaseHasNoManifest {
        /// Abbreviated id of the base.
        commit: String,
        /// Path of the manifest in the repository.
        manifest: String,
    },
    /// The base commit does not define the Cargo profile to build with.
    BaseHasNoProfile {
        /// Abbreviated id of the base.
        commit: String,
        /// Name of the profile.
        profile: String,
    },
    /// The candidate could not be built from a checkout of its commit, so there is no baseline
    /// beside it.
    HeadNotBuilt {
        /// The error.
        cause: String,
    },
    /// The revision to compare with has commits that the candidate lacks.
    BaseIsAhead {
        /// The revision, as the command line has it.
        revision: String,
        /// Number of commits.
        commits: u64,
        /// Abbreviated id of the commit at which both parted.
        merge_base: String,
    },
    /// The base commit could not be measured beside the candidate for another reason than its build.
    BaseNotMeasured {
        /// Abbreviated id of the base.
        commit: String,
        /// The error.
        cause: String,
    },
    /// The base commit was not measured because the candidate is a run that was measured before.
    BaseBesideRunFile {
        /// Abbreviated id of the base.
        commit: String,
    },
    /// The history of this clone does not show where the candidate left the default branch.
    BaseUnknown {
        /// The error of the fetch. `None` if nothing could be fetched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// The rounds that should confirm the screen could not be measured.
    NotConfirmed {
        /// The error.
        cause: String,
    },
    /// The rounds that should confirm the screen could not be measured because the base commit
    /// could not be built.
    NotConfirmedWithoutBase {
        /// Abbreviated id of the base.
        commit: String,
        /// The error.
        cause: String,
    },

    // Waivers.
    /// A trailer names no benchmark of this check.
    TrailerMatchesNothing {
        /// The value of the trailer.
        trailer: String,
    },
    /// A trailer accepts a missing benchmark, and no benchmark that it names is missing.
    TrailerWithoutMissing {
        /// The value of the trailer.
        trailer: String,
    },
    /// A regression is larger than its trailer accepts.
    TrailerExceeded {
        /// The value of the trailer.
        trailer: String,
        /// The first benchmark that exceeds it.
        benchmark: String,
        /// Number of other benchmarks that exceed it.
        more: u32,
    },
    /// There are more trailers than are read.
    TrailersNotRead {
        /// Number of trailers that were not read.
        count: u32,
    },
    /// A trailer cannot be parsed.
    TrailerInvalid {
        /// The error.
        cause: String,
    },
    /// No commit message could be read.
    MessagesNotRead {
        /// The error.
        cause: String,
    },
    /// Only some of the commit messages could be read.
    MessagesIncomplete,

    // Rules of the policy.
    /// The base commit's rules judge, and this is what a reader must know about them.
    BaseRules {
        /// What it is.
        issue: RulesIssue,
    },
    /// The pattern of a `[[target]]` matches no benchmark, so the target is unproven.
    TargetMatchesNothing {
        /// The pattern.
        pattern: String,
        /// The id that is most like the pattern. `None` if there is no benchmark.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearest: Option<String>,
    },
    /// The pattern of a `[[bench]]` matches no benchmark.
    ExceptionMatchesNothing {
        /// The pattern.
        pattern: String,
        /// The id that is most like the pattern. `None` if there is no benchmark.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearest: Option<String>,
    },
    /// Nothing is decided about the benchmarks that a rule names.
    RuleUndecided {
        /// Pattern of the rule.
        pattern: String,
    },
    /// A metric, a target or a claim is not decided, or matches nothing.
    Claim {
        /// Why.
        issue: ClaimIssue,
    },

    // Advice and second opinions.
    /// Benchmarks stayed undecided in short launches.
    ShortLaunches {
        /// Number of benchmarks.
        benchmarks: u32,
        /// Launches with less time of calls than this are short.
        limit: Nanos,
        /// Number of calls per launch that may decide more.
        calls: f64,
        /// Whether `--calls` sets the number of calls.
        has_calls_flag: bool,
    },
    /// A benchmark is slower than in the last release, according to stored runs.
    SlowerThanRelease {
        /// Name of the benchmark.
        benchmark: String,
        /// Tag of the release.
        release: String,
        /// Lower end of the interval of candidate ÷ release.
        low: Ratio,
        /// Best estimate of candidate ÷ release.
        point: Ratio,
        /// Upper end of the interval of candidate ÷ release.
        high: Ratio,
    },
    /// More benchmarks are slower than in the last release than are named.
    MoreSlowerThanRelease {
        /// Number of benchmarks that are not named.
        count: u32,
        /// Tag of the release.
        release: String,
    },
    /// `--counts` had nothing to count because there were no rounds.
    CountsWithoutRounds,
    /// `--counts` cannot count commands.
    CountsNeedCriterion,
    /// Instructions were counted as a second opinion.
    InstructionsCounted {
        /// Instructions per call of the baseline.
        baseline: f64,
        /// Instructions per call of the candidate.
        candidate: f64,
    },
    /// Instructions could not be counted.
    InstructionsNotCounted {
        /// Why they could not be counted.
        obstacle: CountObstacle,
    },
    /// The slowdown of a benchmark was to be explained, and its instructions could not be counted.
    SlowdownNotExplained {
        /// Why they could not be counted.
        obstacle: CountObstacle,
    },
    /// Slowdowns were to be explained, and none could be.
    NothingExplained {
        /// Why none could be.
        obstacle: ExplainObstacle,
    },

    // The change of one benchmark.
    /// Both commits build the same program for the benchmark.
    SameProgram,
    /// Both commits have the same program for the benchmark, because the change touches nothing that
    /// it is built from. It was not built.
    Unaffected {
        /// Bench target of the benchmark.
        bench: String,
        /// Number of files of the repository that the bench target is built from.
        files: u64,
    },
    /// The baseline was measured on another machine.
    OtherMachine,
    /// The baseline was built by another release of the compiler, at another time.
    OtherCompiler {
        /// Release of the baseline's compiler. `None` if it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseline: Option<String>,
        /// Release of the candidate's compiler. `None` if it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        candidate: Option<String>,
    },
    /// A condition differs between runs that were measured at different times, so that they are not
    /// comparable.
    OtherCondition {
        /// Name of the condition.
        key: String,
        /// Value of the baseline. `None` if it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseline: Option<String>,
        /// Value of the candidate. `None` if it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        candidate: Option<String>,
    },
    /// A condition differs, and the sides are compared all the same: they were measured next to each
    /// other, or the user allows it.
    ConditionChanged {
        /// Name of the condition.
        key: String,
        /// Value of the baseline. `None` if it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseline: Option<String>,
        /// Value of the candidate. `None` if it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        candidate: Option<String>,
    },
    /// The change edits the source of the bench, so that the sides may measure different things.
    BenchEdited {
        /// The edited files of the bench, relative to the root of the repository.
        files: Vec<String>,
    },
    /// The sides declare different amounts of work per call.
    WorkChanged {
        /// Unit of the amount: `elements`, `bytes`.
        unit: String,
        /// Amount per call of the baseline. `None` if it declares none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseline: Option<f64>,
        /// Amount per call of the candidate. `None` if it declares none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        candidate: Option<f64>,
    },
    /// The stored runs are of the commit that is judged, so the machine must have changed.
    SameCommit,
    /// Stored runs show a change that no rounds confirmed.
    OnlyScreened,
    /// The benchmark is in the baseline and not in the candidate.
    NotInCandidate,
    /// The benchmark could not be measured in the baseline.
    FailedBefore {
        /// Why it failed. `None` if the baseline does not state it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<FailureReason>,
        /// The last message of its process; empty if there is none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
    /// The benchmark fails in the same way on both sides of the rounds.
    FailedOnBothSides {
        /// Why it failed.
        reason: FailureReason,
        /// Last line of its error message. Empty if it printed none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
    /// The benchmark was measured in the working tree, and failed in a checkout of its commit.
    FailedInCheckout {
        /// Why it failed.
        reason: FailureReason,
        /// Last line of its error message. Empty if it printed none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
    /// Samples are single calls on one side and batches on the other.
    SamplingDiffers,
    /// A side has fewer than two launches.
    TooFewLaunches,
    /// There are too few rounds for a test.
    TooFewRounds {
        /// Number of rounds.
        rounds: u32,
    },
    /// The data do not decide.
    Undecided {
        /// Number of rounds. `None` if it was not measured in rounds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rounds: Option<u32>,
        /// Slowdown that would have been detected. `None` if no slowdown would have been.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detectable: Option<Percent>,
        /// Time of further rounds that would probably decide it. `None` if it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        more_time: Option<Nanos>,
    },
    /// A step of the clock is too large a part of the median.
    ClockTooCoarse {
        /// Step of the clock, per call.
        step: Nanos,
        /// Median of the side with the smaller one.
        median: Nanos,
    },
    /// All samples of both sides are the same, so the step of the clock may be as large.
    SamplesAlike {
        /// The sample.
        value: Nanos,
    },
    /// The clock is so coarse that the median of a launch is zero.
    SamplesOfZero,
    /// Too few runs are stored to know how much runs differ.
    FewStoredRuns {
        /// Number of stored runs of this machine.
        runs: u32,
        /// Number of stored runs that are enough.
        needed: u32,
        /// Assumed standard deviation between runs.
        assumed: Percent,
    },

    // A target.
    /// The load answers the question that the target asks at a rate of requests.
    LoadAnswers {
        /// The rate at which the target is asked.
        asked: RequestRate,
        /// The rate that was reached. `None` if it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reached: Option<RequestRate>,
    },
    /// The load does not answer the question that the target asks at a rate of requests.
    LoadDoubted {
        /// The rate at which the target is asked.
        asked: RequestRate,
        /// Why it does not.
        issue: LoadIssue,
    },
    /// More launches would decide the target.
    MoreLaunchesDecide,
    /// About this many more calls would decide the target.
    MoreCallsDecide {
        /// Number of calls.
        calls: u64,
    },
    /// Launches differ too much for the target to be decided by calls.
    LaunchesDiffer,
    /// One launch alone misses the target.
    SlowLaunch {
        /// Number of the launch, from 0. Its text counts from 1.
        launch: u32,
    },
    /// The figure is too close to the limit to be decided.
    TooCloseToLimit,
    /// The limit is closer to the bounds than the times of the clock are exact.
    StepReachesLimit {
        /// Step of the clock, of calls or of whole batches.
        step: Nanos,
    },
    /// A mean cannot be bounded with fewer than two launches.
    MeanNeedsTwoLaunches,
    /// No batch took longer than the limit, so no call did.
    NoBatchLonger {
        /// Number of batches.
        batches: u64,
        /// Time of the longest batch.
        longest: Nanos,
    },
    /// The times of batches limit how many calls can have exceeded the limit.
    CallsBounded {
        /// Largest number of calls that can have exceeded it.
        exceeding: u64,
        /// Number of all calls.
        calls: u64,
    },
    /// There are too few batches to bound a percentile.
    TooFewBatches {
        /// Name of the metric.
        metric: String,
        /// Number of batches.
        batches: u64,
        /// Number of batches that the metric needs.
        needed: u64,
    },
    /// Samples are batches, which have no percentile of single calls.
    BatchesHaveNoPercentile {
        /// Name of the metric.
        metric: String,
    },
    /// Only digests are stored, which bound no percentile.
    OnlyDigests,
    /// There are too few calls to bound a percentile.
    TooFewCalls {
        /// Name of the metric.
        metric: String,
        /// Number of calls.
        calls: u64,
        /// Number of calls that the metric needs.
        needed: u64,
    },
    /// The benchmark could not be measured.
    NotMeasured,
}

impl Note {
    /// Returns whether the note gives a reason why both sides have the same program.
    pub(crate) fn is_same_program(&self) -> bool {
        matches!(self, Self::SameProgram | Self::Unaffected { .. })
    }
}

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = RecordedVisitor(|value| Self::deserialize(value.into_deserializer()));
        Ok(match deserializer.deserialize_any(visitor)? {
            RecordedValue::Sentence(sentence) => Self::Recorded { sentence },
            RecordedValue::Value(note) => note,
        })
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

#[cfg(test)]
mod tests;
