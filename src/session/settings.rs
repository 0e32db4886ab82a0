//! The settings of a command: the configuration file, overridden by the command line.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::error::CommandError;
use super::store::SessionStore;
use crate::cli::{EffortArgs, GateArgs, StoreArgs};
use crate::files;
use crate::measure::Effort;
use crate::policy::{Config, ConfigRemedy, FailOn, MeasureConfig, Metric, Policy, PolicyError};
use crate::selection::Selection;
use crate::text::find_near_word;
use crate::units::Nanos;

/// File name of the configuration if the command line names none.
const DEFAULT_CONFIG_FILE: &str = "perfgate.toml";

const NANOS_PER_SECOND: f64 = 1e9;

/// Seed of the order within rounds if the command line names none. Any value works, as long as it
/// is recorded.
const DEFAULT_SEED: u64 = 1;

/// Time limit of the rounds if nobody sets one.
const DEFAULT_BUDGET: Duration = Duration::from_mins(5);

/// What a command judges by, and the store of its baselines.
pub(crate) struct GateSettings {
    /// The configuration file, before the flags override it.
    pub(crate) config: Config,
    /// The configuration, overridden by the flags.
    pub(crate) policy: Policy,
    /// The store that the flags name, else the configuration, else the default store.
    pub(crate) store: SessionStore,
}

impl GateSettings {
    /// Reads the configuration and applies the flags. If the flags name no file, it is searched from
    /// `folder` upwards. Relative paths of the store start in the folder of the file. `bench` are the patterns of
    /// `--bench`.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read, or if a flag, a pattern or the resulting policy is not
    /// valid.
    pub(crate) fn read(
        folder: &Path,
        gate: &GateArgs,
        store: &StoreArgs,
        bench: &[String],
    ) -> Result<Self> {
        let config = read_config(gate, folder)?;
        let policy = resolve_policy(config.clone(), gate, bench)?;
        let store = SessionStore::resolve(store, &config, &locate_config(gate, folder), folder)?;
        Ok(Self { config, policy, store })
    }
}

/// Returns the store of a command that needs nothing else of the configuration: the one that `args`
/// name, else the configuration of `folder` or of `gate`, else the default store.
///
/// # Errors
///
/// Fails if the configuration cannot be read, or if the address is not that of a store.
pub(crate) fn find_store(folder: &Path, gate: &GateArgs, args: &StoreArgs) -> Result<SessionStore> {
    let config = read_config(gate, folder)?;
    SessionStore::resolve(args, &config, &locate_config(gate, folder), folder)
}

/// Remedy for a pattern that is not valid.
const PATTERN_HELP: &str =
    "`*` matches within one part of an id, `**` across parts, and `[ab]` one of the characters";

/// How much a command measures, and in which order.
pub(crate) struct EffortSettings {
    /// How much each launch measures.
    pub(crate) effort: Effort,
    /// Seed of every random choice; `None` if the command line names none.
    pub(crate) seed: Option<u64>,
    /// Whether the findings of the pilot launch are printed.
    pub(crate) is_verbose: bool,
}

impl EffortSettings {
    /// Returns how much to measure: the flags, else the configuration, else the default.
    pub(crate) fn resolve(args: &EffortArgs, config: &MeasureConfig) -> Self {
        let default = Effort::default();
        let effort = Effort {
            launches: args.launches.or(config.launches).unwrap_or(default.launches),
            calls: args.calls.or(config.calls),
            launch_time: args.launch_time.or(config.launch_time).map(to_duration),
            warmup: args.warmup.map(to_duration),
            timeout: args.timeout.or(config.timeout).map_or(default.timeout, to_duration),
            is_alone: args.memory || config.memory.unwrap_or(default.is_alone),
            duration: None,
        };
        Self { effort, seed: args.seed, is_verbose: args.verbose }
    }

    /// Returns the settings for this policy: a rule about memory gives each benchmark a process of its
    /// own.
    #[must_use]
    pub(crate) fn for_policy(mut self, policy: &Policy) -> Self {
        self.effort.is_alone |= policy.needs_own_memory();
        self
    }

