//! The perfgate command.

use std::path::Path;
use std::process::{Command, Output};

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
