//! Finds the library of ONNX Runtime. It is the user's: perfgate has none of its own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::secrets::hide_secrets;

/// The environment variable that names the library or its folder.
const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";
/// Folders below the current one in which the library may be.
const RUNTIME_FOLDERS: [&str; 2] = [".runtime/onnxruntime", ".runtime"];
/// Prints the folder of the Python package, if it is installed. It is found, not imported.
const FIND_PACKAGE: &str = "import importlib.util as u; s = u.find_spec('onnxruntime'); \
                            print(s.submodule_search_locations[0] if s else '')";

/// The library of ONNX Runtime, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuntimeLibrary {
    /// Absolute path of the library.
    pub(crate) path: PathBuf,
    /// Whether it belongs to a Python package.
    pub(crate) is_from_python: bool,
}

/// Finds the library of ONNX Runtime.
///
/// If `ORT_DYLIB_PATH` is set and not empty, it names the file or its folder, and no other place counts. Otherwise
/// the library is next to this program, in `.runtime`, or in the Python package `onnxruntime` of the
/// `python3` that is found first.
///
/// # Errors
///
/// Returns the places without a library if it is in none of them.
pub(crate) fn find_runtime() -> Result<RuntimeLibrary, Vec<PathBuf>> {
    let found = |path: &Path, is_from_python| RuntimeLibrary {
        path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        is_from_python,
    };
    let set = env::var_os(LIBRARY_VARIABLE).filter(|set| !set.is_empty());
    if let Some(set) = set.map(PathBuf::from) {
        let library = if set.is_file() { Some(set.clone()) } else { find_library_in(&set) };
        return library.map(|path| found(&path, false)).ok_or_else(|| vec![set]);
    }
    let program_folder =
        env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    let folders = program_folder.into_iter().chain(RUNTIME_FOLDERS.map(PathBuf::from));
    let mut looked_in: Vec<PathBuf> = folders.collect();
    if let Some(path) = looked_in.iter().find_map(|folder| find_library_in(folder)) {
        return Ok(found(&path, false));
    }
    let package = find_python_package();
    if let Some(path) = package.as_deref().and_then(find_library_in) {
        return Ok(found(&path, true));
    }
    looked_in.extend(package);
    Err(looked_in)
}

/// Returns the library in `folder`: the file without a version, else the first one with a version.
fn find_library_in(folder: &Path) -> Option<PathBuf> {
    let exact =
        folder.join(format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX));
    if exact.is_file() {
        return Some(exact);
    }
    let files = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut versions: Vec<PathBuf> = files
        .filter(|path| path.file_name().is_some_and(|name| is_versioned(&name.to_string_lossy())))
        .collect();
    versions.sort();
    versions.into_iter().next()
}

/// Returns whether a file is a library with a version in its name: `libonnxruntime.so.1.28.0`,
/// `libonnxruntime.1.28.0.dylib`.
fn is_versioned(name: &str) -> bool {
    let stem = format!("{}onnxruntime.", env::consts::DLL_PREFIX);
    let Some(rest) = name.strip_prefix(&stem) else { return false };
    let suffix = env::consts::DLL_SUFFIX.trim_start_matches('.');
    let version = rest
        .strip_prefix(&format!("{suffix}."))
        .or_else(|| rest.strip_suffix(&format!(".{suffix}")))
        .unwrap_or_default();
    version.starts_with(|c: char| c.is_ascii_digit())
}

/// Returns the folder with the library in the installed Python package, if there is one.
fn find_python_package() -> Option<PathBuf> {
    let mut command = Command::new("python3");
    hide_secrets(&mut command);
    let output = command.args(["-c", FIND_PACKAGE]).output().ok()?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !folder.is_empty()).then(|| Path::new(&folder).join("capi"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_with_a_version_is_found_and_one_of_a_provider_is_not() {
        let name = |rest: &str| format!("{}onnxruntime{rest}", env::consts::DLL_PREFIX);
        let suffix = env::consts::DLL_SUFFIX;
        assert!(is_versioned(&name(&format!("{suffix}.1.28.0"))));
        assert!(is_versioned(&name(&format!(".1.28.0{suffix}"))));
        assert!(!is_versioned(&name(&format!("_providers_shared{suffix}"))));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find_library_in(folder.path()), None);
        let versioned = folder.path().join(name(&format!("{suffix}.1.28.0")));
        fs::write(&versioned, "").unwrap();
        assert_eq!(find_library_in(folder.path()), Some(versioned));
    }
}
