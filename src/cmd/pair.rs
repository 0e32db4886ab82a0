//! Base and candidate built side by side, to be measured in turn.

mod place;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use self::place::Place;
use super::project::Project;
use super::{Refusal, measure as measuring, print};
use crate::cli::SelectionArgs;
use crate::git::{CommitId, Repository, Worktree};
use crate::measure::command::SampleCommand;
use crate::measure::criterion::{Workspace, same};
use crate::measure::process::{StandardError, run as run_process};
use crate::measure::{Effort, Interrupt, MeasureError, Plan, Selection, Subject};
use crate::run::{Commit, Source};

use super::progress::Stages;

/// Both sides, ready to be launched. Worktrees live as long as this does.
pub(super) struct Pair {
    /// What is compared with.
    pub(super) baseline: Subject,
    /// What is judged.
    pub(super) candidate: Subject,
    /// Where samples come from.
    pub(super) source: Source,
    /// The commits of base and candidate.
    pub(super) commits: [Option<Commit>; 2],
    /// Bench targets, by package and name, that are the same program on both sides.
    pub(super) same: Vec<(String, String)>,
    _worktrees: Vec<Worktree>,
    _place: Option<Place>,
}

/// What became of an attempt to have both sides.
pub(super) enum Attempt {
    /// Both are there.
    Ready(Box<Pair>),
    /// The base cannot be built; why.
    NoBase(String),
}

/// Where and how both sides are built.
pub(super) struct Ground<'a> {
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
    pub(super) fn of_commands(baseline: &str, candidate: &str) -> Self {
        let subject = |text: &str| Subject::Command(SampleCommand::new(text.to_owned()));
        Self {
            baseline: subject(baseline),
            candidate: subject(candidate),
            source: Source::Command,
            commits: [None, None],
            same: Vec::new(),
            _worktrees: Vec::new(),
            _place: None,
        }
    }

    /// The benches of `base` and of what is checked out here, built in folders of equal length.
    ///
    /// A clean tree is measured in a worktree as well, so that nothing but the source differs; a
    /// dirty one where it is.
    pub(super) fn of_commits(ground: &Ground<'_>, base: &CommitId) -> Result<Attempt> {
        let repository = ground.repository;
        repository.remove_stale_worktrees().map_err(Refusal::from)?;
        ground.interrupt.guard_worktrees(repository.folder());
        let head = ground.project.head()?;
        let place = Place::claim(
            &env::current_dir()?.join(&ground.project.folder).join("target/perfgate/in-turn"),
        )?;
        let mut worktrees = Vec::new();
        worktrees.push(place.check_out(repository, "base", base)?);
        let base_builds = place.build_folder("base");
        let baseline = match ground.build(worktrees[0].path(), base_builds) {
            Ok(baseline) => baseline,
            Err(error) if ground.interrupt.is_raised() => return Err(error),
            Err(error) => {
                let why = format!("base {} cannot be built ({error:#})", base.short());
                return Ok(Attempt::NoBase(why));
            }
        };
        let clean = head.as_ref().filter(|head| !head.dirty);
        let clean =
            clean.map(|head| CommitId::parse(&head.id).context("the head has a strange id"));
        let clean = clean.transpose()?;
        let candidate = if let Some(id) = &clean {
            place.take_over("head", "base")?;
            worktrees.push(place.check_out(repository, "head", id)?);
            let built = ground.build(worktrees[1].path(), place.build_folder("head"));
            built.with_context(|| format!("failed to build head ({})", id.short()))?
        } else {
            measuring::built(&measuring::workspace(ground.selection), ground.interrupt)?
        };
        let same = match &clean {
            Some(id) => ground.same_targets((base, &baseline), (id, &candidate))?,
            None => Vec::new(),
        };
        Ok(Attempt::Ready(Box::new(Self {
            baseline,
            candidate,
            source: Source::Criterion,
            commits: [Some(repository.commit(base).map_err(Refusal::from)?), head],
            same,
            _worktrees: worktrees,
            _place: Some(place),
        })))
    }

    /// What there is to measure, alike on both sides: the plans of base and candidate.
    pub(super) fn plan(
        &self,
        patterns: &Selection,
        effort: &Effort,
        interrupt: &Interrupt,
        stages: &mut Stages,
    ) -> Result<[Plan; 2]> {
        let mut pilot = |subject: &Subject| -> Result<Plan, MeasureError> {
            subject.plan(patterns, effort, interrupt, &mut |progress| stages.show(&progress))
        };
        let baseline = pilot(&self.baseline).map_err(measuring::explain)?;
        let candidate = pilot(&self.candidate).map_err(measuring::explain)?;
        let (candidate, baseline) = candidate.merge(baseline);
        Ok([baseline, candidate])
    }
}

impl Ground<'_> {
    /// Prepares and builds the workspace in a worktree.
    fn build(&self, worktree: &Path, target_folder: PathBuf) -> Result<Subject> {
        let folder: PathBuf = worktree.join(self.inside()?).components().collect();
        if let Some(prepare) = self.prepare {
            self.run_prepare(prepare, &folder)?;
        }
        let manifest = self.selection.manifest_path.as_deref().and_then(Path::file_name);
        let workspace = Workspace {
            folder,
            manifest: manifest.map(PathBuf::from),
            target_folder: Some(target_folder),
            ..measuring::workspace(self.selection)
        };
        let mut subject = measuring::built(&workspace, self.interrupt)?;
        if let Subject::Criterion(built) = &mut subject {
            built.folders.push(worktree.to_owned());
        }
        Ok(subject)
    }

    /// Where the workspace lies within its repository.
    fn inside(&self) -> Result<PathBuf> {
        let root = self.repository.folder().canonicalize()?;
        let folder = self.project.folder.canonicalize()?;
        Ok(folder.strip_prefix(root).map(Path::to_owned).unwrap_or_default())
    }

    /// The bench targets that are the same program on both sides; none where something changed that a
    /// program could read while it runs, nor between a commit and itself, which is a trial of the gate.
    fn same_targets(
        &self,
        base: (&CommitId, &Subject),
        head: (&CommitId, &Subject),
    ) -> Result<Vec<(String, String)>> {
        let (Subject::Criterion(baseline), Subject::Criterion(candidate)) = (base.1, head.1) else {
            return Ok(Vec::new());
        };
        let changed = self.repository.changed(base.0, head.0).map_err(Refusal::from)?;
        if base.0 == head.0 || changed.iter().any(|path| may_be_read_at_run_time(path)) {
            return Ok(Vec::new());
        }
        same(baseline, candidate).context("failed to compare the programs of both sides")
    }

    fn run_prepare(&self, command: &str, folder: &Path) -> Result<()> {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(folder);
        shell.env("PERFGATE_ROOT", self.project.folder.canonicalize()?);
        let (stderr, forever) = (StandardError::User, Duration::MAX);
        let ended = run_process(&mut shell, stderr, forever, self.interrupt, |line| {
            print::note(&String::from_utf8_lossy(line.bytes));
            false
        })
        .with_context(|| format!("failed to run `{command}`"))?;
        let Some(failure) = ended.failure(forever) else { return Ok(()) };
        let message = format!("`{command}` in `{}`: {}", folder.display(), failure.reason);
        Err(Refusal::usage(message).help("see measure.prepare in perfgate.toml").into())
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
