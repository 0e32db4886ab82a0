//! Writes and copies whole files and folders, so that readers never see a partial file.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// Opens a regular file for reading; links are followed.
///
/// Names of files may come from strangers. Reading a pipe could wait forever, and a device could
/// fill the memory.
///
/// # Errors
///
/// Fails if the file cannot be opened or is not a regular file.
pub(crate) fn open_plain_file(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    File::open(path)
}

/// Reads a regular file.
///
/// # Errors
///
/// Fails if [`open_plain_file`] does, or if the file cannot be read.
pub(crate) fn read_plain_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_plain_file(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Reads a file that the command line names: a regular file, or a pipe from another process. Nothing
/// else has an end.
///
/// # Errors
///
/// Fails if the file is a device or a folder, or if it cannot be read.
pub(crate) fn read_given_file(path: &Path) -> io::Result<Vec<u8>> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if fs::metadata(path)?.file_type().is_fifo() {
            return fs::read(path);
        }
    }
    read_plain_file(path)
}

/// Reads a text file that the command line names.
///
/// # Errors
///
/// Fails if [`read_given_file`] does, or if the content is not UTF-8.
pub(crate) fn read_given_text(path: &Path) -> io::Result<String> {
    to_text(read_given_file(path)?)
}

fn to_text(content: Vec<u8>) -> io::Result<String> {
    let text = String::from_utf8(content);
    text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// Reads a regular file that is text.
///
/// # Errors
///
/// Fails if [`read_plain_file`] does, or if the content is not UTF-8.
pub(crate) fn read_plain_text(path: &Path) -> io::Result<String> {
    to_text(read_plain_file(path)?)
}

/// Writes `content` to a temporary file next to `path` and renames it to `path`. Creates the folder
/// if needed.
///
/// Readers see either the old or the new content, even if the process is killed in between.
///
/// # Errors
///
/// Fails if the folder cannot be created, or if the file cannot be written or renamed.
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
        // A temporary file is private to its owner, but the final file must be readable by
        // everyone.
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Copies a folder with its whole content. Files keep their modification times.
///
/// `to` must not exist. It appears only when the copy is complete.
///
/// # Errors
///
/// Fails if a file or folder cannot be read or written, or if `to` cannot be created. A partial
/// copy is removed.
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

/// Removes a file if it exists.
///
/// # Errors
///
/// Fails if an existing file cannot be removed.
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
