//! Whole files: what others read is never seen half-written.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Writes `content` to a temporary file beside `path` and renames it, making the folder if needed.
///
/// Readers see the old content or the new, also when the process is killed in between.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
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
