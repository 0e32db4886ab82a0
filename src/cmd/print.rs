//! What goes to standard output.

use std::io::{self, Write as _};

use anyhow::Result;

use crate::cli::Format;
use crate::verdict::Decision;

/// Prints the decision in this format.
pub(super) fn decision(decision: &Decision, _format: Format) -> Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, decision)?;
    writeln!(out)?;
    Ok(())
}
