//! The arguments of `perfgate trend`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::StoreArgs;
use crate::units::{Confidence, Percent};

/// `perfgate trend`.
#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  perfgate trend --out site                        build or update the pages
  perfgate trend changes series.jsonl --format json
  perfgate trend status --format json              what got slower, and since when
  perfgate trend export --format csv --output history.csv
  perfgate trend plot --out plots"
)]
pub(crate) struct TrendArgs {
    /// Something else than building the pages.
    #[command(subcommand)]
    pub(crate) action: Option<TrendAction>,
    /// What they are made from.
    #[command(flatten)]
    pub(crate) history: HistoryArgs,
    /// Output folder of the pages
    #[arg(long, value_name = "DIR", default_value = "target/perfgate/trend")]
    pub(crate) out: PathBuf,
}

/// Which runs are followed, and what is known about them.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct HistoryArgs {
    /// Where they are kept.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Branch, tag or commit whose history is shown [default: HEAD]
    #[arg(long, value_name = "REVISION")]
    pub(crate) revision: Option<String>,
    /// Only benchmarks whose id matches; `!GLOB` excludes; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub(crate) bench: Vec<String>,
    /// Name of the site [default: that of the repository's folder]
    #[arg(long, value_name = "TITLE")]
    pub(crate) title: Option<String>,
    /// Web page of the repository, for links to commits [default: from `origin`]
    #[arg(long, value_name = "URL")]
    pub(crate) repository_url: Option<String>,
    /// Configuration file [default: perfgate.toml]
    #[arg(long, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
}

/// What `trend` prints or writes besides pages.
#[derive(Debug, Subcommand)]
pub(crate) enum TrendAction {
    /// Print the change points and drifts of any series: JSON lines {"id": "…", "values": [ … ]}
    Changes {
        /// File with the series; `-` for standard input
        file: PathBuf,
        /// Smallest shift that counts as a change point
        #[arg(long, value_name = "SHARE")]
        least_shift: Option<Percent>,
        /// Confidence of the intervals
        #[arg(long, value_name = "CONFIDENCE")]
        confidence: Option<Confidence>,
        /// Output format
        #[arg(long, value_enum, default_value_t)]
        format: TrendFormat,
    },
    /// Print each benchmark's state, its open slowdowns and its drifts
    Status {
        /// What it is made from.
        #[command(flatten)]
        history: HistoryArgs,
        /// Output format
        #[arg(long, value_enum, default_value_t)]
        format: TrendFormat,
    },
    /// Write all runs, one row per run, benchmark and metric
    Export {
        /// What it is made from.
        #[command(flatten)]
        history: HistoryArgs,
        /// File format
        #[arg(long, value_enum)]
        format: ExportFormat,
        /// Output file
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Draw charts: the history of each benchmark, and all benchmarks against the last release
    Plot {
        /// What they are made from.
        #[command(flatten)]
        history: HistoryArgs,
        /// File format
        #[arg(long, value_enum, default_value_t)]
        format: PlotFormat,
        /// Output folder of the charts
        #[arg(long, value_name = "DIR", default_value = "target/perfgate/plots")]
        out: PathBuf,
    },
}

/// How `trend` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrendFormat {
    /// For terminals
    #[default]
    Text,
    /// For programs
    Json,
}

/// Files of charts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlotFormat {
    /// For papers and web pages
    #[default]
    Svg,
    /// For wikis, at twice the size; needs the feature `png`
    Png,
}

/// Files of a whole history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Comma-separated
    Csv,
    /// A list of objects
    Json,
    /// Columns, for programs like Spark and Trino; needs the feature `parquet`
    Parquet,
}
