//! Synthetic histories from a seed: nights with noise, steps, gaps and a change of machine.

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::formats::{
    Benchmark, BenchmarkFailure, Digest, Host, Launch, LaunchData, MeasuredCommit, Nanos, Run,
    SampleSource, Sampling,
};

/// The parameters of a history.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) nights: usize,
    pub(crate) benchmarks: usize,
    pub(crate) launches: u32,
    /// A step of benchmark 0: the first night and the ratio; `None` for no step.
    pub(crate) step: Option<(usize, f64)>,
    /// Share by which benchmark 0 gets slower per night.
    pub(crate) creep: f64,
    /// Nights without a run.
    pub(crate) missing: Vec<usize>,
    /// First night that another machine measures; `None` for one machine.
    pub(crate) other_host_from: Option<usize>,
    /// Names of the benchmarks that replace the synthetic names.
    pub(crate) names: Vec<String>,
    /// Commits of the nights that replace the synthetic commits.
    pub(crate) commits: Vec<String>,
    /// Time of the first night, in seconds since 1970.
    pub(crate) begin: i64,
}

impl Default for History {
    fn default() -> Self {
        Self {
            nights: 60,
            benchmarks: 3,
            launches: 5,
            step: None,
            creep: 0.0,
            missing: Vec::new(),
            other_host_from: None,
            names: Vec::new(),
            commits: Vec::new(),
            begin: FIRST_NIGHT,
        }
    }
}

/// 2026-01-01T02:00:00Z in seconds since 1970.
const FIRST_NIGHT: i64 = 1_767_232_800;

const SEED: u64 = 5;

fn nanos(ns: f64) -> Nanos {
    Nanos::new(ns).unwrap()
}

/// Returns a roughly normal random number with mean 0 and variance 1.
fn noise(rng: &mut Pcg64) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

fn host(number: usize) -> Host {
    let text = |text: &str| text.to_owned();
    Host {
        fingerprint: format!("{:012x}", 0x00c0_ffee_0000_u64 + number as u64),
        cpu_model: ["AMD EPYC 9R14", "Intel Xeon 8488C"][number % 2].to_owned(),
        cores: 2,
        memory_bytes: 8 << 30,
        os: text("Debian GNU/Linux 12"),
        kernel: text("6.1.0"),
        image: None,
        rustc: Some(text("1.95.0")),
    }
}

pub(crate) fn commit_id(night: usize) -> String {
    let mut rng = Pcg64::seed_from_u64(night as u64 + 1);
    (0..40).map(|_| char::from_digit(rng.random_range(0..16), 16).unwrap()).collect()
}

fn launch(round: u32, level: f64, rng: &mut Pcg64) -> Launch {
    let p50 = level * (1.0 + 0.008 * noise(rng)).max(0.5);
    let digest = Digest {
        count: 200,
        mean: nanos(p50 * (1.03 + 0.004 * noise(rng))),
        sd: nanos(p50 * 0.06),
        min: nanos(p50 * 0.93),
        p50: nanos(p50),
        p90: nanos(p50 * 1.08),
        p95: nanos(p50 * (1.14 + 0.01 * noise(rng))),
        p99: nanos(p50 * (1.36 + 0.03 * noise(rng))),
        max: nanos(p50 * 2.2),
    };
    Launch {
        round,
        session: None,
        order: None,
        data: LaunchData::Digest(digest),
        calls_per_sample: None,
        metrics: std::collections::BTreeMap::new(),
    }
}

impl History {
    fn name(&self, number: usize) -> String {
        const GROUPS: [&str; 4] = ["tokenization", "batching", "graphsage", "transformer"];
        let made_up = || format!("{}/encode/batch/{number}", GROUPS[number % GROUPS.len()]);
        self.names.get(number).cloned().unwrap_or_else(made_up)
    }

    fn night(&self, night: usize, rng: &mut Pcg64) -> Run {
        let seconds = self.begin + 86_400 * i64::try_from(night).unwrap();
        let created = jiff::Timestamp::from_second(seconds).unwrap().to_string();
        let elsewhere = self.other_host_from.is_some_and(|from| night >= from);
        let mut run =
            Run::new(created.clone(), SampleSource::Criterion, host(usize::from(elsewhere)));
        run.commit = Some(MeasuredCommit {
            id: self.commits.get(night).cloned().unwrap_or_else(|| commit_id(night)),
            branch: Some("main".to_owned()),
            time: Some(created),
            dirty: false,
        });
        let of_night = 1.0 + 0.006 * noise(rng);
        run.benchmarks = (0..self.benchmarks)
            .map(|number| {
                let slowed = self.step.filter(|(from, _)| number == 0 && night >= *from);
                let level = 150e3 * (1.0 + number as f64) * of_night;
                let level = level * slowed.map_or(1.0, |(_, ratio)| ratio);
                let crept = if number == 0 { self.creep * night as f64 } else { 0.0 };
                let level = level * crept.exp();
                let level = level * if elsewhere { 1.4 } else { 1.0 };
                Benchmark {
                    id: self.name(number),
                    package: Some("demo".to_owned()),
                    target: None,
                    sampling: Sampling::Call,
                    elements: None,
                    per_call: std::collections::BTreeMap::new(),
                    conditions: std::collections::BTreeMap::new(),
                    round_time: None,
                    launches: (0..self.launches).map(|round| launch(round, level, rng)).collect(),
                    failure: None::<BenchmarkFailure>,
                }
            })
            .collect();
        run
    }

    /// Returns the runs in commit order.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let mut rng = Pcg64::seed_from_u64(SEED);
        let nights = (0..self.nights).map(|night| (night, self.night(night, &mut rng)));
        let measured = nights.filter(|(night, _)| !self.missing.contains(night));
        measured.map(|(_, run)| run).collect()
    }
}
