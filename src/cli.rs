//! The command line, as types.

mod baseline;
mod model;
mod measure;
mod check;
mod bisect;
mod evaluate;
mod publish;
mod trend;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use baseline::{BaselineAction, BaselineArgs, RemoteArgs, StoreFormat, StoreReadArgs};
pub(crate) use bisect::{BisectArgs, BisectFormat};
pub(crate) use check::{CheckArgs, ExplainArgs};
pub(crate) use evaluate::{EvaluateArgs, ExpectArg, TableFormat};
pub(crate) use measure::{
    CommandArgs, CriterionArgs, ImportArgs, MeasureArgs, MeasureSource, OnnxArgs,
};
pub(crate) use model::{InspectArgs, InspectFormat, ModelArgs, OnnxWorkerArgs};
pub(crate) use publish::{InitArgs, PublishArgs};
pub(crate) use trend::{
    ExportFormat, HistoryArgs, PlotFormat, TrendAction, TrendArgs, TrendFormat,
};

use crate::measure::adapter::AdapterChoice;
use crate::measure::effort::MIN_LAUNCH_CALLS;
use crate::policy::MAX_LAUNCHES;
use crate::units::{Confidence, Nanos, Percent, RequestRate};

/// Decides whether inference code got slower and still meets its latency targets.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "\
Examples:
  perfgate check --target-p95 10ms             gate the Criterion benches of this workspace
  perfgate check --baseline main               measure main and the working tree in rounds
  perfgate compare main.json candidate.json    compare two run files
  perfgate report target/perfgate/decision.json --format markdown
  perfgate evaluate --scenario mixed           how often the decision is wrong

Exit status: 0 pass, or inconclusive without blocking, 1 perfgate failed, 2 usage or unreadable
input, 3 a capability is not available, 10 fail, 11 inconclusive, and it blocks."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: CliCommand,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum CliCommand {
    /// Measure, compare with the baseline, decide and report; the exit status is the gate
    Check(Box<CheckArgs>),
    /// Measure and write a run file
    Measure(MeasureArgs),
    /// Show what an ONNX model takes, returns and consists of
    Inspect(InspectArgs),
    /// Make a run file of files that another harness has written
    Import(ImportArgs),
    /// Store runs as baselines, list, show and prune them
    Baseline(BaselineArgs),
    /// Compare two runs and print the decision
    Compare(CompareArgs),
    /// Measure the noise of this machine: the same code on both sides
    Calibrate(CalibrateArgs),
    /// Report what disturbs measurements on this machine, with remedies
    Doctor(DoctorArgs),
    /// Print a decision, or the figures of a run, as text, Markdown, HTML, JSON, CSV or JUnit
    Report(ReportArgs),
    /// Print how often the decision is wrong, on simulated and recorded data
    Evaluate(EvaluateArgs),
    /// Show in which functions and lines the added instructions of a decision's regressions are
    Explain(ExplainArgs),
    /// Find the commit that made a benchmark slower, with how sure that is
    Bisect(BisectArgs),
    /// Build the trend pages, or print and export the history
    Trend(TrendArgs),
    /// Record what Cargo passes to a bench; Cargo starts this in its place
    #[command(hide = true)]
    RecordEnvironment(RecordEnvironmentArgs),
    /// Run an ONNX model for one launch; started by perfgate
    #[command(hide = true)]
    OnnxWorker(OnnxWorkerArgs),
    /// Clean up after a killed perfgate; started by perfgate
    #[command(hide = true)]
    Guard,
    /// Publish on GitHub: comment, commit status, step summary, annotations
    Publish(PublishArgs),
    /// Write perfgate.toml and workflows for this repository
    Init(InitArgs),
}

/// Which benchmarks, and how to build them.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SelectionArgs {
    /// Only benchmarks whose id matches; `!GLOB` excludes; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) bench: Vec<String>,
    /// Only this package of the workspace; may be repeated [default: what `cargo bench` builds]
    #[arg(long, short, value_name = "PACKAGE")]
    pub(crate) package: Vec<String>,
    /// All packages of the workspace
    #[arg(long, conflicts_with = "package")]
    pub(crate) workspace: bool,
    /// Cargo features to build with
    #[arg(long, value_name = "FEATURES")]
    pub(crate) features: Vec<String>,
    /// Cargo profile to build with
    #[arg(long, value_name = "PROFILE")]
    pub(crate) profile: Option<String>,
    /// Path of the workspace's Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
}

