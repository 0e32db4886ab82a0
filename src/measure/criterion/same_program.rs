//! Finds bench targets that two commits build to the same program.
//!
//! Each side is built in its own folder, and some programs contain the path of that folder. The
//! paths of both folders have the same length, so such programs are equal in all other bytes.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::runner::BenchRunner;
use super::{BenchTarget, BuiltBenches};

/// Parts of the header before the build id in a Linux program. The header holds the length of the
/// name, the length of the id, a type and a name. The length of the id, which varies, is between
/// these two parts.
const BUILD_ID_MARKS: ([u8; 4], [u8; 8]) = ([4, 0, 0, 0], [3, 0, 0, 0, b'G', b'N', b'U', 0]);
/// Length in bytes of the header before the build id.
const BUILD_ID_HEADER_BYTES: usize = 16;
/// Longest build id in bytes that is searched for.
const MAX_BUILD_ID_BYTES: usize = 64;

/// Returns the bench targets (package and name) of `candidate` that need not be launched, because
/// they are the same in `baseline`.
///
/// A target is the same if its program, its runner, its environment from Cargo and all programs and
/// libraries of the workspace that it might start or load are the same.
///
/// # Errors
///
/// Fails if a program or library cannot be read.
pub(crate) fn find_same_targets(
    baseline: &BuiltBenches,
    candidate: &BuiltBenches,
) -> io::Result<Vec<(String, String)>> {
    let folders = PairedFolders::from_pair(baseline, candidate);
    if baseline.companions.len() != candidate.companions.len() {
        return Ok(Vec::new());
    }
    for (old, new) in baseline.companions.iter().zip(&candidate.companions) {
        if !folders.are_same_files(old, new)? {
            return Ok(Vec::new());
        }
    }
    // Compare each target with the one of the same name. A target that only one side has is not the
    // same program.
    let mut same = Vec::new();
    for target in &candidate.targets {
        let mut old_targets = baseline.targets.iter();
        if let Some(counterpart) =
            old_targets.find(|old| old.package == target.package && old.name == target.name)
            && folders.are_same_targets(counterpart, target)?
        {
            same.push((target.package.clone(), target.name.clone()));
        }
    }
    Ok(same)
}

/// Returns a hash of everything that a launch of a bench target depends on: its program, its runner,
/// its environment from Cargo, and all programs and libraries of the workspace. Builds of two commits
/// in the same folder with equal hashes are the same program.
///
/// # Errors
///
/// Fails if a program or library cannot be read.
pub(crate) fn hash_bench_program(built: &BuiltBenches, target: &BenchTarget) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    for path in [&target.executable].into_iter().chain(&built.companions) {
        add(&fs::read(path)?);
    }
    let mut variables: Vec<_> = target.environment.variables.iter().collect();
    variables.sort();
    for (name, value) in variables {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    add(target.environment.folder.as_os_str().as_bytes());
    for word in target.runner.iter().flat_map(BenchRunner::words) {
        add(word.as_bytes());
    }
    Ok(hex::encode(hash.finalize()))
}

