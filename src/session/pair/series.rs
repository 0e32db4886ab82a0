//! One commit, built and kept, and many others that are built beside it one after the other.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::folder::{PairFolder, SideCheckout};
use super::harness_sides::prepare_side;
use super::side::{OriginalWorkspace, SideBuilder};
use super::{PairBuilder, SideObstacle, may_be_read_at_run_time};
use crate::git::CommitId;
use crate::measure::MeasureSubject;
use crate::measure::criterion::{WorkspaceParts, hash_bench_program};
use crate::measure::harness::HarnessCommand;
use crate::session::error::CommandError;
use crate::session::recipe::SideRecipe;

/// Makes a command that is started in a folder.
pub(crate) type CommandPlacer<'a> = dyn Fn(PathBuf) -> MeasureSubject + 'a;

/// A commit that is built and kept, and the place in which others are built beside it.
pub(crate) struct CommitSeries<'a> {
    /// The kept build, ready to be launched.
    pub(crate) baseline: MeasureSubject,
    builder: &'a PairBuilder<'a>,
    base: CommitId,
    source: SeriesSource<'a>,
    _checkout: SideCheckout,
    folder: PairFolder,
}

/// Where the subjects of a series come from.
enum SeriesSource<'a> {
    /// Benches of a workspace, which each commit builds.
    Benches { original: Box<OriginalWorkspace>, base_parts: WorkspaceParts },
    /// A command that is started in the place of `folder` in each checkout.
    Command { folder: PathBuf, placer: &'a CommandPlacer<'a> },
}

/// A commit of a series that is built. Its checkout lives as long as this value.
pub(crate) struct SeriesCommit {
    /// The commit.
    pub(crate) id: CommitId,
    /// What can be launched.
    pub(crate) subject: MeasureSubject,
    _checkout: SideCheckout,
}

impl<'a> CommitSeries<'a> {
    /// Builds `base` in a folder outside of the working tree. With a `placer` nothing is built: the
    /// command is started in the checkout, after `measure.prepare`. The inner `Err` is what prevents
    /// it.
    ///
    /// # Errors
    ///
    /// Fails if Cargo rejects the workspace in the working tree, if git or the folders fail, or if a
    /// signal interrupts the build.
    pub(crate) fn start(
        builder: &'a PairBuilder<'a>,
        base: &CommitId,
        placer: Option<&'a CommandPlacer<'a>>,
    ) -> Result<Result<Self, SideObstacle>> {
        // Plan: remove what killed processes left, then check out and build the base. Its build is a
        // start for those of the others.
        let repository = builder.repository;
        repository.remove_stale_worktrees().map_err(CommandError::from)?;
        builder.interrupt.guard_worktrees(repository.folder());
        let folder = PairFolder::claim(repository, builder.interrupt)?;
        let checkout = folder.check_out(repository, "base", base)?;
        let (source, baseline) = if let Some(placer) = placer {
            let source = SeriesSource::locate_command(builder, placer);
            let built = source.prepare(builder, builder.base_recipe, &checkout)?;
            (source, built)
        } else {
            let original = OriginalWorkspace::read(builder.selection, repository.folder())?;
            let built = SideBuilder {
                original: &original,
                recipe: builder.base_recipe,
                interrupt: builder.interrupt,
            }
            .build(&checkout, &original.parts)?;
            let (base_parts, subject) = match built {
                Ok(side) => (side.parts, side.subject),
                Err(obstacle) => return Ok(Err(obstacle)),
            };
            folder.seed_build("head", "base")?;
            let original = Box::new(original);
            (SeriesSource::Benches { original, base_parts }, Ok(subject))
        };
        Ok(baseline.map(|baseline| Self {
            baseline,
            builder,
            base: base.clone(),
            source,
            _checkout: checkout,
            folder,
        }))
    }

