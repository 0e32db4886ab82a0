//! Creation in a fresh process: what a first user waits for.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use criterion::Bencher;
use perfgate_suites::InferenceError;
use perfgate_suites::session::SessionOptions;

use crate::common;

/// Something that a fresh process creates: its name and what is timed.
pub(crate) type ColdStart = (&'static str, fn(&SessionOptions) -> Result<(), InferenceError>);

/// Names the cold start that a process is to time instead of running the suite.
const VARIABLE: &str = "PERFGATE_SUITES_COLD_START";

/// Times one of `cold_starts` and prints it, if this process was started by [`time_cold_starts`]. Otherwise, returns
/// `None`: the suite is to run.
pub(crate) fn answer(cold_starts: &[ColdStart]) -> Option<ExitCode> {
    let name = std::env::var(VARIABLE).ok()?;
    Some(common::end(print_time(&name, cold_starts)))
}

#[expect(clippy::print_stdout, reason = "the suite that started this process reads the time")]
fn print_time(name: &str, cold_starts: &[ColdStart]) -> anyhow::Result<()> {
    let (_, create) = cold_starts
        .iter()
        .find(|(known, _)| *known == name)
        .with_context(|| format!("no cold start is called `{name}`"))?;
    let options = SessionOptions::from_environment()?;
    let started = Instant::now();
    create(&options)?;
    println!("{}", started.elapsed().as_nanos());
    Ok(())
}

/// Times a cold start. Each call is in a process of its own, which has loaded nothing before. The files are in the cache
/// of the system. The start of the process is not counted.
pub(crate) fn time_cold_starts(bencher: &mut Bencher<'_>, name: &str) {
    bencher.iter_custom(|calls| (0..calls).map(|_| time_cold_start(name)).sum());
}

fn time_cold_start(name: &str) -> Duration {
    let program = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(program).env(VARIABLE, name).output();
    let nanos = output.map_err(anyhow::Error::from).and_then(|output| {
        let printed = String::from_utf8_lossy(&output.stdout);
        printed.trim().parse().map_err(|_| anyhow!("{}", String::from_utf8_lossy(&output.stderr)))
    });
    Duration::from_nanos(nanos.expect("what was created before can be created"))
}