/// Pairs of folders: a path of the first side, and the path that replaces it on the other side.
struct PairedFolders<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> PairedFolders<'a> {
    fn from_pair(baseline: &'a BuiltBenches, candidate: &'a BuiltBenches) -> Self {
        let pairs = baseline
            .folders
            .iter()
            .zip(&candidate.folders)
            .map(|(one, other)| (one.as_os_str().as_bytes(), other.as_os_str().as_bytes()));
        Self(pairs.collect())
    }

    fn are_same_targets(&self, one: &BenchTarget, other: &BenchTarget) -> io::Result<bool> {
        let [mine, theirs] = [one, other].map(|target| {
            let mut variables: Vec<(OsString, OsString)> = target.environment.variables.clone();
            variables.push(("".into(), target.environment.folder.clone().into()));
            let runner = target.runner.iter().flat_map(BenchRunner::words);
            variables.extend(runner.enumerate().map(|(place, word)| {
                // No variable has a name with a zero byte.
                (format!("\0runner {place}").into(), word.clone())
            }));
            variables.sort();
            variables
        });
        let is_same_environment = mine.len() == theirs.len()
            && mine.iter().zip(&theirs).all(|(one, other)| {
                one.0 == other.0 && self.are_same_bytes(one.1.as_bytes(), other.1.as_bytes())
            });
        Ok(is_same_environment && self.are_same_files(&one.executable, &other.executable)?)
    }

    fn are_same_files(&self, one: &Path, other: &Path) -> io::Result<bool> {
        Ok(self.are_same_bytes(&fs::read(one)?, &fs::read(other)?))
    }

    /// True if both files are equal except for the paths of the folders and the build id. The build
    /// id is computed from everything else.
    fn are_same_bytes(&self, one: &[u8], other: &[u8]) -> bool {
        if one.len() != other.len() {
            return false;
        }
        let mut at = 0;
        while let Some(here) = find_first_difference(one, other, at) {
            let end = self
                .find_end_of_folder(one, other, here)
                .or_else(|| find_end_of_build_id(one, other, here));
            let Some(end) = end else { return false };
            at = end;
        }
        true
    }

    /// Returns the end of the folder path that covers `here`, if each side has its own path there.
    fn find_end_of_folder(&self, one: &[u8], other: &[u8], here: usize) -> Option<usize> {
        self.0.iter().filter(|(mine, theirs)| mine.len() == theirs.len()).find_map(
            |(mine, theirs)| {
                let earliest = (here + 1).saturating_sub(mine.len());
                let start = (earliest..=here)
                    .find(|&at| one[at..].starts_with(mine) && other[at..].starts_with(theirs));
                start.map(|at| at + mine.len())
            },
        )
    }
}

/// Returns the position of the first difference at or after `from`.
fn find_first_difference(one: &[u8], other: &[u8], from: usize) -> Option<usize> {
    let distance = one[from..].iter().zip(&other[from..]).position(|(one, other)| one != other)?;
    Some(from + distance)
}

/// Returns the end of the build id that covers `here`, if both sides have one of equal length.
fn find_end_of_build_id(one: &[u8], other: &[u8], here: usize) -> Option<usize> {
    let earliest = here.saturating_sub(BUILD_ID_HEADER_BYTES + MAX_BUILD_ID_BYTES);
    (earliest..here).find_map(|at| {
        let header = one.get(at..at + BUILD_ID_HEADER_BYTES)?;
        let length = usize::from(header[4]);
        let end = at + BUILD_ID_HEADER_BYTES + length;
        let is_header = header.starts_with(&BUILD_ID_MARKS.0)
            && header.ends_with(&BUILD_ID_MARKS.1)
            && header[5..8] == [0; 3]
            && other.get(at..at + BUILD_ID_HEADER_BYTES) == Some(header);
        (is_header && here < end).then_some(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn same(one: &[u8], other: &[u8]) -> bool {
        PairedFolders(vec![(b"/w/base", b"/w/head"), (b"/long/base", b"/x/head")])
            .are_same_bytes(one, other)
    }

    #[test]
    fn programs_that_differ_by_the_folder_they_were_built_in_are_the_same() {
        assert!(same(b"code /w/base/src data /w/base", b"code /w/head/src data /w/head"));
        assert!(same(b"", b""));
        assert!(!same(b"code base", b"code head"));
        assert!(!same(b"code1 /w/base", b"code2 /w/head"));
        assert!(!same(b"/w/base", b"/w/base "));
        // The paths differ in length, so the bytes after them are at different positions.
        assert!(!same(b"/long/base", b"/x/head   "));
    }

    #[test]
    fn the_build_id_is_made_of_everything_else() {
        let with =
            |id: &[u8; 8]| [&b"x\x04\0\0\0\x08\0\0\0\x03\0\0\0GNU\0"[..], id, b"code"].concat();
        assert!(same(&with(b"12345678"), &with(b"abcdefgh")));
        let mut other = with(b"12345678");
        *other.last_mut().unwrap() = b'?';
        assert!(!same(&with(b"12345678"), &other));
    }
}
