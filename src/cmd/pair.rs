//! Base and candidate built side by side, to be measured in turn.

mod folder;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use self::folder::PairFolder;
use super::project::Project;
use super::{CommandError, measure as measuring, print};
use crate::cli::SelectionArgs;
use crate::git::{CommitId, Repository, Worktree};
use crate::measure::command::SampleCommand;
use crate::measure::criterion::{CargoWorkspace, find_same_targets};
use crate::measure::process::{StderrTarget, run_process};
use crate::measure::{Effort, Interrupt, LaunchPlan, MeasureError, MeasureSubject, Selection};
use crate::run::{MeasuredCommit, SampleSource};

use super::progress::ProgressOutput;

/// Both sides, ready to be launched. Worktrees live as long as this does.
pub(super) struct Pair {
    /// What is compared with.
    pub(super) baseline: MeasureSubject,
    /// What is judged.
    pub(super) candidate: MeasureSubject,
    /// Where samples come from.
    pub(super) source: SampleSource,
    /// The commits of base and candidate.
    pub(super) commits: [Option<MeasuredCommit>; 2],
    /// Bench targets, by package and name, that are the same program on both sides.
    pub(super) same_targets: Vec<(String, String)>,
    _worktrees: Vec<Worktree>,
    _folder: Option<PairFolder>,
}

/// What became of an attempt to have both sides.
pub(super) enum PairAttempt {
    /// Both are there.
    Ready(Box<Pair>),
    /// The base cannot be built; why.
    NoBase(String),
}

/// Where and how both sides are built.
pub(super) struct PairBuilder<'a> {
    /// The workspace.
    pub(super) project: &'a Project,
    /// The repository around it.
    pub(super) repository: &'a Repository,
    /// What is built.
    pub(super) selection: &'a SelectionArgs,
    /// What is run in a worktree before it is built.
    pub(super) prepare: Option<&'a str>,
    /// Whether to end.
    pub(super) interrupt: &'a Interrupt,
}

impl Pair {
    /// Two commands.
    pub(super) fn from_commands(baseline: &str, candidate: &str) -> Self {
        let make_subject =
            |text: &str| MeasureSubject::Command(SampleCommand::new(text.to_owned()));
        Self {
            baseline: make_subject(baseline),
            candidate: make_subject(candidate),
            source: SampleSource::Command,
            commits: [None, None],
            same_targets: Vec::new(),
            _worktrees: Vec::new(),
            _folder: None,
        }
    }

    /// The benches of `base` and of what is checked out here, built in folders of equal length.
    ///
    /// A clean tree is measured in a worktree as well, so that nothing but the source differs; a
    /// dirty one where it is.
    pub(super) fn build_from_commits(
        builder: &PairBuilder<'_>,
        base: &CommitId,
    ) -> Result<PairAttempt> {
        let repository = builder.repository;
        repository.remove_stale_worktrees().map_err(CommandError::from)?;
        builder.interrupt.guard_worktrees(repository.folder());
        let head = builder.project.read_head()?;
        let folder = PairFolder::claim(
            &env::current_dir()?.join(&builder.project.folder).join("target/perfgate/in-turn"),
        )?;
        let mut worktrees = Vec::new();
        worktrees.push(folder.check_out(repository, "base", base)?);
        let base_build_folder = folder.build_folder("base");
        let baseline = match builder.build_side(worktrees[0].path(), base_build_folder) {
            Ok(baseline) => baseline,
            Err(error) if builder.interrupt.is_raised() => return Err(error),
            Err(error) => {
                let why = format!("base {} cannot be built ({error:#})", base.short_id());
                return Ok(PairAttempt::NoBase(why));
            }
        };
        let clean = head.as_ref().filter(|head| !head.dirty);
        let clean =
            clean.map(|head| CommitId::parse(&head.id).context("the head has a strange id"));
        let clean = clean.transpose()?;
        let candidate = if let Some(id) = &clean {
            folder.seed_build("head", "base")?;
            worktrees.push(folder.check_out(repository, "head", id)?);
            let built = builder.build_side(worktrees[1].path(), folder.build_folder("head"));
            built.with_context(|| format!("failed to build head ({})", id.short_id()))?
        } else {
            measuring::build_subject(
                &measuring::to_workspace(builder.selection),
                builder.interrupt,
            )?
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

    /// What there is to measure, alike on both sides: the plans of base and candidate.
    pub(super) fn plan(
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
        let baseline = run_pilot(&self.baseline).map_err(measuring::explain_measure_error)?;
        let candidate = run_pilot(&self.candidate).map_err(measuring::explain_measure_error)?;
        let (candidate, baseline) = candidate.merge_with(baseline);
        Ok([baseline, candidate])
    }
}

impl PairBuilder<'_> {
    /// Prepares and builds the workspace in a worktree.
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
            ..measuring::to_workspace(self.selection)
        };
        let mut subject = measuring::build_subject(&workspace, self.interrupt)?;
        if let MeasureSubject::Criterion(built) = &mut subject {
            built.folders.push(worktree.to_owned());
        }
        Ok(subject)
    }

    /// Where the workspace lies within its repository.
    fn find_path_in_repository(&self) -> Result<PathBuf> {
        let root = self.repository.folder().canonicalize()?;
        let folder = self.project.folder.canonicalize()?;
        Ok(folder.strip_prefix(root).map(Path::to_owned).unwrap_or_default())
    }

    /// The bench targets that are the same program on both sides; none where something changed that a
    /// program could read while it runs, nor between a commit and itself, which is a trial of the gate.
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
        let message = format!("`{command}` in `{}`: {}", folder.display(), failure.reason);
        Err(CommandError::new_usage(message)
            .with_help("see measure.prepare in perfgate.toml")
            .into())
    }
}

/// Sources, documents and the settings of Cargo are not: what they change is in the program, or is not.
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
