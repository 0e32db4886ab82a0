//! The arguments of `perfgate check`, and of `perfgate explain`, which adds to the decision of a check.

use std::path::PathBuf;

use clap::Args;

use super::measure::parse_adapter;
use super::model::ModelArgs;
use super::{DecisionFormat, EffortArgs, GateArgs, RemoteArgs, SelectionArgs, StoreArgs};
use crate::measure::adapter::AdapterChoice;
use crate::units::Nanos;

/// Default of `--explain-budget`.
const DEFAULT_EXPLAIN_BUDGET: &str = "2m";

/// `perfgate check`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  perfgate check                                  compare with the stored baseline
  perfgate check --target-p95 10ms --save-baseline
  perfgate check --bench 'tokenization/**' --launches 10
  perfgate check --run run.json --baseline none --target-p99 50ms
  perfgate check --adapter go -- go test -run '^$' -bench . ./...
  perfgate check --onnx models/encoder.onnx --batch-sizes 1 8
  perfgate check --baseline-model fp32.onnx --candidate-model int8.onnx")]
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
    /// Measure with the harness that CMD starts, in place of what perfgate.toml names
    #[arg(long, value_name = "NAME", value_parser = parse_adapter(), requires = "words",
          conflicts_with_all = ["run", "baseline_command", "counts"])]
    pub(crate) adapter: Option<AdapterChoice>,
    /// Measure this ONNX model of the repository, in place of Criterion benches
    #[arg(long, value_name = "MODEL",
          conflicts_with_all = ["run", "baseline_command", "adapter", "counts", "explain"])]
    pub(crate) onnx: Option<PathBuf>,
    /// ONNX model of the baseline, measured in rounds with `--candidate-model`
    #[arg(long, value_name = "MODEL", requires = "candidate_model",
          conflicts_with_all = ["run", "baseline_command", "adapter", "onnx", "counts", "explain"])]
    pub(crate) baseline_model: Option<PathBuf>,
    /// ONNX model of the candidate
    #[arg(long, value_name = "MODEL", requires = "baseline_model", conflicts_with = "onnx")]
    pub(crate) candidate_model: Option<PathBuf>,
    /// How a model is run.
    #[command(flatten)]
    pub(crate) model: ModelArgs,
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
    /// Configuration file [default: the nearest perfgate.toml at or above this folder]
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
