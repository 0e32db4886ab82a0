//! `GraphSAGE` on features alone, and on sampled neighbourhoods: sampling, gathering and forward pass separately and as
//! one prediction.
#![expect(clippy::print_stderr, reason = "a bench prints to standard error")]

mod cold_start;
mod common;

use std::hint::black_box;
use std::process::ExitCode;

use cold_start::ColdStart;
use criterion::{BenchmarkId, Criterion, Throughput};
use perfgate_suites::graphsage::{FAN_OUT, FEATURES, Graph, GraphSage};
use perfgate_suites::session::SessionOptions;
use rand::SeedableRng as _;
use rand_pcg::Pcg64;

const BATCH_SIZES: [u32; 4] = [1, 8, 32, 128];
const ROOT_COUNTS: [u32; 2] = [1, 8];
const NODES: u32 = 2000;
const DEGREE: usize = 8;
const SEED: u64 = 42;

const COLD_STARTS: [ColdStart; 1] =
    [("graphsage", |options| GraphSage::open_with_neighbours(options).map(drop))];

fn main() -> ExitCode {
    cold_start::answer(&COLD_STARTS).unwrap_or_else(|| common::run_suite(bench_all))
}

fn bench_all(criterion: &mut Criterion, options: &SessionOptions) -> anyhow::Result<()> {
    let mut without_neighbours = GraphSage::open_without_neighbours(options)?;
    let mut with_neighbours = GraphSage::open_with_neighbours(options)?;
    let graph = Graph::generate(NODES, DEGREE, SEED);
    let mut group = criterion.benchmark_group("graphsage");
    group.bench_function("cold_create", |bencher| {
        cold_start::time_cold_starts(bencher, "graphsage");
    });
    for batch in BATCH_SIZES {
        let features =
            (0..batch).flat_map(|node| graph.features(node)).copied().collect::<Vec<_>>();
        assert_eq!(
            without_neighbours.predict(&features)?.confidence.len() * FEATURES,
            features.len()
        );
        group.throughput(Throughput::Elements(u64::from(batch)));
        group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
            bencher
                .iter(|| without_neighbours.predict(black_box(&features)).expect("it ran before"));
        });
    }
    for count in ROOT_COUNTS {
        let roots = (0..count).map(|root| root * NODES / count).collect::<Vec<_>>();
        let sample = || graph.sample(black_box(&roots), &FAN_OUT, &mut Pcg64::seed_from_u64(SEED));
        let neighbourhood = sample();
        let gathered = graph.gather(&neighbourhood);
        assert_eq!(
            with_neighbours.predict_neighbourhood(&gathered)?.confidence.len(),
            neighbourhood.nodes.len()
        );
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::new("sample", count), |bencher| bencher.iter(sample));
        group.bench_function(BenchmarkId::new("gather", count), |bencher| {
            bencher.iter(|| graph.gather(black_box(&neighbourhood)));
        });
        group.bench_function(BenchmarkId::new("forward", count), |bencher| {
            bencher.iter(|| {
                with_neighbours.predict_neighbourhood(black_box(&gathered)).expect("it ran before")
            });
        });
        group.bench_function(BenchmarkId::new("predict", count), |bencher| {
            bencher.iter(|| {
                let gathered = graph.gather(&sample());
                with_neighbours.predict_neighbourhood(&gathered).expect("it ran before")
            });
        });
    }
    group.finish();
    Ok(())
}
