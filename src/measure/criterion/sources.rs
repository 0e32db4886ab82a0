//! Finds the files that each bench target was built from.
//!
//! The compiler writes them beside every program and library, as dep-info. Build scripts print the
//! files that they read. What is missing here makes the sources unknown, never fewer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use cargo_metadata::{Artifact, BuildScript, DependencyKind, Metadata, Package, PackageId, Target};

/// Beginning of a line of dep-info that names an environment variable.
const VARIABLE_MARK: &str = "# env-dep:";

/// Beginnings of the lines with which a build script names a file that it reads.
const FILE_MARKS: [&str; 2] = ["cargo:rerun-if-changed=", "cargo::rerun-if-changed="];

/// Beginnings of the lines with which a build script names an environment variable that it reads.
const SCRIPT_VARIABLE_MARKS: [&str; 2] =
    ["cargo:rerun-if-env-changed=", "cargo::rerun-if-env-changed="];

/// Extensions of the files that Cargo names as results of a compilation. A program has none.
const RESULT_EXTENSIONS: [&str; 8] = ["rlib", "rmeta", "so", "dylib", "dll", "exe", "a", "lib"];

/// Name of the folder that git keeps its own files in.
const GIT_FOLDER: &str = ".git";

/// What the bench targets of a workspace were built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BenchSources {
    /// Sources of each bench target, by package and name.
    pub(crate) targets: BTreeMap<(String, String), TargetSources>,
    /// Environment variables that the compiler or a build script has read, other than Cargo's own.
    pub(crate) variables: BTreeSet<String>,
}

/// What one bench target was built from. All paths are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TargetSources {
    /// Files that were read, also under the paths that symbolic links lead to, and folders of which
    /// every file may have been read.
    pub(crate) inputs: BTreeSet<PathBuf>,
    /// Folders with sources. A file that appears in one may become a source, because a macro may
    /// list the folder.
    pub(crate) folders: BTreeSet<PathBuf>,
}

/// What Cargo reports while it builds.
#[derive(Debug, Default)]
pub(super) struct BuildReport {
    /// The compiled targets.
    pub(super) artifacts: Vec<Artifact>,
    /// The build scripts that ran, now or in an earlier build.
    pub(super) scripts: Vec<BuildScript>,
}

/// Files and variables that a package was built from.
#[derive(Clone, Default)]
struct ReadInputs {
    inputs: BTreeSet<PathBuf>,
    variables: BTreeSet<String>,
}

impl BuildReport {
    /// Returns what each bench target was built from. Returns `None` if that is not known for every
    /// file, or if a build script reads git's own files, which differ between commits.
    pub(super) fn find_sources(&self, metadata: &Metadata) -> Option<BenchSources> {
        // Collect what each package was built from, apart from its benches. Then add up the packages
        // that a bench depends on, and those whose programs it might start.
        let packages: HashMap<&PackageId, &Package> =
            metadata.packages.iter().map(|package| (&package.id, package)).collect();
        let root = metadata.workspace_root.as_std_path();
        let mut shared: HashMap<&PackageId, ReadInputs> = HashMap::new();
        let mut benches = Vec::new();
        let mut started = BTreeSet::new();
        for artifact in &self.artifacts {
            let id = &artifact.package_id;
            let Some(package) = packages.get(id).filter(|package| package.source.is_none()) else {
                continue;
            };
            let read = ReadInputs::from_artifact(artifact, root)?;
            if artifact.target.is_bench() {
                benches.push((*package, &artifact.target, read));
                continue;
            }
            if is_loadable(&artifact.target) {
                started.insert(id);
            }
            shared.entry(id).or_default().extend(read);
        }
        for script in &self.scripts {
            let package = packages.get(&script.package_id)?;
            let read = ReadInputs::from_script(script, package)?;
            shared.entry(&script.package_id).or_default().extend(read);
        }
        let mut sources = BenchSources::default();
        for (package, target, own) in benches {
            let mut read = ReadInputs::default();
            read.extend(own);
            let mut local_folders = Vec::new();
            let first = std::iter::once(&package.id).chain(started.iter().copied());
            for id in first.flat_map(|id| list_dependencies(metadata, id)) {
                if let Some(found) = shared.get(id) {
                    read.extend(found.clone());
                }
                let package = packages.get(id)?;
                let folder = package.manifest_path.parent()?;
                if package.source.is_none() {
                    local_folders.push(folder);
                } else {
                    // It may be a copy inside the repository.
                    read.add_input(folder.as_std_path())?;
                }
            }
            let folders = list_source_folders(&read.inputs, &local_folders);
            sources.variables.extend(read.variables);
            sources.targets.insert(
                (package.name.to_string(), target.name.clone()),
                TargetSources { inputs: read.inputs, folders },
            );
        }
        Some(sources)
    }
}

