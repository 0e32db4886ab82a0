//! Both sides of a pair of models: two files, or one file of two checkouts.
//!
//! The baseline runs once before the rounds and leaves its outputs in a folder. Each launch of the
//! candidate compares its own with them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::super::error::CommandError;
use super::super::model::{ModelSettings, compare_with_model};
use super::{Pair, PairAttempt, PairBuilder};
use crate::git::CommitId;
use crate::measure::onnx::ModelCommand;
use crate::measure::{Effort, MeasureSubject};
use crate::process::Interrupt;
use crate::run::{MeasuredCommit, SampleSource};

impl Pair {
    /// Returns a pair of two models. `head` is the checked-out commit, which the candidate belongs to.
    ///
    /// # Errors
    ///
    /// Fails if the baseline cannot be run.
    pub(crate) fn from_models(
        baseline: ModelCommand,
        candidate: ModelCommand,
        head: Option<MeasuredCommit>,
        effort: &Effort,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let scratch = interrupt.create_temporary_folder()?;
        let candidate =
            compare_with_model(&baseline, candidate, scratch.path(), effort, interrupt)?;
        let subjects = [baseline, candidate].map(|model| MeasureSubject::Model(Box::new(model)));
        let pair = Self::from_subjects(subjects, SampleSource::Command, [None, head]);
        Ok(Self { _scratch: Some(scratch), ..pair })
    }

    /// Checks out `base` and the working tree, and returns the model at `model` of both. See
    /// [`Self::check_out`].
    ///
    /// # Errors
    ///
    /// Fails as [`Self::check_out`] does, or if `model` is not in the repository.
    pub(crate) fn check_out_models(
        builder: &PairBuilder<'_>,
        base: &CommitId,
        model: &Path,
        settings: &ModelSettings,
        effort: &Effort,
    ) -> Result<PairAttempt> {
        let project = builder.project.folder.canonicalize()?;
        let scratch = builder.interrupt.create_temporary_folder()?;
        let inside = locate_in_project(model, &project)?;
        let outputs = scratch.path().to_owned();
        let make_subject = |place: PathBuf, base: Option<&MeasureSubject>| {
            let path = place.join(&inside);
            if !path.is_file() {
                anyhow::bail!("the commit does not have the model `{}`", model.display());
            }
            let opened = settings.open_model(&path, effort, builder.interrupt)?;
            Ok(MeasureSubject::Model(Box::new(match base {
                Some(MeasureSubject::Model(baseline)) => {
                    compare_with_model(baseline, opened, &outputs, effort, builder.interrupt)?
                }
                _ => opened,
            })))
        };
        let folders = [&*builder.project.folder; 2];
        Self::check_out(builder, base, folders, &make_subject, Some(scratch))
    }
}

/// Returns the path of `model` from the folder of the project.
///
/// Fails if it is not inside of it.
fn locate_in_project(model: &Path, project: &Path) -> Result<PathBuf> {
    let parent = match model.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // The model itself may be a link; what counts is where the repository has it.
    let folder = parent
        .canonicalize()
        .with_context(|| format!("failed to find the folder of `{}`", model.display()))?;
    let name = model.file_name().unwrap_or_default();
    let inside = folder.strip_prefix(project).map_err(|_| {
        let message = format!("`{}` is not inside `{}`", model.display(), project.display());
        CommandError::new_usage(message).with_help("compare two files with --baseline-model")
    })?;
    Ok(inside.join(name))
}
