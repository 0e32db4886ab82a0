//! What a check is asked for, and the inputs that are resolved before anything is measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cli::CheckArgs;
use crate::measure::SampleNeeds;
use crate::measure::harness::HarnessCommand;
use crate::run::{BenchmarkId, MeasuredCommit, SampleSource};
use crate::session::settings::resolve_budget;
use crate::session::{Session, SessionRequest};
use crate::verdict::NoiseHistory;

/// The kind of baseline that the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BaselineChoice {
    /// Stored runs screen, and rounds confirm.
    Auto,
    /// Stored runs alone.
    Stored,
    /// No baseline.
    None,
    /// A run file.
    File(PathBuf),
    /// A branch, tag or commit.
    Revision(String),
    /// The command of the baseline and the command of the candidate.
    Commands(String, String),
}

impl BaselineChoice {
    /// Parses the value of `--baseline`: a keyword, else an existing file, else a revision.
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "auto" => Self::Auto,
            "stored" => Self::Stored,
            "none" => Self::None,
            path if Path::new(path).is_file() => Self::File(path.into()),
            revision => Self::Revision(revision.to_owned()),
        }
    }
}

/// The inputs of one check, resolved before anything is measured.
pub(super) struct CheckInputs<'a> {
    /// The command line.
    pub(super) args: &'a CheckArgs,
    /// What `--baseline`, or the two commands, ask to compare with.
    pub(super) choice: BaselineChoice,
    /// The commit that is judged; `None` without a repository or a commit.
    pub(super) head: Option<MeasuredCommit>,
    /// The calibrated noise of each benchmark on the machine of the session. Empty without a
    /// calibration.
    pub(super) noise: BTreeMap<BenchmarkId, NoiseHistory>,
    /// What the commands share.
    pub(super) session: Session,
}

impl<'a> CheckInputs<'a> {
    /// Resolves the command line of a check.
    ///
    /// Fails if the repository, the configuration or the given run cannot be read, if a flag is not
    /// valid, or if signals cannot be watched.
    pub(super) fn open(args: &'a CheckArgs) -> Result<Self> {
        let choice = match (&args.baseline_command, &args.candidate_command) {
            (Some(baseline), Some(candidate)) => {
                BaselineChoice::Commands(baseline.clone(), candidate.clone())
            }
            _ => BaselineChoice::parse(&args.baseline),
        };
        let mut session = Session::open(&SessionRequest {
            selection: &args.selection,
            effort: &args.effort,
            gate: &args.gate,
            store: &args.store,
            source: match &choice {
                BaselineChoice::Commands(..) => SampleSource::Command,
                _ if args.adapter.is_some() => SampleSource::Command,
                _ => SampleSource::Criterion,
            },
            given_run: args.run.as_deref(),
        })?;
        session.policy = session
            .policy
            .with_required_baseline(args.require_baseline)
            .with_varied_conditions(&args.vary);
        // Read before anything is written: a file next to the sources makes the tree dirty.
        let head = match &session.given_run {
            Some(run) => run.commit.clone(),
            None => session.project.read_head()?,
        };
        Ok(Self { args, choice, head, noise: session.read_noise(), session })
    }

    /// Returns the command of `--adapter`, which measures in place of Criterion benches, if there is
    /// one.
    pub(super) fn harness_command(&self) -> Option<HarnessCommand> {
        Some(HarnessCommand::new(self.args.words.clone(), self.args.adapter?))
    }

    /// Returns the needs of targets, within the budget of the check. `find_needed` returns the
    /// number of samples that the targets of a benchmark need.
    pub(super) fn sample_needs<'b>(
        &self,
        find_needed: &'b dyn Fn(&str) -> usize,
    ) -> SampleNeeds<'b> {
        let budget = resolve_budget(self.args.budget, &self.session.config.measure);
        SampleNeeds { find_needed, budget }
    }
}