    /// Returns the settings with this duration of a launch. Without a time limit of its own, a launch
    /// may take that much longer than others. `launches` is what the command line asks for: without
    /// it, a long launch is measured once.
    #[must_use]
    pub(crate) fn with_duration(
        mut self,
        duration: Option<Nanos>,
        timeout: Option<Nanos>,
        launches: Option<u32>,
    ) -> Self {
        let Some(duration) = duration.map(to_duration) else { return self };
        if timeout.is_none() {
            self.effort.timeout = self.effort.timeout.saturating_add(duration);
        }
        self.effort.launches = launches.unwrap_or(1);
        self.effort.duration = Some(duration);
        self
    }

    /// Returns the seed for the order of the sides within rounds.
    pub(crate) fn order_seed(&self) -> u64 {
        self.seed.unwrap_or(DEFAULT_SEED)
    }
}

/// Returns the time limit of the rounds with their pilot launches: the flag, else the configuration,
/// else five minutes.
pub(crate) fn resolve_budget(flag: Option<Nanos>, config: &MeasureConfig) -> Duration {
    flag.or(config.budget).map_or(DEFAULT_BUDGET, to_duration)
}

/// Returns the time as a duration. A time that is too long becomes the longest one.
pub(crate) fn to_duration(nanos: Nanos) -> Duration {
    Duration::try_from_secs_f64(nanos.get() / NANOS_PER_SECOND).unwrap_or(Duration::MAX)
}

/// Returns the paths at which the configuration may be, the first of which is used: the named file;
/// else those in `folder` and in the folders above it, up to the root of the git repository. Outside
/// of a repository it is in `folder`.
pub(crate) fn list_config_places(args: &GateArgs, folder: &Path) -> Vec<PathBuf> {
    if let Some(named) = &args.config {
        return vec![named.clone()];
    }
    let own = folder.join(DEFAULT_CONFIG_FILE);
    let Ok(canonical) = folder.canonicalize() else { return vec![own] };
    // In a worktree or a submodule, `.git` is a file.
    let Some(root) = canonical.ancestors().find(|folder| folder.join(".git").exists()) else {
        return vec![own];
    };
    let above = canonical.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    let above = above.map(|folder| folder.join(DEFAULT_CONFIG_FILE));
    [own].into_iter().chain(above).collect()
}

/// Returns the path of the configuration: the first of its places where a file is, or else the
/// first.
pub(crate) fn locate_config(args: &GateArgs, folder: &Path) -> PathBuf {
    let mut places = list_config_places(args, folder);
    let found = places.iter().position(|path| path.symlink_metadata().is_ok());
    places.swap_remove(found.unwrap_or(0))
}

/// Returns the folder in which the commands of the configuration run: that of the file, or `folder`
/// if the command line names the file.
pub(crate) fn find_config_folder(args: &GateArgs, folder: &Path) -> PathBuf {
    if args.config.is_some() {
        return folder.to_owned();
    }
    locate_config(args, folder).parent().map_or_else(|| folder.to_owned(), Path::to_owned)
}

/// Reads the configuration: the named file, else the nearest one at or above `folder` in the
/// repository, else the default.
///
/// # Errors
///
/// Fails if a named file is missing, or if a file cannot be read or is not valid.
pub(crate) fn read_config(args: &GateArgs, folder: &Path) -> Result<Config> {
    let path = locate_config(args, folder);
    Config::from_toml(&read_config_text(args, &path)?)
        .map_err(|error| explain_policy_error(&error))
        .with_context(|| format!("failed to read configuration `{}`", path.display()))
}

/// Reads the text of the configuration at `path`, which is empty if the file is absent and the
/// command line does not name it.
///
/// # Errors
///
/// Fails if a named file is missing, or if the file cannot be read.
pub(crate) fn read_config_text(args: &GateArgs, path: &Path) -> Result<String> {
    match files::read_plain_text(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound && args.config.is_none() => {
            Ok(String::new())
        }
        Err(error) => {
            let message = format!("failed to read configuration `{}`: {error}", path.display());
            let help = "name a file, or leave out --config: `perfgate init` writes perfgate.toml";
            Err(CommandError::new_usage(message).with_help(help).into())
        }
    }
}

