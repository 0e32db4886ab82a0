//! The command line, as types.

mod baseline;
mod publish;
mod trend;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use baseline::{BaselineAction, BaselineArgs, RemoteArgs, StoreFormat, StoreReadArgs};
pub(crate) use publish::{InitArgs, PublishArgs};
pub(crate) use trend::{
    ExportFormat, HistoryArgs, PlotFormat, TrendAction, TrendArgs, TrendFormat,
};

use crate::measure::adapter::AdapterChoice;
use crate::measure::effort::MIN_LAUNCH_CALLS;
use crate::policy::MAX_LAUNCHES;
use crate::run::LookHorizon;
use crate::units::{Confidence, Nanos, Percent};

/// Default of `--explain-budget`.
const DEFAULT_EXPLAIN_BUDGET: &str = "2m";

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
    Check(CheckArgs),
    /// Measure and write a run file
    Measure(MeasureArgs),
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
    /// Build the trend pages, or print and export the history
    Trend(TrendArgs),
    /// Record what Cargo passes to a bench; Cargo starts this in its place
    #[command(hide = true)]
    RecordEnvironment(RecordEnvironmentArgs),
    /// Clean up after a killed perfgate; started by perfgate
    #[command(hide = true)]
    Guard,
    /// Publish on GitHub: comment, commit status, step summary, annotations
    Publish(PublishArgs),
    /// Write perfgate.toml and workflows for this repository
    Init(InitArgs),
}

/// Returns the parser of `--adapter`. It knows the names, which `--help` then lists.
fn parse_adapter() -> impl clap::builder::TypedValueParser<Value = AdapterChoice> {
    PossibleValuesParser::new(AdapterChoice::list_choices())
        .try_map(|name| AdapterChoice::find_choice(&name).ok_or("not an adapter"))
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
    /// Reasons to fail: regressed, target-missed, missing, failed, target-unproven, inconclusive
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) fail_on: Option<Vec<String>>,
    /// Configuration file [default: perfgate.toml beside Cargo.toml]
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

/// `perfgate check`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  perfgate check                                  compare with the stored baseline
  perfgate check --target-p95 10ms --save-baseline
  perfgate check --bench 'tokenization/**' --launches 10
  perfgate check --run run.json --baseline none --target-p99 50ms
  perfgate check --adapter go -- go test -run '^$' -bench . ./...")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct CheckArgs {
    /// Which benchmarks.
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// How much to measure.
    #[command(flatten)]
    pub(crate) effort: EffortArgs,
    /// What must hold.
    #[command(flatten)]
    pub(crate) gate: GateArgs,
    /// Where baselines are kept.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Where they are shared: they are fetched from there if this clone has none.
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// What to compare with: `auto`, `stored`, `none`, a run file, or a git revision
    #[arg(long, value_name = "BASELINE", default_value = "auto")]
    pub(crate) baseline: String,
    /// Command that measures the baseline, in rounds with `--candidate-command`
    #[arg(long, value_name = "CMD", requires = "candidate_command", conflicts_with = "run")]
    pub(crate) baseline_command: Option<String>,
    /// Command that measures the candidate
    #[arg(long, value_name = "CMD", requires = "baseline_command")]
    pub(crate) candidate_command: Option<String>,
    /// Measure with the harness that CMD starts, in place of Criterion benches
    #[arg(long, value_name = "NAME", value_parser = parse_adapter(), requires = "words",
          conflicts_with_all = ["run", "baseline_command", "counts"])]
    pub(crate) adapter: Option<AdapterChoice>,
    /// Time limit of the rounds and their pilot launches; what is undecided by then is inconclusive
    /// [default: 5m]
    #[arg(long, value_name = "DURATION")]
    pub(crate) budget: Option<Nanos>,
    /// Count instructions of inconclusive benchmarks with callgrind; never changes the verdict
    #[arg(long, conflicts_with = "run")]
    pub(crate) counts: bool,
    /// Also build and measure what the change cannot have affected: benchmarks whose program is the
    /// same on both sides
    #[arg(long)]
    pub(crate) measure_unchanged: bool,
    /// Show in which functions and lines the added instructions of regressed benchmarks are
    #[arg(long, conflicts_with = "run")]
    pub(crate) explain: bool,
    /// Time limit of `--explain`, without its builds; the worst benchmarks come first
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_EXPLAIN_BUDGET)]
    pub(crate) explain_budget: Nanos,
    /// Use this run file as the candidate instead of measuring
    #[arg(long, value_name = "FILE")]
    pub(crate) run: Option<PathBuf>,
    /// Store the run as a baseline of its commit, whatever the verdict; what failed is left out
    #[arg(long)]
    pub(crate) save_baseline: bool,
    /// Block (status 11) if there is no baseline
    #[arg(long)]
    pub(crate) require_baseline: bool,
    /// Compare runs although this condition differs, such as `threads`; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) vary: Vec<String>,
    /// Output folder of run.json, decision.json, report.md and report.html
    #[arg(long, value_name = "DIR", default_value = "target/perfgate")]
    pub(crate) out: PathBuf,
    /// Format of the report on standard output
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: DecisionFormat,
    /// The command of --adapter
    #[arg(last = true, value_name = "CMD", requires = "adapter")]
    pub(crate) words: Vec<String>,
}

