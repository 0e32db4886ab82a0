//! The arguments of `perfgate bisect`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::measure::parse_adapter;
use super::{EffortArgs, SelectionArgs};
use crate::measure::adapter::AdapterChoice;
use crate::units::Nanos;

/// Default of `--budget`.
const DEFAULT_BISECT_BUDGET: &str = "20m";

/// `perfgate bisect`.
#[derive(Args, Debug)]
#[command(after_help = "\
Every commit is built next to GOOD and measured in rounds, with only as many rounds as the answer
needs. A search that was interrupted goes on where it stopped. The working tree stays as it is.

Examples:
  perfgate bisect v1.2.0 main --bench 'encode/words'
  perfgate bisect 0123abc HEAD --bench 'encode/words' --budget 1h --all
  perfgate bisect v1.2.0 main --bench BenchmarkDecode --adapter go -- go test -run '^$' -bench .

--bench takes one id, without patterns. How many launches there are is decided by the search.

Exit status: 0 the change was found, 11 nothing changes, or the budget ended first.")]
pub(crate) struct BisectArgs {
    /// Commit from before the change
    pub(crate) good: String,
    /// Commit with the change
    pub(crate) bad: String,
    /// The benchmark (--bench, exactly one), and how to build it.
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// How much each launch measures.
    #[command(flatten)]
    pub(crate) effort: EffortArgs,
    /// Time limit, with the builds
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_BISECT_BUDGET)]
    pub(crate) budget: Nanos,
    /// If the change is a merge, search the commits that it merged, too
    #[arg(long)]
    pub(crate) all: bool,
    /// Begin again instead of going on with the log of an earlier search
    #[arg(long)]
    pub(crate) restart: bool,
    /// Log of the search, from which it goes on
    #[arg(long, value_name = "FILE", default_value = "target/perfgate/bisect.json")]
    pub(crate) log: PathBuf,
    /// Configuration file [default: perfgate.toml beside Cargo.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: BisectFormat,
    /// Harness that CMD starts; without it, CMD prints samples as JSON lines
    #[arg(long, value_name = "NAME", value_parser = parse_adapter(), requires = "words")]
    pub(crate) adapter: Option<AdapterChoice>,
    /// Command that is started in a checkout of each commit, in place of Criterion benches
    #[arg(last = true, value_name = "CMD")]
    pub(crate) words: Vec<String>,
}

/// How the answer of a search is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum BisectFormat {
    /// For terminals
    #[default]
    Text,
    /// For programs
    Json,
}