/// Returns the policy of `config`, overridden by the flags, for the benchmarks that `bench`
/// selects.
///
/// # Errors
///
/// Fails if a flag, a pattern or the resulting policy is not valid.
pub(crate) fn resolve_policy(
    mut config: Config,
    args: &GateArgs,
    bench: &[String],
) -> Result<Policy> {
    let gate = &mut config.gate;
    gate.threshold = args.threshold.or(gate.threshold);
    gate.detect = args.detect.or(gate.detect);
    gate.confidence = args.confidence.or(gate.confidence);
    if let Some(words) = &args.fail_on {
        let reasons: Result<Vec<FailOn>, _> = words.iter().map(|word| word.parse()).collect();
        gate.fail_on = Some(reasons.map_err(|error| explain_policy_error(&error))?);
    }
    let limits = collect_target_limits(args);
    if args.target_at.is_some() && limits.is_empty() && config.target.is_empty() {
        return Err(CommandError::new_usage("--target-at sets no limit")
            .with_help("add one that must hold at this rate, such as --target-p99 50ms")
            .into());
    }
    let selection = parse_selection(bench)?;
    Policy::new(&config, &limits, selection)
        .map(|policy| policy.with_target_rate(args.target_at))
        .map_err(|error| explain_policy_error(&error))
}

/// Returns the selection of benchmarks that the patterns of `--bench` describe.
///
/// # Errors
///
/// Fails if a pattern is not valid.
pub(crate) fn parse_selection(bench: &[String]) -> Result<Selection> {
    Selection::new(bench)
        .map_err(|error| CommandError::new_usage(error).with_help(PATTERN_HELP).into())
}

/// Returns the target limits of the flags, per metric.
fn collect_target_limits(args: &GateArgs) -> BTreeMap<Metric, Nanos> {
    let limits = [
        (Metric::Mean, args.target_mean),
        (Metric::P50, args.target_p50),
        (Metric::P90, args.target_p90),
        (Metric::P95, args.target_p95),
        (Metric::P99, args.target_p99),
    ];
    limits.into_iter().filter_map(|(metric, limit)| Some((metric, limit?))).collect()
}

/// Returns the text of the `help:` line for something that `perfgate.toml` may not contain.
fn describe_remedy(remedy: &ConfigRemedy) -> String {
    match remedy {
        ConfigRemedy::Nearest(nearest) => format!("did you mean `{nearest}`?"),
        ConfigRemedy::Known(known) => {
            format!("what can be here: {}", known.join(", "))
        }
        ConfigRemedy::Text => {
            "write it in quotes, with a unit if it is a number: \"1%\", \"10ms\"".to_owned()
        }
        ConfigRemedy::Number => "write a whole number, without quotes".to_owned(),
        ConfigRemedy::List => "write a list: [\"…\", \"…\"]".to_owned(),
    }
}

/// Turns a policy error into a usage error with its remedy.
pub(crate) fn explain_policy_error(error: &PolicyError) -> anyhow::Error {
    let command_error = CommandError::new_usage(error);
    match error {
        PolicyError::PercentileOfBatches(_) => command_error.with_help(
            "give it a target on the mean (`--target-mean`), or leave it out (`--bench '!ID'`)",
        ),
        PolicyError::Toml { remedy: Some(remedy), .. } => {
            command_error.with_help(describe_remedy(remedy))
        }
        PolicyError::FailOn(word) => {
            match find_near_word(word, FailOn::ALL.iter().map(|reason| reason.name())) {
                Some(nearest) => {
                    let remedy = ConfigRemedy::Nearest(nearest.to_owned());
                    command_error.with_help(describe_remedy(&remedy))
                }
                None => command_error,
            }
        }
        PolicyError::Pattern(_) => command_error.with_help(PATTERN_HELP),
        PolicyError::TargetWithoutLimit(_) => command_error
            .with_help("set a limit, like `p95 = \"10ms\"`: docs/metrics.md lists them"),
        PolicyError::TargetOfNothing(_) => command_error
            .with_help("name benchmarks with `bench`, or add them up with `sum = [\"…\", \"…\"]`"),
        PolicyError::TargetLimit { .. } => command_error
            .with_help("docs/metrics.md has the units: they are the end of the metric's name"),
        PolicyError::MetricOfTime(_) => command_error
            .with_help("limit it with a `[[target]]`; the change of the median is judged anyway"),
        PolicyError::Expect { .. } => command_error
            .with_help("write `ratio = [\"ID\", \"ID\"]` and `at-least` or `at-most` above zero"),
        PolicyError::Price(_) => command_error.with_help("write it like `per-hour = 0.38`"),
        PolicyError::DetectTooLow { .. } => {
            command_error.with_help("raise --detect or lower --threshold, here or in perfgate.toml")
        }
        PolicyError::Toml { remedy: None, .. } => command_error,
    }
    .into()
}
