//! Records of builds: which files each bench target of a commit was built from, and which benchmarks
//! it has. They lie beside the builds of a checkout.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::PairBuilder;
use super::folder::{PairFolder, SideCheckout, find_cargo_home};
use super::parents::LOCK_NAME;
use super::side::{BuiltSide, OriginalWorkspace};
use crate::files;
use crate::git::CommitId;
use crate::measure::criterion::TargetSources;
use crate::measure::{LaunchPlan, MeasureSubject};
use crate::note::Note;
use crate::secrets::list_secret_variables;
use crate::selection::Selection;

/// Largest number of records that are kept for a checkout.
const MAX_RECORDS: usize = 100;

/// Beginnings of the names of variables that Cargo, rustup and the compiler read.
const BUILD_VARIABLES: [&str; 2] = ["CARGO", "RUST"];

/// Files with settings of Cargo and rustup, which are read in every folder above a build.
const SETTINGS_FILES: [&str; 4] =
    [".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain"];

/// Files with settings in Cargo's home folder.
const HOME_FILES: [&str; 2] = ["config.toml", "config"];

/// How benches are built, apart from the commit, and where the records of such builds are.
pub(super) struct BuildSetting {
    /// Hash of everything that decides which files a build reads.
    hash: String,
    /// Folder of the records; `None` if this process does not use the fixed paths of the checkout.
    folder: Option<PathBuf>,
}

/// A build of one commit, with its benchmarks.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BuildRecord {
    /// Hash of the setting of the build.
    setting: String,
    /// Patterns that selected the benchmarks; empty if all are recorded.
    patterns: Vec<String>,
    /// Environment variables that the build has read.
    variables: BTreeSet<String>,
    /// Hash of the environment of the build.
    environment: String,
    /// The targets of which a bench may consist, as words.
    pub(super) layout: BTreeSet<String>,
    /// The bench targets that were built.
    pub(super) benches: Vec<RecordedBench>,
    /// Notes on the bench targets.
    pub(super) notes: Vec<Note>,
}

/// A bench target of a recorded build. Paths are relative to the root of the repository, and what is
/// outside of it is left out.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedBench {
    /// The package that the bench belongs to.
    pub(super) package: String,
    /// Name of the bench target.
    pub(super) name: String,
    /// Files that the build has read, and folders of which it may have read every file.
    pub(super) inputs: BTreeSet<PathBuf>,
    /// Folders in which a file that appears or disappears may change the program.
    pub(super) folders: BTreeSet<PathBuf>,
    /// Ids of the benchmarks.
    pub(super) benchmarks: Vec<String>,
}

/// A record of a build whose benchmarks are not known yet.
pub(super) struct RecordDraft {
    path: PathBuf,
    build: BuildRecord,
}

impl BuildSetting {
    /// Reads how `builder` builds the `original` workspace in `folder`.
    pub(super) fn read(
        builder: &PairBuilder<'_>,
        original: &OriginalWorkspace,
        folder: &PairFolder,
    ) -> Self {
        let mut hash = Sha256::new();
        let selection = builder.selection;
        // The patterns of a selection do not change what is built.
        let built = format!(
            "{} {:?} {:?} {} {:?} {:?} {:?} {:?} {:?}",
            env!("CARGO_PKG_VERSION"),
            original.describe(),
            selection.package,
            selection.workspace,
            selection.features,
            selection.profile,
            builder.recipe.prepare,
            builder.base_recipe.prepare,
            builder.host.fingerprint,
        );
        hash.update(built);
        let lock = original.parts.root.join(LOCK_NAME);
        let above = [builder.repository.folder(), folder.path()].into_iter();
        let above = above.flat_map(|folder| folder.ancestors().skip(1));
        let above = above.flat_map(|folder| SETTINGS_FILES.map(|name| folder.join(name)));
        let home = find_cargo_home().into_iter();
        let home = home.flat_map(|folder| HOME_FILES.map(|name| folder.join(name)));
        for file in std::iter::once(lock).chain(above).chain(home) {
            // A file that cannot be read is not there for Cargo either.
            if let Ok(content) = files::read_plain_file(&file) {
                hash.update(file.as_os_str().as_bytes());
                hash.update(Sha256::digest(content));
            }
        }
        Self { hash: hex::encode(hash.finalize()), folder: folder.locate_records() }
    }

