//! The calibrations of machines, which later commands on the same machine use.

use std::path::{Path, PathBuf};

use crate::calibrate::Calibration;
use crate::files;

/// Returns the path of a machine's calibration, below the folder of the workspace.
pub(crate) fn locate_calibration(folder: &Path, fingerprint: &str) -> PathBuf {
    folder.join("target/perfgate/calibration").join(format!("{fingerprint}.json"))
}

/// Reads the calibration of the machine with this fingerprint.
///
/// Returns `None` twice if the file is absent. If the file cannot be parsed, returns `None` and a
/// note with the reason.
pub(crate) fn read_calibration(
    folder: &Path,
    fingerprint: &str,
) -> (Option<Calibration>, Option<String>) {
    // A run file may claim any fingerprint, and the fingerprint becomes a file name here.
    if !fingerprint.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return (None, None);
    }
    let path = locate_calibration(folder, fingerprint);
    let Ok(json) = files::read_plain_file(&path) else { return (None, None) };
    match Calibration::from_json(&json) {
        Ok(calibration) => (Some(calibration), None),
        Err(error) => {
            let note = format!("calibration `{}` is not used: {error}", path.display());
            (None, Some(note))
        }
    }
}
