//! Builds one side of a pair as the workspace in the user's working tree would be built.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use thiserror::Error;

use super::super::measurement::{
    build_subject, detect_workspace_rustc, explain_measure_error, to_workspace,
};
use super::super::prepare::run_prepare;
use super::super::recipe::SideRecipe;
use super::folder::SideCheckout;
use super::parents::LOCK_NAME;
use super::toolchain::ToolchainOverride;
use crate::cli::SelectionArgs;
use crate::measure::MeasureSubject;
use crate::measure::criterion::{BuiltBenches, CargoWorkspace, WorkspaceParts};
use crate::note::Note;
use crate::process::Interrupt;

/// The workspace in the user's working tree, which both sides stand for.
pub(super) struct OriginalWorkspace {
    workspace: CargoWorkspace,
    /// Its packages and features, and where it keeps its files.
    pub(super) parts: WorkspaceParts,
    /// Canonical path of the checkout.
    root: PathBuf,
    /// Path from the checkout to the folder of the manifest.
    inside: PathBuf,
    toolchain: Option<ToolchainOverride>,
}

/// A side that is built.
pub(super) struct BuiltSide {
    /// Its benches.
    pub(super) subject: MeasureSubject,
    /// Its packages and features.
    pub(super) parts: WorkspaceParts,
    /// Release of the compiler that built it; `None` if it is not known.
    pub(super) rustc: Option<String>,
}

/// The command line names what no side has, so that no side is at fault.
#[derive(Debug, Error)]
#[error(transparent)]
struct MistakenRequest(anyhow::Error);

/// Why a side cannot be built.
#[derive(Debug)]
pub(crate) enum SideObstacle {
    /// The commit has no manifest at this path in the repository.
    NoManifest(String),
    /// The commit does not define the Cargo profile of this name.
    NoProfile(String),
    /// The side cannot be prepared or built, because of this error.
    NotBuilt(String),
}

impl SideObstacle {
    /// Returns the cause for which the head cannot be built.
    pub(super) fn describe_for_head(self) -> String {
        match self {
            Self::NoManifest(path) => format!("git does not have `{path}`"),
            Self::NoProfile(profile) => format!("it has no profile `{profile}`"),
            Self::NotBuilt(cause) => cause,
        }
    }
}

/// How to build one side of a pair.
pub(super) struct SideBuilder<'a> {
    /// The workspace in the working tree.
    pub(super) original: &'a OriginalWorkspace,
    /// How the side is prepared.
    pub(super) recipe: &'a SideRecipe,
    /// Raised when a signal asks perfgate to end.
    pub(super) interrupt: &'a Interrupt,
}

impl OriginalWorkspace {
    /// Reads the workspace that `selection` names, in the checkout at `root`.
    ///
    /// # Errors
    ///
    /// Fails if there is no workspace, if Cargo rejects it, or if it is outside of the checkout.
    pub(super) fn read(selection: &SelectionArgs, root: &Path) -> Result<Self> {
        let mut workspace = to_workspace(selection);
        let parts = WorkspaceParts::read(&workspace)
            .map_err(|error| explain_measure_error(error.into()))?;
        workspace.folder = Path::new(".").join(&workspace.folder).canonicalize()?;
        let root = root.canonicalize()?;
        let inside = workspace.folder.strip_prefix(&root).with_context(|| {
            format!("`{}` is not inside `{}`", workspace.folder.display(), root.display())
        })?;
        let toolchain = ToolchainOverride::find(&workspace.folder);
        Ok(Self { inside: inside.to_owned(), workspace, parts, root, toolchain })
    }

    /// Returns the workspace with `has_line_tables` for its programs.
    pub(super) fn with_line_tables(mut self, has_line_tables: bool) -> Self {
        self.workspace.has_line_tables = has_line_tables;
        self
    }

    /// Returns the path of the manifest in the folder `inside` of a checkout.
    fn locate_manifest(&self, inside: &Path) -> PathBuf {
        inside.join(self.workspace.manifest.as_deref().unwrap_or(Path::new("Cargo.toml")))
    }

    /// Returns words that name the workspace within its checkout, and the toolchain that is set for
    /// it.
    pub(super) fn describe(&self) -> String {
        let inside = self.inside.display();
        format!("{inside} {:?} {:?}", self.workspace.manifest, self.toolchain)
    }

    /// Returns how to build the workspace in the checkout of a side.
    fn place_in(&self, side: &SideCheckout) -> CargoWorkspace {
        let worktree = side.worktree.path();
        let toolchain = self.toolchain.as_ref();
        CargoWorkspace {
            // Collecting the parts drops a slash at the end, which is not in programs.
            folder: worktree.join(&self.inside).components().collect(),
            target_folder: Some(side.build_folder.clone()),
            toolchain: toolchain.and_then(|set| set.apply_to(&self.root, worktree, &self.inside)),
            ..self.workspace.clone()
        }
    }
}