    /// Builds `commit` beside the base. The commit before must have been dropped. The inner `Err` is
    /// what prevents the build.
    ///
    /// # Errors
    ///
    /// Fails if git or the folders fail, or if a signal interrupts the build.
    pub(crate) fn build_commit(
        &self,
        commit: &CommitId,
    ) -> Result<Result<SeriesCommit, SideObstacle>> {
        let builder = self.builder;
        let checkout = self.folder.check_out(builder.repository, "head", commit)?;
        let built = match &self.source {
            SeriesSource::Benches { original, base_parts } => {
                let recipe = builder.recipe;
                SideBuilder { original, recipe, interrupt: builder.interrupt }
                    .build(&checkout, base_parts)?
                    .map(|side| side.subject)
            }
            source @ SeriesSource::Command { .. } => {
                source.prepare(builder, builder.recipe, &checkout)?
            }
        };
        Ok(built.map(|subject| SeriesCommit { id: commit.clone(), subject, _checkout: checkout }))
    }

    /// Returns whether the bench target of the built `commit` is the same program as that of the base,
    /// and whether it can read the same files.
    ///
    /// # Errors
    ///
    /// Fails if git fails or a program cannot be read.
    pub(crate) fn is_base_program(
        &self,
        commit: &SeriesCommit,
        target: &(String, String),
    ) -> Result<bool> {
        let same = self
            .builder
            .find_same_targets((&self.base, &self.baseline), (&commit.id, &commit.subject))?;
        Ok(same.contains(target))
    }

    /// Returns whether a program could read the same files in two commits while it runs, apart from
    /// what is compiled into it.
    ///
    /// # Errors
    ///
    /// Fails if git fails.
    pub(crate) fn has_same_data(&self, one: &CommitId, other: &CommitId) -> Result<bool> {
        let changed = self.builder.repository.list_changed_files(one, other);
        let changed = changed.map_err(CommandError::from)?;
        Ok(!changed.iter().any(|path| may_be_read_at_run_time(path)))
    }
}

impl SeriesCommit {
    /// Returns the hash of the program of a bench target, given as package and name. Returns `None`
    /// for a command, or if the commit does not have the target.
    ///
    /// # Errors
    ///
    /// Fails if a program cannot be read.
    pub(crate) fn hash_program(&self, target: &(String, String)) -> Result<Option<String>> {
        let MeasureSubject::Criterion(built) = &self.subject else { return Ok(None) };
        let mut targets = built.targets.iter();
        let found = targets.find(|other| other.package == target.0 && other.name == target.1);
        let hash = found.map(|found| hash_bench_program(built, found)).transpose();
        hash.context("failed to read a program")
    }
}

impl<'a> SeriesSource<'a> {
    /// Returns the source of a command: it runs where the harness of the configuration runs, else in
    /// the folder of the project.
    fn locate_command(builder: &PairBuilder<'_>, placer: &'a CommandPlacer<'a>) -> Self {
        let harness = builder.recipe.harness.as_ref();
        let folder = harness.map_or(&*builder.project.folder, HarnessCommand::folder);
        Self::Command { folder: folder.to_owned(), placer }
    }

    /// Prepares a checkout for the command, and returns the command in it. The inner `Err` is what
    /// prevents it.
    ///
    /// Fails if a signal interrupts the preparation.
    fn prepare(
        &self,
        builder: &PairBuilder<'_>,
        recipe: &SideRecipe,
        checkout: &SideCheckout,
    ) -> Result<Result<MeasureSubject, SideObstacle>> {
        let Self::Command { folder, placer } = self else {
            anyhow::bail!("benches are built, not started in a checkout");
        };
        match prepare_side(builder, recipe, checkout, folder) {
            Ok(place) => Ok(Ok(placer(place))),
            Err(error) if builder.interrupt.is_raised() => Err(error),
            Err(error) => Ok(Err(SideObstacle::NotBuilt(format!("{error:#}")))),
        }
    }
}
