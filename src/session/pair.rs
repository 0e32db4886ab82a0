//! Builds base and candidate side by side, so that they can be measured in rounds.

mod folder;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use self::folder::PairFolder;
use super::error::CommandError;
use super::measurement::{build_subject, explain_measure_error, to_workspace};
use super::print;
use super::progress::ProgressOutput;
use super::project::Project;
use crate::cli::SelectionArgs;
use crate::git::{CommitId, Repository, Worktree};
use crate::measure::command::SampleCommand;
use crate::measure::criterion::{CargoWorkspace, find_same_targets};
use crate::measure::{Effort, LaunchPlan, MeasureError, MeasureSubject};
use crate::process::{Interrupt, StderrTarget, run_process};
use crate::render::notes::{describe_failure, describe_note};
use crate::run::{MeasuredCommit, SampleSource};
use crate::selection::Selection;

/// The two builds, ready to be launched. Their worktrees live as long as this value.
pub(crate) struct Pair {
    /// The side that the candidate is compared with.
    pub(crate) baseline: MeasureSubject,
    /// The side that is judged.
    pub(crate) candidate: MeasureSubject,
    /// Source of the samples, the same on both sides.
    pub(crate) source: SampleSource,
    /// Commits of base and candidate; `None` for the command of a base, or for a head without a
    /// commit.
    pub(crate) commits: [Option<MeasuredCommit>; 2],
    /// Bench targets that are the same program on both sides, as package and target name.
    pub(crate) same_targets: Vec<(String, String)>,
    _worktrees: Vec<Worktree>,
    _folder: Option<PairFolder>,
}

/// Result of an attempt to build both sides.
pub(crate) enum PairAttempt {
    /// Both sides are built.
    Ready(Box<Pair>),
    /// The base cannot be built, because of this error.
    NoBase(String),
}

/// Where and how to build both sides.
pub(crate) struct PairBuilder<'a> {
    /// The workspace and its folder.
    pub(crate) project: &'a Project,
    /// The repository that contains the workspace.
    pub(crate) repository: &'a Repository,
    /// The packages, features and profile to build.
    pub(crate) selection: &'a SelectionArgs,
    /// Shell command to run in each worktree before its build, if any.
    pub(crate) prepare: Option<&'a str>,
    /// Raised when a signal asks perfgate to end.
    pub(crate) interrupt: &'a Interrupt,
}

impl Pair {
    /// Returns a pair of two commands, which need no build. `head` is the checked-out commit, which
    /// the candidate measures.
    pub(crate) fn from_commands(
        baseline: &str,
        candidate: &str,
        head: Option<MeasuredCommit>,
    ) -> Self {
        let [baseline, candidate] = [baseline, candidate]
            .map(|text| MeasureSubject::Command(SampleCommand::new(text.to_owned())));
        Self {
            baseline,
            candidate,
            source: SampleSource::Command,
            commits: [None, head],
            same_targets: Vec::new(),
            _worktrees: Vec::new(),
            _folder: None,
        }
    }

    /// Builds the benches of `base` and of the checked-out head, in folders with paths of equal
    /// length.
    ///
    /// A clean tree is built in a worktree as well, so that only the source differs. A dirty tree
    /// is built in place.
    ///
    /// A base that cannot be built is [`PairAttempt::NoBase`].
    ///
    /// # Errors
    ///
    /// Fails if the head cannot be built,
    /// if git or the folders fail, or if a signal interrupts the build.
    pub(crate) fn build_from_commits(
        builder: &PairBuilder<'_>,
        base: &CommitId,
    ) -> Result<PairAttempt> {
        // Plan: remove what killed checks left, build the base, build the head, then find the bench
        // targets that are the same program on both sides.
        let repository = builder.repository;
        repository.remove_stale_worktrees().map_err(CommandError::from)?;
        builder.interrupt.guard_worktrees(repository.folder());
        let head = builder.project.read_head()?;
        let folder = PairFolder::claim(
            &env::current_dir()?.join(&builder.project.folder).join("target/perfgate/rounds"),
        )?;
        let mut worktrees = Vec::new();
        worktrees.push(folder.check_out(repository, "base", base)?);
        let base_build_folder = folder.build_folder("base");
        let baseline = match builder.build_side(worktrees[0].path(), base_build_folder) {
            Ok(baseline) => baseline,
            Err(error) if builder.interrupt.is_raised() => return Err(error),
            Err(error) => {
                return Ok(PairAttempt::NoBase(format!("{error:#}")));
            }
        };
        let clean = head.as_ref().filter(|head| !head.dirty);
        let clean = clean
            .map(|head| CommitId::parse(&head.id).context("the commit id of the head is invalid"));
        let clean = clean.transpose()?;
        let candidate = if let Some(id) = &clean {
            folder.seed_build("head", "base")?;
            worktrees.push(folder.check_out(repository, "head", id)?);
            let built = builder.build_side(worktrees[1].path(), folder.build_folder("head"));
            built.with_context(|| format!("failed to build head ({})", id.short_id()))?
        } else {
            build_subject(&to_workspace(builder.selection), builder.interrupt)?
        };
        let same_targets = match &clean {
            Some(id) => builder.find_same_targets((base, &baseline), (id, &candidate))?,
            None => Vec::new(),
        };
        Ok(PairAttempt::Ready(Box::new(Self {
            baseline,
            candidate,
            source: SampleSource::Criterion,
            commits: [Some(repository.read_commit(base).map_err(CommandError::from)?), head],
            same_targets,
            _worktrees: worktrees,
            _folder: Some(folder),
        })))
    }

