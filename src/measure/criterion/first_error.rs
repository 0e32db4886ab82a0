//! Why a build failed, for those who do not see what Cargo printed.

use std::process::Command;
use std::time::Duration;

use cargo_metadata::Message;
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel};

use crate::process::{self, Interrupt, OutputStream, StderrTarget};
use crate::text::shorten;

/// Format of Cargo's messages in which the compiler's errors are JSON, too.
pub(super) const CARGO_MESSAGES_FOR_PROGRAMS: &str = "json";
/// What Cargo prints before an error of its own.
const CARGO_ERROR_START: &str = "error: ";
/// Longest error of a build that is repeated, in characters.
const MAX_ERROR_CHARS: usize = 200;

/// Returns the first error of a build that failed, in one line. `cargo` is the command that builds it
/// with messages in the format [`CARGO_MESSAGES_FOR_PROGRAMS`]. Returns `None` if the build does not
/// fail again, or without an error.
///
/// Cargo gives the errors either to the user or to perfgate. The user comes first, with colours and as
/// they appear, so this starts the build again. Only what failed is compiled again.
pub(super) fn find_first_error(mut cargo: Command, interrupt: &Interrupt) -> Option<String> {
    cargo.arg("--no-run");
    let (mut of_compiler, mut of_cargo) = (None, None);
    process::run_process(&mut cargo, StderrTarget::Lines, Duration::MAX, interrupt, |line| {
        match line.stream {
            OutputStream::Stdout => {
                let message = serde_json::from_slice(line.bytes);
                let Ok(Message::CompilerMessage(told)) = message else { return false };
                if told.message.level == DiagnosticLevel::Error && of_compiler.is_none() {
                    of_compiler = Some(describe_diagnostic(&told.message));
                }
            }
            OutputStream::Stderr => {
                let text = String::from_utf8_lossy(line.bytes);
                let error = text.strip_prefix(CARGO_ERROR_START).map(str::to_owned);
                of_cargo = of_cargo.take().or(error);
            }
        }
        false
    })
    .ok()?;
    of_compiler.or(of_cargo).map(|error| shorten(error.trim(), MAX_ERROR_CHARS))
}

/// Returns an error of the compiler in one line, with the place in the source: `src/lib.rs:3: …`.
fn describe_diagnostic(diagnostic: &Diagnostic) -> String {
    let message = diagnostic.message.lines().next().unwrap_or_default();
    match diagnostic.spans.iter().find(|span| span.is_primary) {
        Some(span) => format!("{}:{}: {message}", span.file_name, span.line_start),
        None => message.to_owned(),
    }
}
