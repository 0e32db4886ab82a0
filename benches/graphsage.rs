//! `GraphSAGE` on features alone, and on sampled neighbourhoods with sampling, gathering and forward pass apart.
#![expect(clippy::print_stderr, reason = "a bench reports on standard error")]

mod common;

use std::hint::black_box;
use std::process::ExitCode;

use criterion::{BenchmarkId, Criterion, Throughput};
use perfgate::inference::graphsage::{FAN_OUT, FEATURES, Graph, GraphSage};
use perfgate::inference::session::Options;
use rand::SeedableRng as _;
use rand_pcg::Pcg64;

const BATCHES: [u32; 4] = [1, 8, 32, 128];
const ROOTS: [u32; 2] = [1, 8];
const NODES: u32 = 2000;
const DEGREE: usize = 8;
const SEED: u64 = 42;

fn main() -> ExitCode {
    common::run(suite)
}

fn suite(criterion: &mut Criterion, options: &Options) -> anyhow::Result<()> {
    let mut alone = GraphSage::alone(options)?;
    let mut with_adjacency = GraphSage::with_adjacency(options)?;
    let graph = Graph::generate(NODES, DEGREE, SEED);
    let mut group = criterion.benchmark_group("graphsage");
    for batch in BATCHES {
        let features =
            (0..batch).flat_map(|node| graph.features(node)).copied().collect::<Vec<_>>();
        assert_eq!(alone.predict(&features)?.confidence.len() * FEATURES, features.len());
        group.throughput(Throughput::Elements(u64::from(batch)));
        group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
            bencher.iter(|| alone.predict(black_box(&features)).expect("it ran before"));
        });
    }
    for count in ROOTS {
        let roots = (0..count).map(|root| root * NODES / count).collect::<Vec<_>>();
        let sample = || graph.sample(black_box(&roots), &FAN_OUT, &mut Pcg64::seed_from_u64(SEED));
        let neighbourhood = sample();
        let gathered = graph.gather(&neighbourhood);
        assert_eq!(
            with_adjacency.predict_gathered(&gathered)?.confidence.len(),
            neighbourhood.nodes.len()
        );
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::new("sample", count), |bencher| bencher.iter(sample));
        group.bench_function(BenchmarkId::new("gather", count), |bencher| {
            bencher.iter(|| graph.gather(black_box(&neighbourhood)));
        });
        group.bench_function(BenchmarkId::new("forward", count), |bencher| {
            bencher.iter(|| {
                with_adjacency.predict_gathered(black_box(&gathered)).expect("it ran before")
            });
        });
    }
    group.finish();
    Ok(())
}