/// Returns whether a bench might start or load what is built for `target`.
fn is_loadable(target: &Target) -> bool {
    target.is_bin() || target.is_cdylib() || target.is_dylib()
}

/// Returns the packages that `first` is built from: itself, and what it depends on.
fn list_dependencies<'a>(metadata: &'a Metadata, first: &'a PackageId) -> BTreeSet<&'a PackageId> {
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let nodes: HashMap<_, _> = nodes.map(|node| (&node.id, node)).collect();
    let mut found = BTreeSet::from([first]);
    let mut pending = vec![first];
    while let Some(id) = pending.pop() {
        for dependency in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
            // Only the package of the bench itself is built with what it needs for development.
            let kinds = &dependency.dep_kinds;
            let is_built =
                id == first || kinds.iter().any(|kind| kind.kind != DependencyKind::Development);
            if is_built && found.insert(&dependency.pkg) {
                pending.push(&dependency.pkg);
            }
        }
    }
    found
}

/// Returns the folders directly below the `packages` that contain one of the `inputs`, at any depth.
fn list_source_folders(
    inputs: &BTreeSet<PathBuf>,
    packages: &[&cargo_metadata::camino::Utf8Path],
) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for package in packages {
        for input in inputs.iter().filter_map(|input| input.strip_prefix(package).ok()) {
            let mut parts = input.components();
            if let (Some(first), Some(_)) = (parts.next(), parts.next()) {
                folders.insert(package.as_std_path().join(first));
            }
        }
    }
    folders
}

impl ReadInputs {
    /// Returns what was read to compile `artifact`, whose paths may be relative to `root`. Returns
    /// `None` if there is no dep-info, or if a file is gone.
    fn from_artifact(artifact: &Artifact, root: &Path) -> Option<Self> {
        let mut files = artifact.filenames.iter();
        let info = files.find_map(|file| find_dep_info(file.as_std_path(), &artifact.target))?;
        let (files, variables) = parse_dep_info(&fs::read_to_string(info).ok()?);
        let mut read = Self::default();
        for file in files {
            read.add_input(&root.join(file))?;
        }
        // Cargo sets its own variables for each package, from what its manifest has.
        let is_own = |name: &String| name.starts_with("CARGO_") || name == "OUT_DIR";
        read.variables.extend(variables.into_iter().filter(|name| !is_own(name)));
        Some(read)
    }

    /// Returns what the build script of `package` declares. A script that declares nothing may have
    /// read every file of its package, as Cargo assumes too.
    ///
    /// Returns `None` if its output is gone, or if it reads git's own files.
    fn from_script(script: &BuildScript, package: &Package) -> Option<Self> {
        let folder = package.manifest_path.parent()?.as_std_path();
        let output = fs::read(script.out_dir.parent()?.join("output")).ok()?;
        let output = String::from_utf8_lossy(&output);
        let mut read = Self::default();
        let mut is_declared = false;
        for line in output.lines() {
            let strip = |marks: [&str; 2]| marks.iter().find_map(|mark| line.strip_prefix(mark));
            if let Some(file) = strip(FILE_MARKS) {
                is_declared = true;
                let file = normalize_path(&folder.join(file.trim()));
                if file.components().any(|part| part.as_os_str() == GIT_FOLDER) {
                    return None;
                }
                // A script may name a file that does not exist, to be run when it appears.
                read.inputs.extend(file.canonicalize().ok());
                read.inputs.insert(file);
            } else if let Some(name) = strip(SCRIPT_VARIABLE_MARKS) {
                is_declared = true;
                read.variables.insert(name.trim().to_owned());
            }
        }
        if !is_declared {
            read.add_input(folder)?;
        }
        Some(read)
    }

    /// Adds a file or a folder, under its own path and under the one that links lead to. Returns
    /// `None` if it does not exist.
    fn add_input(&mut self, path: &Path) -> Option<()> {
        self.inputs.insert(path.canonicalize().ok()?);
        self.inputs.insert(normalize_path(path));
        Some(())
    }

