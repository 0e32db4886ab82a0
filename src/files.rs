//! Whole files and folders: what others read is never seen half-written.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Writes `content` to a temporary file beside `path` and renames it, making the folder if needed.
///
/// Readers see the old content or the new, also when the process is killed in between.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".perfgate-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.flush()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A temporary file is private to its owner; what it becomes is for everybody to read.
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Copies a folder with all that is in it, files with their times; `to`, which must not be there, appears
/// when everything is.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    let part = to.with_extension("part");
    let result = ignore_missing(fs::remove_dir_all(&part))
        .and_then(|()| copy_into(from, &part))
        .and_then(|()| fs::rename(&part, to));
    if result.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    result
}

/// Removes a file, if it is there.
pub(crate) fn remove_if_present(path: &Path) -> io::Result<()> {
    ignore_missing(fs::remove_file(path))
}

fn ignore_missing(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn copy_into(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, old, new) = (entry.file_type()?, entry.path(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_into(&old, &new)?;
        } else if kind.is_file() {
            fs::copy(&old, &new)?;
            File::open(&new)?.set_modified(entry.metadata()?.modified()?)?;
        } else {
            #[cfg(unix)]
            std::os::unix::fs::symlink(fs::read_link(&old)?, &new)?;
        }
    }
    Ok(())
}
