//! What the suites share: how they start, and what they record.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use criterion::Criterion;
use perfgate::inference::session::Options;
use perfgate::inference::tokenization;
use serde_json::json;

/// Runs one suite under Criterion's command line; what is missing ends it with one line.
pub(crate) fn run(suite: fn(&mut Criterion, &Options) -> anyhow::Result<()>) -> ExitCode {
    match start(suite) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(suite: fn(&mut Criterion, &Options) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let options = Options::from_environment()?;
    tokenization::set_threads(&options);
    record(&options)?;
    suite(&mut criterion, &options)?;
    criterion.final_summary();
    Ok(())
}

/// Says what the suite runs with, and leaves it beside Criterion's results where those have a folder of their own.
fn record(options: &Options) -> anyhow::Result<()> {
    let provider = options.provider.to_string();
    eprintln!("threads {}, provider {provider}", options.threads);
    let Some(home) = std::env::var_os("CRITERION_HOME") else { return Ok(()) };
    let settings = json!({ "threads": options.threads, "provider": { "requested": provider, "actual": provider } });
    std::fs::create_dir_all(&home)?;
    let path = Path::new(&home).join("settings.json");
    std::fs::write(&path, settings.to_string())
        .with_context(|| format!("failed to write `{}`", path.display()))
}