    fn extend(&mut self, other: Self) {
        self.inputs.extend(other.inputs);
        self.variables.extend(other.variables);
    }
}

/// Returns `path` without `.` and `..`, whether it exists or not.
fn normalize_path(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// Returns the dep-info that belongs to `file`, a result of compiling `target`, or `None` if there
/// is none.
fn find_dep_info(file: &Path, target: &Target) -> Option<PathBuf> {
    let folder = file.parent()?;
    let beside = |name: &str| Some(folder.join(format!("{name}.d"))).filter(|info| info.is_file());
    let name = file.file_name()?.to_str()?;
    let stem = match name.rsplit_once('.') {
        Some((stem, extension)) if RESULT_EXTENSIONS.contains(&extension) => stem,
        _ => name,
    };
    if target.is_custom_build() {
        // The program of a build script has a fixed name, and its folder has the hash.
        let (_, hash) = folder.file_name()?.to_str()?.rsplit_once('-')?;
        return beside(&format!("{}-{hash}", target.name.replace('-', "_")));
    }
    let plain = stem.strip_prefix("lib").and_then(beside);
    plain.or_else(|| beside(stem)).or_else(|| find_dep_info_of_link(file, target))
}

/// Returns the dep-info of a program that Cargo has linked from the folder of its results into the
/// folder above.
fn find_dep_info_of_link(file: &Path, target: &Target) -> Option<PathBuf> {
    let results = file.parent()?.join("deps");
    let linked = fs::metadata(file).ok()?;
    let mut entries = fs::read_dir(results).ok()?.filter_map(Result::ok);
    let original = entries.find(|entry| {
        entry
            .metadata()
            .is_ok_and(|found| (found.dev(), found.ino()) == (linked.dev(), linked.ino()))
    })?;
    find_dep_info(&original.path(), target)
}

/// Returns the files and the environment variables that dep-info names.
fn parse_dep_info(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut files, mut variables) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(variable) = line.strip_prefix(VARIABLE_MARK) {
            variables.extend(variable.split('=').next().map(str::to_owned));
        } else if let Some((_, listed)) = line.split_once(": ")
            && !line.starts_with('#')
        {
            // A space in a name follows a backslash.
            let mut file = String::new();
            for word in listed.split_whitespace() {
                if let Some(begin) = word.strip_suffix('\\') {
                    file.push_str(begin);
                    file.push(' ');
                } else {
                    file.push_str(word);
                    files.insert(std::mem::take(&mut file));
                }
            }
        }
    }
    (files, variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dep_info_names_files_with_spaces_and_variables() {
        // rustc 1.95, a library that reads a file, a variable and what its build script wrote.
        let text = "/t/deps/dep.d: dep/src/lib.rs dep/src/../text\\ file.txt /t/out/g.txt\n\n\
                    /t/deps/libdep.rlib: dep/src/lib.rs dep/src/../text\\ file.txt /t/out/g.txt\n\n\
                    dep/src/lib.rs:\ndep/src/../text\\ file.txt:\n\n# env-dep:FOO\n# env-dep:BAR=a=b\n";
        let (files, variables) = parse_dep_info(text);
        let expected = ["/t/out/g.txt", "dep/src/../text file.txt", "dep/src/lib.rs"];
        assert_eq!(files.iter().collect::<Vec<_>>(), expected);
        assert_eq!(variables.iter().collect::<Vec<_>>(), ["BAR", "FOO"]);
    }

    #[test]
    fn a_path_is_compared_without_detours() {
        assert_eq!(normalize_path(Path::new("/a/./b/../c/x.rs")), Path::new("/a/c/x.rs"));
    }

    #[test]
    fn folders_with_sources_are_those_below_a_package_and_not_the_package_itself() {
        let inputs = ["/r/src/lib.rs", "/r/src/deep/a.rs", "/r/build.rs", "/r/sub/src/lib.rs"];
        let inputs = inputs.map(PathBuf::from).into();
        let folders = list_source_folders(&inputs, &["/r/sub".into()]);
        assert_eq!(folders, BTreeSet::from(["/r/sub/src".into()]));
        let folders = list_source_folders(&inputs, &["/r".into()]);
        assert_eq!(folders, BTreeSet::from(["/r/src".into(), "/r/sub".into()]));
    }
}
