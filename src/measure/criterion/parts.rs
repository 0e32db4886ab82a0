//! The parts of a workspace that a command line can ask for: packages and features. Of two commits,
//! one may lack a part that the other has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cargo_metadata::camino::Utf8Path;
use cargo_metadata::{Package, Target};

use super::build::{BuildError, CargoWorkspace, PackageChoice};
use crate::measure::survey;
use crate::note::Note;

/// The packages and features of a workspace, and where it keeps its files.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkspaceParts {
    /// Root folder of the workspace, which has its `Cargo.lock`.
    pub(crate) root: PathBuf,
    /// Folder that Cargo builds in unless it is given another one.
    pub(crate) target_folder: PathBuf,
    packages: BTreeMap<String, PackageParts>,
    /// Names of the packages that Cargo builds if none is named.
    default_packages: BTreeSet<String>,
    /// The targets of which a bench may consist, as words. Cargo finds some of them by the names of
    /// files, without a manifest that names them.
    pub(crate) targets: BTreeSet<String>,
}

/// What a package has.
#[derive(Clone, Debug, Default)]
struct PackageParts {
    features: BTreeSet<String>,
    /// Names under which the package uses its dependencies.
    dependencies: BTreeSet<String>,
}

impl WorkspaceParts {
    /// Reads the parts of `workspace`, without its dependencies and without writing a lock file.
    ///
    /// # Errors
    ///
    /// Fails if Cargo cannot be started, or if there is no workspace that it accepts.
    pub(crate) fn read(workspace: &CargoWorkspace) -> Result<Self, BuildError> {
        let mut command = workspace.build_metadata_command();
        let metadata = survey::read_metadata(command.no_deps())?;
        let packages = metadata.workspace_packages();
        let parts = packages.iter().map(|package| (package.name.to_string(), list_parts(package)));
        let default_packages = survey::list_default_packages(&metadata).into_iter();
        let targets = packages.iter().flat_map(|package| {
            let targets = package.targets.iter();
            let built = targets.filter(|target| !target.is_test() && !target.is_example());
            built.map(|target| describe_target(package, target, &metadata.workspace_root))
        });
        Ok(Self {
            targets: targets.collect(),
            packages: parts.collect(),
            default_packages: default_packages.map(|package| package.name.to_string()).collect(),
            root: metadata.workspace_root.into_std_path_buf(),
            target_folder: metadata.target_directory.into_std_path_buf(),
        })
    }

    /// Returns whether Cargo finds `feature` when it builds the packages of `choice`.
    fn has_feature(&self, feature: &str, choice: &PackageChoice) -> bool {
        let is_built = |name: &String| match choice {
            PackageChoice::Default => self.default_packages.contains(name),
            PackageChoice::Workspace => true,
            PackageChoice::Named(names) => names.contains(name),
        };
        let built = self.packages.iter().filter(|(name, _)| is_built(name));
        let mut built = built.map(|(_, parts)| parts);
        let Some((owner, name)) = feature.split_once('/') else {
            return feature == "default" || built.any(|parts| parts.features.contains(feature));
        };
        match self.packages.get(owner) {
            Some(parts) => name == "default" || parts.features.contains(name),
            None => built.any(|parts| parts.dependencies.contains(owner.trim_end_matches('?'))),
        }
    }
}

/// Returns words that are the same for equal targets of two checkouts of a workspace, whose roots
/// differ.
fn describe_target(package: &Package, target: &Target, root: &Utf8Path) -> String {
    let source = target.src_path.strip_prefix(root).unwrap_or(&target.src_path);
    let Target { name, kind, required_features, .. } = target;
    format!("{} {kind:?} {name} {source} {required_features:?}", package.name)
}

fn list_parts(package: &Package) -> PackageParts {
    let dependencies = package.dependencies.iter();
    PackageParts {
        features: package.features.keys().cloned().collect(),
        dependencies: dependencies
            .map(|dependency| dependency.rename.clone().unwrap_or_else(|| dependency.name.clone()))
            .collect(),
    }
}