/// How much to measure.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct EffortArgs {
    /// Launches per side: processes started for each bench target
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LAUNCHES)))]
    pub(crate) launches: Option<u32>,
    /// Maximum number of calls per launch (at least 10) [default: what fits into the launch time]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(i64::from(MIN_LAUNCH_CALLS)..))]
    pub(crate) calls: Option<u32>,
    /// Time of the calls per benchmark and launch [default: 10 to 200 ms, by the start-up of the bench]
    #[arg(long, value_name = "DURATION")]
    pub(crate) launch_time: Option<Nanos>,
    /// Warm-up time per benchmark and launch [default: as long as the calls, at most 100 ms]
    #[arg(long, value_name = "DURATION")]
    pub(crate) warmup: Option<Nanos>,
    /// Give each benchmark a process of its own, so that `peak_rss_bytes` is its own memory
    #[arg(long)]
    pub(crate) memory: bool,
    /// Time limit of one launch
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Nanos>,
    /// Seed of every random choice
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Print what the pilot launch found: set-up, time of a call, calls per launch
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// What is tolerated and what must hold.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct GateArgs {
    /// Tolerated slowdown
    #[arg(long, value_name = "SHARE")]
    pub(crate) threshold: Option<Percent>,
    /// Slowdown that must be detectable; otherwise the result is inconclusive
    #[arg(long, value_name = "SHARE")]
    pub(crate) detect: Option<Percent>,
    /// Confidence of the intervals shown
    #[arg(long, value_name = "CONFIDENCE")]
    pub(crate) confidence: Option<Confidence>,
    /// Limit on the mean of every selected benchmark
    #[arg(long, value_name = "DURATION")]
    pub(crate) target_mean: Option<Nanos>,
    /// Limit on the median
    #[arg(long, value_name = "DURATION")]
    pub(crate) target_p50: Option<Nanos>,
    /// Limit on the 90th percentile of single calls
    #[arg(long, value_name = "DURATION")]
    pub(crate) target_p90: Option<Nanos>,
    /// Limit on the 95th percentile of single calls
    #[arg(long, value_name = "DURATION")]
    pub(crate) target_p95: Option<Nanos>,
    /// Limit on the 99th percentile of single calls
    #[arg(long, value_name = "DURATION")]
    pub(crate) target_p99: Option<Nanos>,
    /// Rate of requests at which the targets must hold, such as `100/s`
    #[arg(long, value_name = "RATE")]
    pub(crate) target_at: Option<RequestRate>,
    /// Reasons to fail: regressed, target-missed, missing, failed, target-unproven, inconclusive
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) fail_on: Option<Vec<String>>,
    /// Configuration file [default: the nearest perfgate.toml at or above this folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
}

/// Where baselines are kept.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct StoreArgs {
    /// Store of baselines: `git:BRANCH` or `dir:PATH` [default: git:perfgate-data]
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
}

/// How a decision is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DecisionFormat {
    /// For terminals
    #[default]
    Text,
    /// For pull requests
    Markdown,
    /// One self-contained page
    Html,
    /// The decision itself
    Json,
    /// One row per benchmark
    Csv,
    /// For test reporters
    Junit,
}

/// `perfgate doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: DoctorFormat,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorFormat {
    /// For terminals
    #[default]
    Text,
    /// For programs
    Json,
}

/// What Cargo starts in place of a bench.
#[derive(Args, Debug)]
pub(crate) struct RecordEnvironmentArgs {
    /// The bench
    pub(crate) executable: PathBuf,
    /// What the bench would be given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<std::ffi::OsString>,
}

/// `perfgate calibrate`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  perfgate calibrate
  perfgate calibrate --bench 'tokenization/**' --rounds 40
  perfgate calibrate --command 'python3 bench.py'
  perfgate calibrate --adapter go -- go test -run '^$' -bench . ./...")]
pub(crate) struct CalibrateArgs {
    /// Which benchmarks.
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// How much each launch measures.
    #[command(flatten)]
    pub(crate) effort: EffortArgs,
    /// Number of rounds; later checks use the result if there are 15 or more
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(3..=1000))]
    pub(crate) rounds: u32,
    /// Calibrate this command, which prints samples as JSON lines
    #[arg(long, value_name = "CMD", conflicts_with = "adapter")]
    pub(crate) command: Option<String>,
    /// Calibrate the harness that CMD starts
    #[arg(long, value_name = "NAME", value_parser = measure::parse_adapter(), requires = "words")]
    pub(crate) adapter: Option<AdapterChoice>,
    /// Configuration file [default: the nearest perfgate.toml at or above this folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// The command of --adapter
    #[arg(last = true, value_name = "CMD", requires = "adapter")]
    pub(crate) words: Vec<String>,
}

/// `perfgate compare`.
#[derive(Args, Debug)]
#[command(after_help = "\
The exit status is 0 whatever the verdict. The `exit_status` in the document is that of the gate:
`perfgate check --run CANDIDATE --baseline BASELINE` exits with it.

Examples:
  perfgate compare main.json candidate.json
  perfgate compare main.json candidate.json --threshold 2% --format markdown")]
pub(crate) struct CompareArgs {
    /// Run file or store key of the baseline
    pub(crate) baseline: String,
    /// Run file or store key of the candidate
    pub(crate) candidate: String,
    /// What must hold.
    #[command(flatten)]
    pub(crate) gate: GateArgs,
    /// Only benchmarks whose id matches; `!GLOB` excludes; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) bench: Vec<String>,
    /// Compare runs although this condition differs, such as `threads`; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) vary: Vec<String>,
    /// Where store keys are looked up.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t = DecisionFormat::Json)]
    pub(crate) format: DecisionFormat,
}

/// `perfgate report`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  perfgate report target/perfgate/decision.json
  perfgate report run.json                       figures of any run
  perfgate report decision.json --format html --output report.html")]
pub(crate) struct ReportArgs {
    /// Decision file, or run file
    pub(crate) file: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: DecisionFormat,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