/// `perfgate measure`.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  perfgate measure                              the Criterion benches of this workspace
  perfgate measure --list                       the ids of their benchmarks
  perfgate measure criterion --bench 'tokenization/**' --launches 10
  perfgate measure command --output run.json -- python3 bench.py"
)]
pub(crate) struct MeasureArgs {
    /// Where samples come from [default: criterion]
    #[command(subcommand)]
    pub(crate) source: Option<MeasureSource>,
    /// Without a source: as for `criterion`.
    #[command(flatten)]
    pub(crate) criterion: CriterionArgs,
}

/// Where samples come from.
#[derive(Debug, Subcommand)]
pub(crate) enum MeasureSource {
    /// The Criterion benches of a Cargo workspace
    Criterion(CriterionArgs),
    /// Any command that prints samples as JSON lines
    Command(CommandArgs),
}

/// `perfgate measure criterion`.
#[derive(Args, Clone, Debug)]
pub(crate) struct CriterionArgs {
    /// Which benchmarks.
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// How much to measure.
    #[command(flatten)]
    pub(crate) effort: EffortArgs,
    /// Where the run is written.
    #[command(flatten)]
    pub(crate) output: RunOutputArgs,
    /// Print the ids of the selected benchmarks and measure nothing
    #[arg(long)]
    pub(crate) list: bool,
}

/// `perfgate measure command`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
One start of the command is one launch. It prints one line per benchmark:
  {\"id\": \"encode/1\", \"samples_ns\": [1250.0, 1301.5]}
With --adapter, CMD starts another harness, and perfgate reads what it prints, or the file whose
place in CMD is written {out}.
A single CMD is a script of `sh`, several words are started as they stand.

Examples:
  perfgate measure command -- python3 bench.py
  perfgate measure command --adapter go -- go test -run '^$' -bench . -benchmem ./...
  perfgate measure command --adapter pytest-benchmark -- pytest bench --benchmark-json={out}")]
pub(crate) struct CommandArgs {
    /// Harness that the command starts
    #[arg(long, value_name = "NAME", value_parser = parse_adapter())]
    pub(crate) adapter: Option<AdapterChoice>,
    /// Only benchmarks whose id matches; `!GLOB` excludes; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) bench: Vec<String>,
    /// Launches: how often the command is started
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LAUNCHES)))]
    pub(crate) launches: Option<u32>,
    /// Calls per launch; the command finds the number in `PERFGATE_CALLS`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) calls: Option<u32>,
    /// Time limit of one launch
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Nanos>,
    /// Where the run is written.
    #[command(flatten)]
    pub(crate) output: RunOutputArgs,
    /// The command
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(crate) words: Vec<String>,
}

/// `perfgate import`.
#[derive(Args, Debug)]
#[command(after_help = "\
One file is one launch, unless the format has launches itself. The run names the commit that is
checked out and this machine: import files where they were measured.

Examples:
  perfgate import results.json
  perfgate import --adapter jmh --output run.json jmh-result.json
  perfgate import --adapter criterion target/criterion
  perfgate import --adapter pytest-benchmark launch-1.json launch-2.json launch-3.json")]
