//! Parse, run, exit status.

use std::process::ExitCode;

use clap::Parser as _;
use perfgate::{cli::Cli, cmd};

fn main() -> ExitCode {
    let ended = cmd::run(Cli::parse());
    ended.map_or_else(
        |error| {
            let (message, status) = cmd::explain(&error);
            #[expect(clippy::print_stderr, reason = "the one place where errors are said")]
            {
                eprintln!("{message}");
            }
            status.into()
        },
        ExitCode::from,
    )
}