    /// Runs a pilot launch of each side and returns the launch plans of base and candidate, merged
    /// so that they agree.
    ///
    /// # Errors
    ///
    /// Fails if a pilot launch fails.
    pub(crate) fn plan(
        &self,
        selection: &Selection,
        effort: &Effort,
        interrupt: &Interrupt,
        output: &mut ProgressOutput,
    ) -> Result<[LaunchPlan; 2]> {
        let mut run_pilot = |subject: &MeasureSubject| -> Result<LaunchPlan, MeasureError> {
            subject.plan_launches(selection, effort, interrupt, &mut |progress| {
                output.show_measurement(&progress);
            })
        };
        let mut baseline = run_pilot(&self.baseline).map_err(explain_measure_error)?;
        let mut candidate = run_pilot(&self.candidate).map_err(explain_measure_error)?;
        // A benchmark that only one side has is new or missing. Only what matches nothing on both
        // sides is a mistake.
        let unmatched = (baseline.take_nothing_selected(), candidate.take_nothing_selected());
        if let (Some(_), Some(note)) = unmatched {
            output.print_line(&describe_note(&note));
            candidate.notes.push(note);
        }
        let (candidate, baseline) = candidate.merge_with(baseline);
        Ok([baseline, candidate])
    }
}

impl PairBuilder<'_> {
    /// Prepares and builds the workspace in `worktree`, with `target_folder` as Cargo's target
    /// folder.
    fn build_side(&self, worktree: &Path, target_folder: PathBuf) -> Result<MeasureSubject> {
        let folder: PathBuf = worktree.join(self.find_path_in_repository()?).components().collect();
        if let Some(prepare) = self.prepare {
            self.run_prepare(prepare, &folder)?;
        }
        let manifest = self.selection.manifest_path.as_deref().and_then(Path::file_name);
        let workspace = CargoWorkspace {
            folder,
            manifest: manifest.map(PathBuf::from),
            target_folder: Some(target_folder),
            ..to_workspace(self.selection)
        };
        let mut subject = build_subject(&workspace, self.interrupt)?;
        if let MeasureSubject::Criterion(built) = &mut subject {
            built.folders.push(worktree.to_owned());
        }
        Ok(subject)
    }

    /// Returns the path of the workspace relative to the root of its repository.
    fn find_path_in_repository(&self) -> Result<PathBuf> {
        let root = self.repository.folder().canonicalize()?;
        let folder = self.project.folder.canonicalize()?;
        Ok(folder.strip_prefix(root).map(Path::to_owned).unwrap_or_default())
    }

    /// Returns the bench targets that are the same program on both sides, as package and target
    /// name.
    ///
    /// Returns none if a file changed that a program could read while it runs. Also returns none
    /// between a commit and itself, because that comparison is a trial of the gate.
    fn find_same_targets(
        &self,
        base: (&CommitId, &MeasureSubject),
        head: (&CommitId, &MeasureSubject),
    ) -> Result<Vec<(String, String)>> {
        let (MeasureSubject::Criterion(baseline), MeasureSubject::Criterion(candidate)) =
            (base.1, head.1)
        else {
            return Ok(Vec::new());
        };
        let changed_paths =
            self.repository.list_changed_files(base.0, head.0).map_err(CommandError::from)?;
        if base.0 == head.0 || changed_paths.iter().any(|path| may_be_read_at_run_time(path)) {
            return Ok(Vec::new());
        }
        find_same_targets(baseline, candidate)
            .context("failed to compare the programs of both sides")
    }

    /// Runs the command of `measure.prepare` in `folder` and prints its output.
    ///
    /// Fails if the command cannot be started or does not succeed.
    fn run_prepare(&self, command: &str, folder: &Path) -> Result<()> {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(folder);
        shell.env("PERFGATE_ROOT", self.project.folder.canonicalize()?);
        let (stderr, no_limit) = (StderrTarget::User, Duration::MAX);
        let outcome = run_process(&mut shell, stderr, no_limit, self.interrupt, |line| {
            print::print_note(&String::from_utf8_lossy(line.bytes));
            false
        })
        .with_context(|| format!("failed to run `{command}`"))?;
        let Some(failure) = outcome.to_failure(no_limit) else { return Ok(()) };
        let message =
            format!("`{command}` in `{}`: {}", folder.display(), describe_failure(&failure.reason));
        Err(CommandError::new_usage(message)
            .with_help("see measure.prepare in perfgate.toml")
            .into())
    }
}

/// Returns whether a benchmark could read the file at `path` while it runs.
///
/// It does not read Rust sources, Markdown, Cargo manifests or `.github`: their effect, if any, is
/// already in the compiled program.
fn may_be_read_at_run_time(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let is_source =
        path.extension().is_some_and(|extension| extension == "rs" || extension == "md");
    let is_manifest = name == "Cargo.toml" || name == "Cargo.lock";
    !(is_source || is_manifest || path.starts_with(".github"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_may_read_makes_it_worth_measuring() {
        for path in ["data/model.onnx", "Makefile", "build.toml", "lfs", ".cargo/config.toml"] {
            assert!(may_be_read_at_run_time(Path::new(path)), "{path}");
        }
        for path in ["src/lib.rs", "README.md", "crates/a/Cargo.toml", "Cargo.lock", ".github/x"] {
            assert!(!may_be_read_at_run_time(Path::new(path)), "{path}");
        }
    }
}
