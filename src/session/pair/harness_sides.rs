//! Both sides of a pair for a command that starts another harness: two checkouts, prepared by the
//! user's own command, in which it is started.

use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::folder::{PairFolder, SideCheckout};
use super::side::run_prepare;
use super::{Pair, PairAttempt, PairBuilder, SideObstacle};
use crate::git::CommitId;
use crate::measure::MeasureSubject;
use crate::measure::harness::HarnessCommand;
use crate::process::Interrupt;
use crate::run::SampleSource;
use crate::session::error::CommandError;

/// Folder whose untracked files a snapshot of the working tree leaves out.
const OUTPUT_FOLDER: &str = "target";

impl Pair {
    /// Checks out `base` and the working tree, and returns the command to be started in both. See
    /// [`Self::check_out`].
    ///
    /// # Errors
    ///
    /// Fails as [`Self::check_out`] does.
    pub(crate) fn check_out_for_harness(
        builder: &PairBuilder<'_>,
        base: &CommitId,
        command: &HarnessCommand,
    ) -> Result<PairAttempt> {
        let place_command = |place: &Path, _: Option<&MeasureSubject>| {
            Ok(MeasureSubject::Harness(command.in_folder(place.to_owned())))
        };
        Self::check_out(builder, base, &place_command, None)
    }

    /// Checks out `base` and the working tree outside of it, in folders with paths of equal length,
    /// and runs `measure.prepare` in each. `make_subject` gets the folder of a side that stands for
    /// the project, and the subject of the base once it is made. The pair keeps `scratch`.
    ///
    /// A side that cannot be prepared is not an error: the attempt names it.
    ///
    /// # Errors
    ///
    /// Fails if git or the folders fail, or if a signal interrupts the command.
    pub(super) fn check_out(
        builder: &PairBuilder<'_>,
        base: &CommitId,
        make_subject: &dyn Fn(&Path, Option<&MeasureSubject>) -> Result<MeasureSubject>,
        scratch: Option<TempDir>,
    ) -> Result<PairAttempt> {
        // Plan: remove what killed checks left, then check out and prepare each side.
        let repository = builder.repository;
        repository.remove_stale_worktrees().map_err(CommandError::from)?;
        builder.interrupt.guard_worktrees(repository.folder());
        let root = repository.folder().canonicalize()?;
        let project = builder.project.folder.canonicalize()?;
        let inside = project.strip_prefix(&root).with_context(|| {
            format!("`{}` is not inside `{}`", project.display(), root.display())
        })?;
        let head = builder.project.read_head()?;
        let head_commit = builder.commit_head(head.as_ref(), &project.join(OUTPUT_FOLDER))?;
        let folder = PairFolder::claim(repository, builder.interrupt)?;
        let prepare =
            |side: &SideCheckout, preparation: Option<&str>, other: Option<&MeasureSubject>| {
                let place = side.worktree.path().join(inside);
                prepare_side(preparation, &project, &place, builder.interrupt)
                    .and_then(|()| make_subject(&place, other))
            };
        let base_checkout = folder.check_out(repository, "base", base)?;
        let baseline = match prepare(&base_checkout, builder.base_prepare, None) {
            Ok(baseline) => baseline,
            Err(error) if builder.interrupt.is_raised() => return Err(error),
            Err(error) => {
                return Ok(PairAttempt::NoBase(SideObstacle::NotBuilt(format!("{error:#}"))));
            }
        };
        let head_checkout = folder.check_out(repository, "head", &head_commit)?;
        let candidate = match prepare(&head_checkout, builder.prepare, Some(&baseline)) {
            Ok(candidate) => candidate,
            Err(error) if builder.interrupt.is_raised() => return Err(error),
            Err(error) => return Ok(PairAttempt::NoHead(format!("{error:#}"))),
        };
        Ok(PairAttempt::Ready(Box::new(Self {
            baseline,
            candidate,
            source: SampleSource::Command,
            commits: [Some(repository.read_commit(base).map_err(CommandError::from)?), head],
            compilers: None,
            same_targets: Vec::new(),
            unaffected: None,
            drafts: [None, None],
            worktrees: vec![base_checkout.worktree, head_checkout.worktree],
            _folder: Some(folder),
            _scratch: scratch,
        })))
    }
}

/// Prepares `place`, the folder of a side in which the command runs. Fails if the commit does not
/// have it, or if the `preparation` fails.
fn prepare_side(
    preparation: Option<&str>,
    project: &Path,
    place: &Path,
    interrupt: &Interrupt,
) -> Result<()> {
    if !place.is_dir() {
        anyhow::bail!("the commit does not have the folder `{}`", project.display());
    }
    run_prepare(preparation, project, place, interrupt)
}