    fn locate_record(&self, commit: &CommitId) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{}.json", commit.as_str())))
    }

    /// Returns the record of `commit`, if it was built with this setting in this environment and has
    /// all benchmarks of `selection`.
    pub(super) fn find_record(
        &self,
        commit: &CommitId,
        selection: &Selection,
    ) -> Option<BuildRecord> {
        let json = files::read_plain_file(&self.locate_record(commit)?).ok()?;
        let record: BuildRecord = serde_json::from_slice(&json).ok()?;
        let has_selected =
            record.patterns.is_empty() || record.patterns == selection.list_patterns();
        let is_alike = record.setting == self.hash
            && record.environment == hash_environment(&record.variables);
        (has_selected && is_alike).then_some(record)
    }

    /// Returns a record of the build of `commit` in `checkout`. Returns `None` if it is not certain
    /// what was built from which files.
    pub(super) fn draft_record(
        &self,
        commit: &CommitId,
        checkout: &SideCheckout,
        side: &BuiltSide,
    ) -> Option<RecordDraft> {
        let path = self.locate_record(commit)?;
        let MeasureSubject::Criterion(built) = &side.subject else { return None };
        // Without a part that was asked for, this is another build than the setting describes.
        let is_partial =
            |note: &Note| matches!(note, Note::PackageAbsent { .. } | Note::FeatureAbsent { .. });
        let sources = built.sources.as_ref()?;
        if built.notes.iter().any(is_partial) {
            return None;
        }
        let root = checkout.worktree.path();
        let mut benches = Vec::new();
        for target in &built.targets {
            let key = (target.package.clone(), target.name.clone());
            let TargetSources { inputs, folders } = sources.targets.get(&key)?;
            let inside = |paths: &BTreeSet<PathBuf>| -> BTreeSet<PathBuf> {
                paths.iter().filter_map(|path| Some(path.strip_prefix(root).ok()?.into())).collect()
            };
            benches.push(RecordedBench {
                package: target.package.clone(),
                name: target.name.clone(),
                inputs: inside(inputs),
                folders: inside(folders),
                benchmarks: Vec::new(),
            });
        }
        let build = BuildRecord {
            setting: self.hash.clone(),
            patterns: Vec::new(),
            environment: hash_environment(&sources.variables),
            variables: sources.variables.clone(),
            layout: side.parts.targets.clone(),
            benches,
            notes: built.notes.clone(),
        };
        Some(RecordDraft { path, build })
    }
}

impl RecordDraft {
    /// Writes the record with the benchmarks of `plan`, which `selection` selects. Does nothing if a
    /// benchmark failed: it might not fail again.
    ///
    /// A record only saves time, so that it does not matter if it cannot be written.
    pub(super) fn complete(&self, selection: &Selection, plan: &LaunchPlan) {
        let Some(planned) = plan.planned.as_ref().filter(|_| plan.failed.is_empty()) else {
            return;
        };
        let mut record = self.build.clone();
        record.patterns = selection.list_patterns();
        record.notes.clone_from(&plan.notes);
        for bench in &mut record.benches {
            let own = planned.iter().filter(|planned| {
                planned.id.package.as_ref() == Some(&bench.package)
                    && planned.target.as_ref() == Some(&bench.name)
            });
            bench.benchmarks = own.map(|planned| planned.id.name.clone()).collect();
        }
        let Some(folder) = self.path.parent() else { return };
        if let Ok(json) = serde_json::to_vec(&record)
            && fs::create_dir_all(folder).is_ok()
        {
            remove_old_records(folder);
            let _ = files::write_atomically(&self.path, &json);
        }
    }
}

/// Removes the oldest records in `folder` until there is room for one more.
fn remove_old_records(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut records: Vec<_> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    records.sort();
    for (_, path) in records.iter().rev().skip(MAX_RECORDS - 1) {
        let _ = fs::remove_file(path);
    }
}

/// Returns the hash of the variables of this process that Cargo and the compiler read, and of those
/// that are named.
fn hash_environment(named: &BTreeSet<String>) -> String {
    let hidden: BTreeSet<OsString> = list_secret_variables().collect();
    let mut variables: Vec<(OsString, OsString)> = env::vars_os()
        .filter(|(name, _)| {
            let text = name.to_string_lossy();
            let is_read = BUILD_VARIABLES.iter().any(|begin| text.starts_with(begin))
                || named.contains(text.as_ref());
            is_read && !hidden.contains(name)
        })
        .collect();
    variables.sort();
    let mut hash = Sha256::new();
    for (name, value) in variables {
        for part in [name, value] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
    }
    hex::encode(hash.finalize())
}
