//! The environment and the folder that Cargo gives a bench when it starts it.
//!
//! Cargo starts every bench once through a runner, which is perfgate itself. The runner records its
//! own environment and folder and does not start the bench.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// Variable that names the folder of the records. Unlike an argument of a runner, its value may
/// contain spaces.
pub(super) const RECORDS_VARIABLE: &str = "PERFGATE_RECORDS";

/// Environment and folder of a bench.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BenchEnvironment {
    /// Current folder in which the bench starts.
    pub(crate) folder: PathBuf,
    /// All environment variables, as names and values.
    pub(crate) variables: Vec<(OsString, OsString)>,
}

/// Writes the environment and the folder of this process into a file in the folder of the records,
/// under the name of `executable`.
///
/// # Errors
///
/// Fails if [`RECORDS_VARIABLE`] is not set, if the current folder is not known, or if the file
/// cannot be written.
pub(crate) fn record_environment(executable: &Path) -> io::Result<()> {
    let records = env::var_os(RECORDS_VARIABLE)
        .ok_or_else(|| io::Error::other(format!("{RECORDS_VARIABLE} is not set")))?;
    write_record(Path::new(&records), executable)
}

fn write_record(records: &Path, executable: &Path) -> io::Result<()> {
    let mut written = env::current_dir()?.into_os_string().into_vec();
    written.push(0);
    for (name, value) in env::vars_os() {
        written.extend_from_slice(name.as_bytes());
        written.push(b'=');
        written.extend_from_slice(value.as_bytes());
        written.push(0);
    }
    fs::write(build_record_path(records, executable), written)
}

/// Reads the environment that was recorded for `executable`.
///
/// # Errors
///
/// Fails if the record cannot be read, for example because Cargo did not start `executable`.
pub(super) fn read_environment(records: &Path, executable: &Path) -> io::Result<BenchEnvironment> {
    let written = fs::read(build_record_path(records, executable))?;
    let mut parts = written.split(|byte| *byte == 0);
    let folder = PathBuf::from(OsStr::from_bytes(parts.next().unwrap_or_default()));
    let variables = parts.filter_map(|variable| {
        // A name is never empty: a leading `=` is part of the name.
        let at = 1 + variable.get(1..)?.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (&variable[..at], &variable[at + 1..]);
        Some((OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())))
    });
    Ok(BenchEnvironment { folder, variables: variables.collect() })
}

/// Returns the path of the record of `executable`. Cargo's names of executables contain a hash, so
/// two packages never share a record.
fn build_record_path(records: &Path, executable: &Path) -> PathBuf {
    records.join(executable.file_name().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_what_this_process_has() {
        let records = tempfile::tempdir().unwrap();
        write_record(records.path(), Path::new("/elsewhere/bench-1")).unwrap();
        let environment = read_environment(records.path(), Path::new("bench-1")).unwrap();
        assert_eq!(environment.folder, env::current_dir().unwrap());
        assert_eq!(environment.variables, env::vars_os().collect::<Vec<_>>());
    }
}
