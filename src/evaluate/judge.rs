//! Launches in, answers out: the runs that the decision wants, and what of its decision is counted.

use std::collections::BTreeMap;

use super::tally::Answer;
use crate::host::Host;
use crate::policy::Policy;
use crate::run::{
    Benchmark, BenchmarkId, Digest, Launch, Observed, Run, Samples, Sampling, Source,
};
use crate::units::Nanos;
use crate::verdict::{Baseline, Decision, Evidence, Noise, Rounds, decide};

/// What a launch takes: any duration does, since only ratios count.
const SCALE: f64 = 1e6;

/// What is known of the noise of each benchmark.
pub(super) type Known = BTreeMap<BenchmarkId, Noise>;

/// A run of `benchmarks` on the machine `fingerprint`.
pub(super) fn run(fingerprint: &str, benchmarks: Vec<Benchmark>) -> Run {
    let host = Host {
        fingerprint: fingerprint.to_owned(),
        cpu_model: "none".to_owned(),
        cores: 1,
        memory_bytes: 0,
        os: "none".to_owned(),
        kernel: "none".to_owned(),
        image: None,
        rustc: None,
    };
    let mut run = Run::new("1970-01-01T00:00:00Z".to_owned(), Source::Command, host);
    run.benchmarks = benchmarks;
    run
}

/// A benchmark with one launch for each of `digests`; `session` where they have partners.
pub(super) fn benchmark(
    id: String,
    sampling: Sampling,
    session: Option<&str>,
    digests: impl IntoIterator<Item = Digest>,
) -> Benchmark {
    let launch = |(round, digest): (u32, Digest)| Launch {
        round,
        session: session.map(str::to_owned),
        order: None,
        observed: Observed::Digest(digest),
        metrics: BTreeMap::new(),
    };
    Benchmark {
        id,
        package: None,
        target: None,
        sampling,
        elements: None,
        per_call: BTreeMap::new(),
        launches: (0..).zip(digests).map(launch).collect(),
        failure: None,
    }
}

/// The digest of samples given as logarithms.
pub(super) fn digest(logarithms: &[f64]) -> Digest {
    let samples: Vec<Nanos> = logarithms.iter().map(|ln| nanos(SCALE * ln.exp())).collect();
    Samples::new(samples).expect("a launch has samples").digest()
}

/// The digest of the same samples, each `factor` times as long.
pub(super) fn slower(digest: &Digest, factor: f64) -> Digest {
    let times = |figure: Nanos| nanos(figure.get() * factor);
    Digest {
        count: digest.count,
        mean: times(digest.mean),
        sd: times(digest.sd),
        min: times(digest.min),
        p50: times(digest.p50),
        p90: times(digest.p90),
        p95: times(digest.p95),
        p99: times(digest.p99),
        max: times(digest.max),
    }
}

/// What is decided from rounds, all of which are there: the looks are replayed.
pub(super) fn in_rounds(
    baseline: &Run,
    candidate: &Run,
    noise: &Known,
    policy: &Policy,
) -> Vec<Answer> {
    let entered = candidate.benchmarks.len();
    let rounds = Rounds { baseline, candidate, entered, same: &[], ended: true };
    let evidence = Evidence { candidate, baseline: Baseline::None, rounds: Some(rounds), noise };
    answers(&decide(&evidence, policy))
}

/// What is decided without rounds.
pub(super) fn as_it_is(baseline: Baseline<'_>, candidate: &Run, policy: &Policy) -> Vec<Answer> {
    let evidence = Evidence { candidate, baseline, rounds: None, noise: &Known::new() };
    answers(&decide(&evidence, policy))
}

fn answers(decision: &Decision) -> Vec<Answer> {
    let answer = |one: &crate::verdict::Judgement| Answer {
        change: one.change,
        rounds: one.launches.candidate,
    };
    decision.benchmarks.iter().map(answer).collect()
}

fn nanos(ns: f64) -> Nanos {
    Nanos::new(ns).expect("finite noise around a duration gives a duration")
}
