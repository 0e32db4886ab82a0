//! The perfgate command.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::repositories::fixed;

/// Returns the perfgate command for `folder`.
pub(crate) fn perfgate_in(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perfgate"));
    fixed(&mut command).current_dir(folder);
    command
}

pub(crate) fn text_of(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

/// Runs a check and returns the decision that it wrote to `path`, which may hold an older one.
pub(crate) fn run_to_decision(command: &mut Command, path: &Path) -> (Value, Output) {
    let _ = fs::remove_file(path);
    let output = command.output().unwrap();
    let json = fs::read(path).unwrap_or_else(|_| panic!("{}", text_of(&output)));
    (serde_json::from_slice(&json).unwrap(), output)
}
