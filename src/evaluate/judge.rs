//! Builds the runs that the decision needs from simulated or recorded launches, and extracts the
//! answers from the decision.

use std::collections::BTreeMap;

use super::tally::BenchmarkAnswer;
use crate::decision::Decision;
use crate::host::Host;
use crate::policy::Policy;
use crate::run::{
    Benchmark, BenchmarkId, Digest, Launch, LaunchData, LookHorizon, Run, SampleSource, Samples,
    Sampling,
};
use crate::units::Nanos;
use crate::verdict::{BaselineEvidence, Evidence, NoiseHistory, RoundsEvidence, decide};

/// Duration of a launch of average speed, in nanoseconds. Any duration works, because only ratios
/// count.
const SCALE_NANOS: f64 = 1e6;

/// Known noise of each benchmark.
pub(super) type NoiseHistories = BTreeMap<BenchmarkId, NoiseHistory>;

/// Builds a run of `benchmarks` on the machine with this `fingerprint`.
pub(super) fn build_run(fingerprint: &str, benchmarks: Vec<Benchmark>) -> Run {
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
    let mut run = Run::new("1970-01-01T00:00:00Z".to_owned(), SampleSource::Command, host);
    run.benchmarks = benchmarks;
    run
}

/// Builds a benchmark with one launch per digest. `session` is `None` if the launches have no
/// partners.
pub(super) fn build_benchmark(
    id: String,
    sampling: Sampling,
    session: Option<&str>,
    digests: impl IntoIterator<Item = Digest>,
) -> Benchmark {
    let launches = (0..).zip(digests).map(|(round, digest)| Launch {
        round,
        session: session.map(str::to_owned),
        order: None,
        data: LaunchData::Digest(digest),
        calls_per_sample: None,
        metrics: BTreeMap::new(),
    });
    let id = BenchmarkId { name: id, package: None };
    Benchmark { launches: launches.collect(), ..Benchmark::new(id, None, sampling) }
}

/// Returns the digest of samples that are given as logarithms.
pub(super) fn compute_digest(logarithms: &[f64]) -> Digest {
    let samples: Vec<Nanos> =
        logarithms.iter().map(|ln| to_nanos(SCALE_NANOS * ln.exp())).collect();
    Samples::new(samples).expect("a launch has samples").digest()
}

/// Returns the digest of the same samples, each `factor` times as long.
pub(super) fn slow_down(digest: &Digest, factor: f64) -> Digest {
    let scale = |figure: Nanos| to_nanos(figure.get() * factor);
    Digest {
        count: digest.count,
        mean: scale(digest.mean),
        sd: scale(digest.sd),
        min: scale(digest.min),
        p50: scale(digest.p50),
        p90: scale(digest.p90),
        p95: scale(digest.p95),
        p99: scale(digest.p99),
        max: scale(digest.max),
    }
}

/// Returns the evidence of rounds up to the shortest horizon whose time is up.
pub(super) fn end_rounds<'a>(baseline: &'a Run, candidate: &'a Run) -> RoundsEvidence<'a> {
    RoundsEvidence {
        baseline,
        candidate,
        entered_count: candidate.benchmarks.len(),
        same_program: &[],
        postponed: &[],
        horizon: LookHorizon::default(),
        has_ended: true,
    }
}

/// Returns the answers of the decision on rounds; the looks are replayed.
pub(super) fn decide_in_rounds(
    rounds: RoundsEvidence<'_>,
    noise: &NoiseHistories,
    policy: &Policy,
) -> Vec<BenchmarkAnswer> {
    let evidence = Evidence {
        rounds: Some(rounds),
        noise,
        ..Evidence::from_sides(rounds.candidate, BaselineEvidence::None)
    };
    collect_answers(&decide(&evidence, policy))
}

/// Returns the answers of the decision without rounds.
pub(super) fn decide_without_rounds(
    baseline: BaselineEvidence<'_>,
    candidate: &Run,
    policy: &Policy,
) -> Vec<BenchmarkAnswer> {
    let evidence = Evidence::from_sides(candidate, baseline);
    collect_answers(&decide(&evidence, policy))
}

fn collect_answers(decision: &Decision) -> Vec<BenchmarkAnswer> {
    let answers = decision.benchmarks.iter().map(|judgement| BenchmarkAnswer {
        change: judgement.change,
        rounds: judgement.launches.candidate,
    });
    answers.collect()
}

fn to_nanos(ns: f64) -> Nanos {
    Nanos::new(ns).expect("finite noise around a duration gives a duration")
}
