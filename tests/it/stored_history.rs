//! A synthetic history as a store in a folder.

use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::formats::Run;
use super::synthetic::History;

/// Writes the runs of `history` to `folder` in the layout of a store.
pub(crate) fn write_history(history: &History, folder: &Path) {
    history.runs().iter().for_each(|run| write_stored_run(run, folder));
}

/// Returns `bytes` in lowercase hexadecimal digits.
pub(crate) fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Writes `run` to `folder` in the layout of a store.
fn write_stored_run(run: &Run, folder: &Path) {
    let record = serde_json::to_vec(run).unwrap();
    let id = &encode_hex(&Sha256::digest(&record))[..12];
    let created = run.created.replace(['-', ':'], "");
    let commit = &run.commit.as_ref().unwrap().id;
    let folder = folder.join("runs").join(&commit[..2]).join(commit);
    fs::create_dir_all(&folder).unwrap();
    let name = format!("{}-criterion-{created}-{id}.json", run.host.fingerprint);
    fs::write(folder.join(name), record).unwrap();
}
