//! Real repositories in temporary folders, and runs to store in them.
//!
//! The unit tests include this file too. There `super::formats` holds the types of the crate; here
//! it holds types that follow the file format alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::formats::{
    Benchmark, CommitId, Host, Launch, LaunchData, MeasuredCommit, Nanos, Run, SampleSource,
    Samples, Sampling,
};

/// A temporary folder with a repository, and settings that make git behave the same everywhere.
pub(crate) struct Bed {
    folder: TempDir,
}

impl Bed {
    /// Creates a repository with one commit on `main`.
    pub(crate) fn new() -> Self {
        let bed = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(bed.path("work")).unwrap();
        bed.git("work", &["init", "--quiet", "--initial-branch=main"]);
        bed.commit("first");
        bed
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs git in `folder`, asserts success, and returns its standard output.
    pub(crate) fn git(&self, folder: &str, arguments: &[&str]) -> String {
        git_in(&self.path(folder), arguments)
    }

    /// Commits a file with the content `name` in `work`.
    pub(crate) fn commit(&self, name: &str) -> CommitId {
        fs::write(self.path("work").join("code.txt"), name).unwrap();
        self.git("work", &["add", "--all"]);
        self.git("work", &["commit", "--quiet", "--message", name]);
        self.head()
    }

    /// Returns the commit that is checked out in `work`.
    pub(crate) fn head(&self) -> CommitId {
        CommitId::parse(self.git("work", &["rev-parse", "HEAD"]).trim()).unwrap()
    }

    /// Returns a run of `commit`, recognizable by `created` and the time of its only sample.
    pub(crate) fn run(commit: &CommitId, created: &str, ns: f64) -> Run {
        let mut run = Run::new(created.to_owned(), SampleSource::Criterion, host("0f1e2d3c"));
        run.commit =
            Some(MeasuredCommit { id: commit.to_string(), branch: None, time: None, dirty: false });
        run.benchmarks = vec![benchmark("group/function", &[ns])];
        run
    }
}

pub(crate) fn benchmark(id: &str, samples: &[f64]) -> Benchmark {
    Benchmark {
        id: id.to_owned(),
        package: None,
        target: None,
        sampling: Sampling::Call,
        elements: None,
        per_call: std::collections::BTreeMap::new(),
        conditions: std::collections::BTreeMap::new(),
        round_time: None,
        launches: vec![Launch {
            round: 0,
            session: None,
            order: None,
            data: observed(samples),
            calls_per_sample: None,
            metrics: std::collections::BTreeMap::new(),
        }],
        failure: None,
    }
}

/// Builds the samples of a launch, in nanoseconds.
pub(crate) fn observed(samples: &[f64]) -> LaunchData {
    let samples = samples.iter().map(|ns| Nanos::new(*ns).unwrap()).collect();
    LaunchData::Samples(Samples::new(samples).unwrap())
}

pub(crate) fn host(fingerprint: &str) -> Host {
    Host {
        fingerprint: fingerprint.to_owned(),
        cpu_model: "Some Processor".to_owned(),
        cores: 2,
        memory_bytes: 1 << 33,
        os: "linux".to_owned(),
        kernel: "6.1".to_owned(),
        image: None,
        rustc: None,
    }
}

/// Removes the configuration of this machine and user from `command`, and sets fixed names and
/// times.
pub(crate) fn fixed(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["CI", "GIT_", "GITHUB_", "RUNNER_", "PERFGATE_"]
            .iter()
            .any(|start| name.starts_with(start))
        {
            command.env_remove(name);
        }
    }
    let date = "2026-11-22T00:00:00Z";
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .envs([("GIT_AUTHOR_NAME", "A"), ("GIT_AUTHOR_EMAIL", "a@example.com")])
        .envs([("GIT_COMMITTER_NAME", "C"), ("GIT_COMMITTER_EMAIL", "c@example.com")])
        .envs([("GIT_AUTHOR_DATE", date), ("GIT_COMMITTER_DATE", date)])
}

pub(crate) fn git_in(folder: &Path, arguments: &[&str]) -> String {
    let output = fixed(Command::new("git").arg("-C").arg(folder).args(arguments)).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns a run of `commit` with five launches per benchmark around its median, 0.25 % apart.
pub(crate) fn run_of(commit: &CommitId, created: &str, medians: &[(&str, f64)]) -> Run {
    let mut run = Bed::run(commit, created, 1.0);
    run.benchmarks = medians
        .iter()
        .map(|(id, ns)| {
            let mut made = benchmark(id, &[*ns]);
            made.launches = [0.995, 0.9975, 1.0, 1.0025, 1.005]
                .iter()
                .enumerate()
                .map(|(round, factor)| Launch {
                    round: u32::try_from(round).unwrap(),
                    data: observed(&[ns * factor; 20]),
                    ..made.launches[0].clone()
                })
                .collect();
            made
        })
        .collect();
    run
}