impl CargoWorkspace {
    /// Returns the error that Cargo would report for a requested package that the workspace with
    /// these `parts` does not have. Returns `None` if it has all.
    pub(crate) fn find_unknown_package(&self, parts: &WorkspaceParts) -> Option<BuildError> {
        let PackageChoice::Named(names) = &self.packages else { return None };
        let package = names.iter().find(|name| !parts.packages.contains_key(*name))?.clone();
        Some(BuildError::new_unknown_package(package, parts.packages.keys()))
    }

    /// Returns this workspace without the requested packages and features that it lacks and `other`
    /// has, with a note for each. `own` are the parts of this workspace. What both lack stays, so
    /// that the build reports it.
    ///
    /// Returns `None` in place of the workspace if it has none of the requested packages.
    pub(crate) fn leave_out_absent(
        &self,
        own: &WorkspaceParts,
        other: &WorkspaceParts,
    ) -> (Option<Self>, Vec<Note>) {
        let mut notes = Vec::new();
        let mut packages = self.packages.clone();
        if let PackageChoice::Named(names) = &mut packages {
            names.retain(|package| {
                let is_absent =
                    !own.packages.contains_key(package) && other.packages.contains_key(package);
                if is_absent {
                    notes.push(Note::PackageAbsent { package: package.clone() });
                }
                !is_absent
            });
        }
        let mut features: Vec<String> = self
            .features
            .iter()
            .flat_map(|words| words.split([',', ' ']))
            .filter(|feature| !feature.is_empty())
            .map(str::to_owned)
            .collect();
        features.retain(|feature| {
            let is_absent =
                !own.has_feature(feature, &packages) && other.has_feature(feature, &self.packages);
            if is_absent {
                notes.push(Note::FeatureAbsent { feature: feature.clone() });
            }
            !is_absent
        });
        let is_left = packages != PackageChoice::Named(Vec::new());
        (is_left.then(|| Self { packages, features, ..self.clone() }), notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(packages: &[(&str, &[&str], &[&str])]) -> WorkspaceParts {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let packages = packages.iter().map(|(name, features, dependencies)| {
            let parts =
                PackageParts { features: names(features), dependencies: names(dependencies) };
            ((*name).to_owned(), parts)
        });
        let packages: BTreeMap<_, _> = packages.collect();
        let default_packages = packages.keys().cloned().collect();
        WorkspaceParts { packages, default_packages, ..WorkspaceParts::default() }
    }

    #[track_caller]
    fn assert_left(packages: &[&str], features: &[&str], left: Option<(&str, &str)>, notes: usize) {
        let base = parts(&[("demo", &["slow"], &["serde"])]);
        let head = parts(&[("demo", &["slow", "fast"], &["serde", "log"]), ("extra", &[], &[])]);
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let workspace = CargoWorkspace {
            packages: match packages {
                [] => PackageChoice::Default,
                named => PackageChoice::Named(owned(named)),
            },
            features: owned(features),
            ..CargoWorkspace::default()
        };
        let (kept, found) = workspace.leave_out_absent(&base, &head);
        let kept = kept.map(|kept| match kept.packages {
            PackageChoice::Named(names) => (names.join(" "), kept.features.join(" ")),
            _ => (String::new(), kept.features.join(" ")),
        });
        assert_eq!(kept, left.map(|(packages, features)| (packages.into(), features.into())));
        assert_eq!(found.len(), notes, "{found:?}");
        let (kept, found) = workspace.leave_out_absent(&head, &base);
        assert!(kept.is_some() && found.is_empty(), "the head has all of it: {found:?}");
    }

    #[test]
    fn what_only_the_other_side_has_is_left_out() {
        assert_left(&[], &[], Some(("", "")), 0);
        assert_left(&["demo", "extra"], &[], Some(("demo", "")), 1);
        assert_left(&["extra"], &[], None, 1);
        assert_left(&[], &["fast,slow", "default"], Some(("", "slow default")), 1);
        assert_left(&["demo"], &["fast slow", "serde/std"], Some(("demo", "slow serde/std")), 1);
        assert_left(
            &[],
            &["demo/fast", "demo/slow", "log/std", "extra/default"],
            Some(("", "demo/slow")),
            3,
        );
    }

    #[test]
    fn what_both_sides_lack_stays_so_that_cargo_rejects_it() {
        assert_left(&["typo"], &["typo", "typo/x"], Some(("typo", "typo typo/x")), 0);
    }
}