pub(crate) struct ImportArgs {
    /// Harness that wrote the files
    #[arg(long, value_name = "NAME", value_parser = parse_adapter(), default_value = "auto")]
    pub(crate) adapter: AdapterChoice,
    /// Only benchmarks whose id matches; `!GLOB` excludes; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) bench: Vec<String>,
    /// Where the run is written.
    #[command(flatten)]
    pub(crate) output: RunOutputArgs,
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Where a run is written.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunOutputArgs {
    /// The run file to write
    #[arg(long, value_name = "FILE", default_value = "run.json")]
    pub(crate) output: PathBuf,
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
  perfgate calibrate --command 'python3 bench.py'")]
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
    /// Calibrate this command instead of the benches
    #[arg(long, value_name = "CMD")]
    pub(crate) command: Option<String>,
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

/// `perfgate explain`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  perfgate check --baseline main --explain    check and explain at once
  perfgate explain                            explain the last decision of this workspace

It needs valgrind, and the commit that was judged must be checked out. Both commits are built with
line tables. The decision and its reports are written again, with the explanations.")]
pub(crate) struct ExplainArgs {
    /// Decision file
    #[arg(default_value = "target/perfgate/decision.json")]
    pub(crate) decision: PathBuf,
    /// How to build the benchmarks; the same as for the check.
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Configuration file [default: perfgate.toml beside Cargo.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// Time limit of counting, without the builds; the worst benchmarks come first
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_EXPLAIN_BUDGET)]
    pub(crate) explain_budget: Nanos,
    /// Folder for the decision and its reports [default: the folder of the decision]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Format of the report on standard output
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: DecisionFormat,
}

/// How a table is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// For terminals
    #[default]
    Text,
    /// For documents
    Markdown,
    /// For programs
    Json,
}

/// What is true of a labelled pair of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExpectArg {
    /// The candidate is as fast
    Unchanged,
    /// The candidate is slower
    Regressed,
    /// The candidate is faster
    Improved,
}

/// `perfgate evaluate`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  perfgate evaluate --scenario mixed --suites 4000           the table in docs/error-rates/mixed.md
  perfgate evaluate --scenario mixed --threshold 0% --detect 2%
  perfgate evaluate --data series.csv.gz --suites 400        recorded launches of unchanged code
  perfgate evaluate --aa run.json                            your own launches of unchanged code
  perfgate evaluate --labelled main.json slow.json --expect regressed

Without --scenario, --data, --aa and --labelled every scenario is simulated. The code that decides
in `perfgate check` gives every answer. Rates are shown with 95 % intervals (Clopper-Pearson).")]
pub(crate) struct EvaluateArgs {
    /// Simulate only this scenario; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Vec<String>,
    /// Benchmarks per simulated suite
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) benchmarks: u16,
    /// Largest number of rounds of a simulated benchmark: 20, 40, 80 or 160
    #[arg(long, value_name = "ROUNDS", default_value = "160", value_parser = parse_horizon)]
    pub(crate) horizon: LookHorizon,
    /// Suites per row, simulated or resampled from a recording
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) suites: u64,
    /// Seed of every random choice
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Slowdowns added to the candidate
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0%,2%,5%,10%")]
    pub(crate) effects: Vec<Percent>,
    /// Tolerated slowdown [default: two policies, the default one, and 0 % with `--detect 2%`]
    #[arg(long, value_name = "SHARE")]
    pub(crate) threshold: Option<Percent>,
    /// Slowdown that must be detectable; otherwise the result is inconclusive
    #[arg(long, value_name = "SHARE")]
    pub(crate) detect: Option<Percent>,
    /// A recording of unchanged code: `runstamp,toolchain,bench,rep,ns_per_op` or `VM_id,t_min,value`, optionally compressed with gzip; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Vec<PathBuf>,
    /// Run file with many launches of unchanged code
    #[arg(long, value_name = "RUN")]
    pub(crate) aa: Option<PathBuf>,
    /// Two run files with a known difference: baseline and candidate
    #[arg(long, num_args = 2, value_names = ["BASELINE", "CANDIDATE"], requires = "expect")]
    pub(crate) labelled: Vec<PathBuf>,
    /// The correct answer for `--labelled`
    #[arg(long, value_enum, requires = "labelled")]
    pub(crate) expect: Option<ExpectArg>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: TableFormat,
}

/// Parses a number of rounds that looks may end at.
///
/// Fails if it is not a number, or if no plan of looks ends there.
fn parse_horizon(rounds: &str) -> Result<LookHorizon, String> {
    let rounds: u32 = rounds.parse().map_err(|error| format!("{error}"))?;
    LookHorizon::try_from(rounds)
}
