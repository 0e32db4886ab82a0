//! Both sides of a pair for a command that starts another harness: two checkouts, prepared by the
//! user's own command, in which it is started.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::folder::{PairFolder, SideCheckout};
use super::{Pair, PairAttempt, PairBuilder, SideObstacle};
use crate::git::CommitId;
use crate::measure::MeasureSubject;
use crate::measure::harness::HarnessCommand;
use crate::run::SampleSource;
use crate::session::error::CommandError;
use crate::session::prepare::run_prepare;
use crate::session::recipe::SideRecipe;

/// Folder whose untracked files a snapshot of the working tree leaves out.
const OUTPUT_FOLDER: &str = "target";

impl Pair {
    /// Checks out `base` and the working tree, and returns `commands`, of base and candidate, to be
    /// started in them. See [`Self::check_out`].
    ///
    /// # Errors
    ///
    /// Fails as [`Self::check_out`] does.
    pub(super) fn check_out_for_harness(
        builder: &PairBuilder<'_>,
        base: &CommitId,
        commands: [&HarnessCommand; 2],
    ) -> Result<PairAttempt> {
        let [base_command, head_command] = commands;
        let place_command = |place: PathBuf, other: Option<&MeasureSubject>| {
            let command = if other.is_none() { base_command } else { head_command };
            Ok(MeasureSubject::Harness(command.in_folder(place)))
        };
        let folders = commands.map(HarnessCommand::folder);
        Self::check_out(builder, base, folders, &place_command, None)
    }

    /// Checks out `base` and the working tree outside of it, in folders with paths of equal length,
    /// and runs `measure.prepare` in each. `make_subject` gets the folder of a side that stands for
    /// that side's of `folders` in the working tree, and the subject of the base once it is made. The
    /// pair keeps `scratch`.
    ///
    /// A side that cannot be prepared is not an error: the attempt names it.
    ///
    /// # Errors
    ///
    /// Fails if git or the folders fail, or if a signal interrupts the command.
    pub(super) fn check_out(
        builder: &PairBuilder<'_>,
        base: &CommitId,
        folders: [&Path; 2],
        make_subject: &dyn Fn(PathBuf, Option<&MeasureSubject>) -> Result<MeasureSubject>,
        scratch: Option<TempDir>,
    ) -> Result<PairAttempt> {
        // Plan: remove what killed checks left, then check out and prepare each side.
        let repository = builder.repository;
        repository.remove_stale_worktrees().map_err(CommandError::from)?;
        builder.interrupt.guard_worktrees(repository.folder());
        let head = builder.project.read_head()?;
        let left_out = builder.recipe.folder.canonicalize()?.join(OUTPUT_FOLDER);
        let head_commit = builder.commit_head(head.as_ref(), &left_out)?;
        let folder = PairFolder::claim(repository, builder.interrupt)?;
        let [base_folder, head_folder] = folders;
        let base_checkout = folder.check_out(repository, "base", base)?;
        let baseline = prepare_side(builder, builder.base_recipe, &base_checkout, base_folder)
            .and_then(|place| make_subject(place, None));
        let baseline = match baseline {
            Ok(baseline) => baseline,
            Err(error) if builder.interrupt.is_raised() => return Err(error),
            Err(error) => {
                return Ok(PairAttempt::NoBase(SideObstacle::NotBuilt(format!("{error:#}"))));
            }
        };
        let head_checkout = folder.check_out(repository, "head", &head_commit)?;
        let candidate = prepare_side(builder, builder.recipe, &head_checkout, head_folder)
            .and_then(|place| make_subject(place, Some(&baseline)));
        let candidate = match candidate {
            Ok(candidate) => candidate,
            Err(error) if builder.interrupt.is_raised() => return Err(error),
            Err(error) => return Ok(PairAttempt::NoHead(format!("{error:#}"))),
        };
        let base = repository.read_commit(base).map_err(CommandError::from)?;
        Ok(PairAttempt::Ready(Box::new(Self {
            worktrees: vec![base_checkout.worktree, head_checkout.worktree],
            _folder: Some(folder),
            _scratch: scratch,
            ..Self::from_subjects([baseline, candidate], SampleSource::Command, [Some(base), head])
        })))
    }
}

/// Prepares `checkout` by `recipe`. Returns the folder of it that `folder` of the working tree
/// stands for, in which a command is to be started.
///
/// Fails if the commit does not have a folder in which a command runs, or if the preparation fails.
pub(super) fn prepare_side(
    builder: &PairBuilder<'_>,
    recipe: &SideRecipe,
    checkout: &SideCheckout,
    folder: &Path,
) -> Result<PathBuf> {
    let checkout = checkout.worktree.path();
    let start = find_place(builder, checkout, folder)?;
    if let Some(prepare) = recipe.prepare.as_deref() {
        let place = find_place(builder, checkout, &recipe.folder)?;
        let root = recipe.folder.canonicalize()?;
        run_prepare(Some(prepare), &root, &place, builder.interrupt)?;
    }
    Ok(start)
}

/// Returns the folder of `checkout` that `folder` of the working tree stands for. Fails if the
/// commit does not have it.
fn find_place(builder: &PairBuilder<'_>, checkout: &Path, folder: &Path) -> Result<PathBuf> {
    let root = builder.repository.folder().canonicalize()?;
    let folder = folder.canonicalize()?;
    let inside = folder
        .strip_prefix(&root)
        .with_context(|| format!("`{}` is not inside `{}`", folder.display(), root.display()))?;
    let place: PathBuf = checkout.join(inside).components().collect();
    if !place.is_dir() {
        anyhow::bail!("the commit does not have the folder `{}`", inside.display());
    }
    Ok(place)
}
