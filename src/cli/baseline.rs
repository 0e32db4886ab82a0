//! The arguments of `perfgate baseline`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::StoreArgs;

/// `perfgate baseline`.
#[derive(Args, Debug)]
pub(crate) struct BaselineArgs {
    /// Configuration file that may name the store [default: perfgate.toml in this folder]
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// What to do with the store.
    #[command(subcommand)]
    pub(crate) action: BaselineAction,
}

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub(crate) enum BaselineAction {
    /// Store a run as a baseline
    #[command(after_help = "\
Examples:
  perfgate baseline save target/perfgate/run.json
  perfgate baseline save run.json --push                     share it through origin
  perfgate baseline save run.json --store dir:/mnt/baselines")]
    Save {
        /// Run file
        run: PathBuf,
        /// Where baselines are kept.
        #[command(flatten)]
        store: StoreArgs,
        /// Push this run and all others not pushed yet to the data repository
        #[arg(long)]
        push: bool,
        /// Push the run although its commit is not in the default branch; not in workflows
        #[arg(long, requires = "push")]
        any_commit: bool,
        /// Where the branch is shared.
        #[command(flatten)]
        remote: RemoteArgs,
    },
    /// List stored runs, newest first
    #[command(after_help = "\
Examples:
  perfgate baseline list
  perfgate baseline list --fetch --format json")]
    List(StoreReadArgs),
    /// Show the contents of a stored run
    #[command(after_help = "\
Examples:
  perfgate baseline show 3f9a1c22b0d4      by id, or its first digits
  perfgate baseline show main              all runs of the commit at the tip of main")]
    Show {
        /// Id of a run, or a git revision
        #[arg(value_name = "ID|REVISION")]
        name: String,
        /// Of which store, and how.
        #[command(flatten)]
        read: StoreReadArgs,
    },
    /// Remove runs that no screen, trend page or release needs
    #[command(after_help = "\
Kept of each host and source: the newest runs, the last run of each day of 180 days and of each
week before, and runs of commits with a tag.

Examples:
  perfgate baseline prune --dry-run
  perfgate baseline prune --push                             on the data repository
  perfgate baseline prune --keep 20 --only-newest            as small as screens allow")]
    Prune {
        /// Newest runs to keep per host and source
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
        keep: u32,
        /// Keep nothing but the newest runs
        #[arg(long)]
        only_newest: bool,
        /// Remove nothing if fewer than this many runs would go
        #[arg(long, value_name = "N", default_value_t = 1)]
        at_least: u32,
        /// List what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
        /// Where baselines are kept.
        #[command(flatten)]
        store: StoreArgs,
        /// Prune the branch of the data repository too; without it, its runs are hidden in this clone only
        #[arg(long)]
        push: bool,
        /// Where the branch is shared.
        #[command(flatten)]
        remote: RemoteArgs,
    },
}

/// What of a store is shown, and how.
#[derive(Args, Debug)]
pub(crate) struct StoreReadArgs {
    /// Where baselines are kept.
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Fetch from the data repository first
    #[arg(long)]
    pub(crate) fetch: bool,
    /// Where the branch is shared.
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: StoreFormat,
}

/// Where the branch of a git store is shared.
#[derive(Args, Clone, Debug)]
pub(crate) struct RemoteArgs {
    /// Remote or address of the repository that shares the baselines
    #[arg(long, value_name = "REPOSITORY", default_value = "origin")]
    pub(crate) data_repository: String,
}

/// How stored runs are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreFormat {
    /// For terminals
    #[default]
    Text,
    /// For programs
    Json,
}
