//! Finds the bench targets whose own source differs between two commits.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::project::Project;
use crate::git::{CommitId, Repository};
use crate::measure::bench_sources::list_bench_files;
use crate::measure::survey::survey_workspace;
use crate::run::MeasuredCommit;
use crate::verdict::EditedBenches;

/// Returns the files of each bench target that differ between `base` and `head`, by package and
/// target, as paths relative to the root of the repository. Uncommitted changes count if `head` is
/// dirty.
///
/// Returns none if git or Cargo cannot tell. The answer explains a decision and is no part of it, so
/// that it never fails a check.
pub(crate) fn find_edited_benches(
    project: &Project,
    manifest: Option<&Path>,
    base: &CommitId,
    head: &MeasuredCommit,
) -> EditedBenches {
    find_edits(project, manifest, base, head).unwrap_or_default()
}

fn find_edits(
    project: &Project,
    manifest: Option<&Path>,
    base: &CommitId,
    head: &MeasuredCommit,
) -> Option<EditedBenches> {
    // Plan: list what changed, then keep what belongs to the source of a bench.
    let repository = project.repository.as_ref()?;
    let changed: HashSet<PathBuf> =
        list_changed_paths(repository, base, head)?.into_iter().collect();
    if !changed.iter().any(|path| path.extension().is_some_and(|extension| extension == "rs")) {
        return None;
    }
    let root = repository.folder().canonicalize().ok()?;
    let survey = survey_workspace(manifest).ok()?;
    let edits = survey.benches.into_iter().filter_map(|bench| {
        let source = bench.source.canonicalize().ok()?;
        let files: Vec<String> = list_bench_files(&source)
            .iter()
            .filter_map(|file| file.strip_prefix(&root).ok())
            .filter(|file| changed.contains(*file))
            .map(|file| file.display().to_string())
            .collect();
        (!files.is_empty()).then_some(((bench.package, bench.name), files))
    });
    Some(edits.collect())
}

fn list_changed_paths(
    repository: &Repository,
    base: &CommitId,
    head: &MeasuredCommit,
) -> Option<Vec<PathBuf>> {
    if head.dirty {
        return repository.list_changes_since(base).ok();
    }
    repository.list_changed_files(base, &CommitId::parse(&head.id)?).ok()
}