impl SideBuilder<'_> {
    /// Prepares and builds a side. Packages and features that it lacks and `other` has are left out
    /// with a note. The inner `Err` is what prevents the build.
    ///
    /// # Errors
    ///
    /// Fails if a signal interrupts the build, or if neither side has a requested package.
    pub(super) fn build(
        &self,
        side: &SideCheckout,
        other: &WorkspaceParts,
    ) -> Result<Result<BuiltSide, SideObstacle>> {
        let workspace = self.original.place_in(side);
        // Without a manifest of its own, Cargo would search for one in the parents.
        let has_manifest = |folder: &Path| self.original.locate_manifest(folder).is_file();
        let built = if workspace.folder.is_dir() {
            self.run_prepare_in(side.worktree.path()).and_then(|()| {
                has_manifest(&workspace.folder)
                    .then(|| self.build_workspace(&workspace, side, other))
                    .transpose()
            })
        } else {
            Ok(None)
        };
        match built {
            Ok(Some(built)) => Ok(Ok(built)),
            Ok(None) => {
                let manifest = self.original.locate_manifest(&self.original.inside);
                Ok(Err(SideObstacle::NoManifest(manifest.display().to_string())))
            }
            Err(error) if self.interrupt.is_raised() => Err(error),
            Err(error) if error.is::<MistakenRequest>() => {
                error.downcast::<MistakenRequest>().map(|mistake| Err(mistake.0))?
            }
            Err(error) => Ok(Err(match workspace.find_undefined_profile() {
                Some(profile) => SideObstacle::NoProfile(profile.to_owned()),
                None => SideObstacle::NotBuilt(describe_build_error(&error, side)),
            })),
        }
    }

    /// Prepares the checkout at `checkout`, in the folder of the configuration.
    fn run_prepare_in(&self, checkout: &Path) -> Result<()> {
        let folder = self.recipe.folder.canonicalize()?;
        let inside = folder.strip_prefix(&self.original.root).unwrap_or(&self.original.inside);
        let place: PathBuf = checkout.join(inside).components().collect();
        if self.recipe.prepare.is_some() && !place.is_dir() {
            anyhow::bail!("the commit does not have the folder `{}`", inside.display());
        }
        run_prepare(self.recipe.prepare.as_deref(), &folder, &place, self.interrupt)
    }

    fn build_workspace(
        &self,
        workspace: &CargoWorkspace,
        side: &SideCheckout,
        other: &WorkspaceParts,
    ) -> Result<BuiltSide> {
        let parts =
            WorkspaceParts::read(workspace).map_err(|error| explain_measure_error(error.into()))?;
        let mut notes = Vec::new();
        if share_lock(&self.original.parts.root, &parts.root)? {
            notes.push(Note::LockFromWorkingTree);
        }
        let rustc = detect_workspace_rustc(workspace);
        let (workspace, absent) = workspace.leave_out_absent(&parts, other);
        notes.extend(absent);
        if let Some(error) = workspace.as_ref().and_then(|asked| asked.find_unknown_package(&parts))
        {
            return Err(MistakenRequest(explain_measure_error(error.into())).into());
        }
        let mut subject = match workspace {
            Some(workspace) => build_subject(&workspace, self.interrupt)?,
            None => MeasureSubject::Criterion(BuiltBenches::default()),
        };
        if let MeasureSubject::Criterion(built) = &mut subject {
            built.folders.push(side.folder.clone());
            built.notes.extend(notes);
        }
        Ok(BuiltSide { subject, parts, rustc })
    }
}

/// Copies the lock file of the working tree's workspace to a side that has none, so that both sides
/// resolve the same versions. Returns whether it was copied.
///
/// # Errors
///
/// Fails if the file cannot be copied.
fn share_lock(original: &Path, side: &Path) -> Result<bool> {
    let (from, to) = (original.join(LOCK_NAME), side.join(LOCK_NAME));
    if to.exists() || !from.is_file() {
        return Ok(false);
    }
    fs::copy(&from, &to).with_context(|| format!("failed to copy `{}`", from.display()))?;
    Ok(true)
}

/// Returns `error` with its causes, and the submodules of the side that are not checked out.
fn describe_build_error(error: &anyhow::Error, side: &SideCheckout) -> String {
    let empty = side.worktree.list_empty_submodules().unwrap_or_default();
    if empty.is_empty() {
        return format!("{error:#}");
    }
    format!("its submodules are empty (`{}`): {error:#}", empty.join("`, `"))
}
