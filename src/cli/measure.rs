//! The arguments of `perfgate measure` and `perfgate import`, which write a run file.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use super::model::ModelArgs;
use super::{EffortArgs, SelectionArgs};
use crate::measure::adapter::AdapterChoice;
use crate::policy::MAX_LAUNCHES;
use crate::units::Nanos;

/// Returns the parser of `--adapter`. It knows the names, which `--help` then lists.
pub(super) fn parse_adapter() -> impl TypedValueParser<Value = AdapterChoice> {
    PossibleValuesParser::new(AdapterChoice::list_choices())
        .try_map(|name| AdapterChoice::find_choice(&name).ok_or("not an adapter"))
}

/// `perfgate measure`.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  perfgate measure                              what perfgate.toml names, else the Criterion benches
  perfgate measure --list                       the ids of the benchmarks
  perfgate measure criterion --bench 'tokenization/**' --launches 10
  perfgate measure command --output run.json -- python3 bench.py
  perfgate measure onnx model.onnx --batch-sizes 1 8"
)]
pub(crate) struct MeasureArgs {
    /// Where samples come from [default: what measure.source in perfgate.toml names, else criterion]
    #[command(subcommand)]
    pub(crate) source: Option<MeasureSource>,
    /// Without a source: as for `criterion`.
    #[command(flatten)]
    pub(crate) criterion: CriterionArgs,
    /// Configuration file, which may name the source [default: the nearest perfgate.toml at or above
    /// this folder]
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
}

/// Where samples come from.
#[derive(Debug, Subcommand)]
pub(crate) enum MeasureSource {
    /// The Criterion benches of a Cargo workspace
    Criterion(CriterionArgs),
    /// Any command that prints samples as JSON lines
    Command(CommandArgs),
    /// An ONNX model
    Onnx(Box<OnnxArgs>),
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
  perfgate measure command --adapter pytest-benchmark -- pytest bench --benchmark-json={out}
  perfgate measure command --adapter oha --duration 5m -- oha -z {duration}s -q 100 \\
    --latency-correction --no-tui --output-format csv http://127.0.0.1:8080/")]
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
    /// Time for which each launch should load a service; the command finds the seconds in
    /// `PERFGATE_DURATION` and in place of {duration}. There is one launch unless --launches asks for
    /// more
    #[arg(long, value_name = "DURATION")]
    pub(crate) duration: Option<Nanos>,
    /// Time limit of one launch [default: 10m, and the time of --duration]
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Nanos>,
    /// Where the run is written.
    #[command(flatten)]
    pub(crate) output: RunOutputArgs,
    /// Start the command once, print the ids of its benchmarks and write nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// The command
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(crate) words: Vec<String>,
}

/// `perfgate measure onnx`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Each launch is a process with a session of its own. Benchmarks: infer/batch/N, cold/start (process to
ready), cold/session (opening the model) and cold/first (the first call). The library of ONNX Runtime
is yours: ORT_DYLIB_PATH, .runtime, or the Python package `onnxruntime`.

Examples:
  perfgate measure onnx model.onnx
  perfgate measure onnx encoder.onnx --batch-sizes 1 4 8 --dim sequence=128
  perfgate measure onnx model.onnx --inputs sample.npz --threads 2 --output run.json")]
pub(crate) struct OnnxArgs {
    /// The model file
    pub(crate) model: PathBuf,
    /// How it is run.
    #[command(flatten)]
    pub(crate) run: ModelArgs,
    /// How much to measure.
    #[command(flatten)]
    pub(crate) effort: EffortArgs,
    /// Only benchmarks whose id matches; `!GLOB` excludes; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) bench: Vec<String>,
    /// Where the run is written.
    #[command(flatten)]
    pub(crate) output: RunOutputArgs,
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
