//! What perfgate itself costs: a look between rounds, reading runs, reports and trend pages.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use perfgate::internals::{ParsedRun, build_trend_pages};
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;
use serde_json::json;

/// Benchmarks and rounds of a look, and benchmarks of a report.
const LOOK: Shape = Shape { benchmarks: 50, launches: 20, calls: 100 };
/// A large run.
const RUN: Shape = Shape { benchmarks: 100, launches: 20, calls: 100 };
/// One night of a trend.
const NIGHT: Shape = Shape { benchmarks: 20, launches: 5, calls: 20 };
/// Nights of a trend.
const NIGHTS: usize = 60;
/// Days of a month that has nights; every month has as many.
const DAYS: usize = 28;
const SEED: u64 = 11;

/// How much a run holds.
#[derive(Clone, Copy)]
struct Shape {
    benchmarks: usize,
    launches: u32,
    calls: u32,
}

impl Shape {
    /// Writes a run of this shape as JSON. Its times are `slower` times those of a baseline.
    fn write_run(self, slower: f64, night: usize) -> Vec<u8> {
        let mut rng = Pcg64::seed_from_u64(SEED ^ night as u64 ^ slower.to_bits());
        let mut write_launch = |round: u32, level: f64| {
            let of_launch = level * (1.0 + 0.02 * rng.random::<f64>());
            // Whole nanoseconds, as clocks report them.
            let mut take_sample = || (of_launch * (1.0 + 0.1 * rng.random::<f64>())).round();
            let samples: Vec<f64> = (0..self.calls).map(|_| take_sample()).collect();
            json!({ "round": round, "session": "s", "samples": samples })
        };
        let mut write_benchmark = |number: usize| {
            let level = slower * 1e4 * (1 + number) as f64;
            let launches: Vec<_> =
                (0..self.launches).map(|round| write_launch(round, level)).collect();
            json!({ "id": format!("suite/encode/{number}"), "package": "demo", "sampling": "call", "launches": launches })
        };
        let benchmarks: Vec<_> = (0..self.benchmarks).map(&mut write_benchmark).collect();
        let created = format!("2026-{:02}-{:02}T02:00:00Z", 1 + night / DAYS, 1 + night % DAYS);
        let run = json!({
            "schema": "perfgate.run/2",
            "created": created,
            "source": "criterion",
            "complete": true,
            "commit": { "id": format!("{night:040x}"), "dirty": false },
            "host": {
                "fingerprint": "00c0ffee0000", "cpu_model": "AMD EPYC 9R14", "cores": 2,
                "memory_bytes": 8_589_934_592_u64, "os": "Debian GNU/Linux 12", "kernel": "6.1.0",
            },
            "benchmarks": benchmarks,
        });
        serde_json::to_vec(&run).expect("a value becomes JSON")
    }

    fn make_run(self, slower: f64, night: usize) -> ParsedRun {
        ParsedRun::parse(&self.write_run(slower, night)).expect("a run of the known schema")
    }
}

fn measure_decision(criterion: &mut Criterion) {
    let [baseline, candidate] = [1.0, 1.02].map(|slower| LOOK.make_run(slower, 0));
    let decision = candidate.decide_in_rounds(&baseline);
    let mut group = criterion.benchmark_group("gate");
    group.bench_function("look", |bencher| {
        bencher.iter(|| black_box(&candidate).decide_in_rounds(black_box(&baseline)));
    });
    group.bench_function("compare", |bencher| {
        bencher.iter(|| black_box(&candidate).compare_with(black_box(&baseline)));
    });
    group.bench_function("comment", |bencher| {
        bencher.iter(|| black_box(&decision).render_comment());
    });
    group.bench_function("html", |bencher| bencher.iter(|| black_box(&decision).render_page()));
    group.finish();
}

fn measure_files(criterion: &mut Criterion) {
    let json = RUN.write_run(1.0, 0);
    let nights: Vec<ParsedRun> = (0..NIGHTS).map(|night| NIGHT.make_run(1.0, night)).collect();
    let mut group = criterion.benchmark_group("gate");
    group.bench_function("read", |bencher| {
        bencher.iter(|| ParsedRun::parse(black_box(&json)));
    });
    group.bench_function("trend", |bencher| {
        // An empty folder for each build: a second build would write nothing.
        let make_folder = || tempfile::tempdir().expect("a temporary folder");
        let build = |folder: tempfile::TempDir| {
            assert!(build_trend_pages(black_box(&nights), folder.path()) > 0);
            folder
        };
        bencher.iter_batched(make_folder, build, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2));
    targets = measure_decision, measure_files
}
criterion_main!(benches);
