//! The arguments of `perfgate evaluate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::run::LookHorizon;
use crate::units::Percent;

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
  perfgate evaluate --scenario mixed --effects 0%,2%,5%      the table in docs/error-rates/mixed.md
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
