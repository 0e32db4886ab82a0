//! What the suites share: they start in the same way, and record the same settings.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use criterion::Criterion;
use perfgate_suites::session::SessionOptions;
use perfgate_suites::tokenization;
use serde_json::json;

/// Runs one suite under Criterion's command line. If something is missing, it prints one line and fails.
pub(crate) fn run_suite(
    suite: fn(&mut Criterion, &SessionOptions) -> anyhow::Result<()>,
) -> ExitCode {
    end(try_suite(suite))
}

/// Prints an error as one line, and returns the status of the process.
pub(crate) fn end(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_suite(
    suite: fn(&mut Criterion, &SessionOptions) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let options = SessionOptions::from_environment()?;
    tokenization::set_threads(&options)?;
    record_settings(&options)?;
    suite(&mut criterion, &options)?;
    criterion.final_summary();
    Ok(())
}

/// Prints the settings of the suite. With `CRITERION_HOME`, also writes them there as `settings.json`.
fn record_settings(options: &SessionOptions) -> anyhow::Result<()> {
    let provider = options.provider.to_string();
    eprintln!("threads {}, provider {provider}", options.threads);
    let Some(home) = std::env::var_os("CRITERION_HOME") else { return Ok(()) };
    let settings = json!({ "threads": options.threads, "provider": { "requested": provider, "actual": provider } });
    std::fs::create_dir_all(&home)?;
    let path = Path::new(&home).join("settings.json");
    std::fs::write(&path, settings.to_string())
        .with_context(|| format!("failed to write `{}`", path.display()))
}
