//! Figures about the suites' models that Criterion does not give. Run it in the folder `benches`.
//!
//! `figures graphsage CALLS` prints the nanoseconds of each call of `GraphSAGE` at batch 1 as JSON.
//! `figures overhead ROUNDS` prints what a sample contains besides the call, compared with two bare clock readings.
//! `figures batch-size MILLISECONDS` prints the batch size that fits a limit, as measured and as estimated.
//! `figures kv-cache ROUNDS` prints the time of 100 tokens with and without a cache of keys and values.
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use criterion::Criterion;
use perfgate_suites::batching::{
    BatchCost, BatchLimits, LARGEST_BATCH, PaddedBatch, estimate_batch_size, find_batch_size,
};
use perfgate_suites::graphsage::{FEATURES, GraphSage};
use perfgate_suites::memory::measure_peak_memory;
use perfgate_suites::session::SessionOptions;
use perfgate_suites::tokenization::{Tokenizer, generate_prose};
use perfgate_suites::transformer::{Decoder, Encoder, KeyValueCache, Sampler};

const WARM_UP: usize = 50;
/// Calls per round in `overhead`.
const CALLS: usize = 200;
/// The limit of memory in `batch-size`, in mebibytes.
const MEMORY: u64 = 1024;
/// Calls per batch size in `batch-size`.
///
/// All of 59 calls are below the 95th percentile with a probability of 0.95^59 < 5 %. So the slowest of them is an upper
/// bound of the 95th percentile at 95 % confidence (Hahn and Meeker, "Statistical intervals", 1991, table A.16).
const BATCH_CALLS: usize = 59;
const GENERATED: usize = 100;
const PROMPTS: [usize; 2] = [16, 128];

fn main() -> anyhow::Result<()> {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let [figure, count] = arguments.as_slice() else {
        bail!(
            "usage: figures graphsage CALLS | overhead ROUNDS | batch-size MILLISECONDS | kv-cache ROUNDS"
        )
    };
    let count = count.parse::<usize>().with_context(|| format!("`{count}` is not a number"))?;
    match figure.as_str() {
        "graphsage" => print_graphsage_calls(count),
        "overhead" => print_overhead(count),
        "batch-size" => print_batch_size(Duration::from_millis(u64::try_from(count)?)),
        "kv-cache" => print_cache_gain(count),
        _ => bail!(
            "`{figure}` is not a figure; the figures are graphsage, overhead, batch-size, kv-cache"
        ),
    }
}

fn print_graphsage_calls(calls: usize) -> anyhow::Result<()> {
    let mut model = GraphSage::open_without_neighbours(&SessionOptions::from_environment()?)?;
    let features = (0..FEATURES).map(|feature| (feature % 7) as f32 / 7.0).collect::<Vec<_>>();
    for _ in 0..WARM_UP {
        model.predict(&features)?;
    }
    let mut nanoseconds = Vec::with_capacity(calls);
    for _ in 0..calls {
        let started = Instant::now();
        black_box(model.predict(black_box(&features))?);
        nanoseconds.push(u64::try_from(started.elapsed().as_nanos())?);
    }
    println!("{}", serde_json::to_string(&nanoseconds)?);
    Ok(())
}

/// Times calls of nothing in rounds: by two clock readings, and by Criterion as perfgate starts it.
fn print_overhead(rounds: usize) -> anyhow::Result<()> {
    let (mut bare, mut sampled) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        bare.extend((0..CALLS).map(|_| {
            let started = Instant::now();
            black_box(());
            started.elapsed().as_nanos() as f64
        }));
        sampled.extend(sample_nothing()?);
    }
    let [bare, sampled] = [bare, sampled].map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!(
        "median of {} calls of nothing: two clock readings {bare:.0} ns, a sample {sampled:.0} ns, overhead {:.0} ns",
        rounds.max(1) * CALLS,
        sampled - bare
    );
    Ok(())
}

/// Times calls of nothing by Criterion, one call per sample, in nanoseconds.
fn sample_nothing() -> anyhow::Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    Criterion::default()
        .output_directory(folder.path())
        .without_plots()
        .sample_size(CALLS)
        .measurement_time(Duration::from_nanos(1))
        .warm_up_time(Duration::from_millis(10))
        .nresamples(1001)
        .bench_function("nothing", |bencher| bencher.iter(|| black_box(())));
    let written = std::fs::read(folder.path().join("nothing/new/sample.json"))?;
    let written: serde_json::Value = serde_json::from_slice(&written)?;
    let numbers = |field: &str| -> anyhow::Result<Vec<f64>> {
        Ok(serde_json::from_value(written[field].clone())?)
    };
    let has_batches = numbers("iters")?.iter().any(|iters| (iters - 1.0).abs() > f64::EPSILON);
    anyhow::ensure!(!has_batches, "a sample has more than one call");
    numbers("times")
}

/// Finds the batch size of `MiniLM` at which 95 % of batches take at most `latency`. A request is 32 bytes of text.
fn print_batch_size(latency: Duration) -> anyhow::Result<()> {
    let tokenizer = Tokenizer::open_bert()?;
    let mut encoder = Encoder::open(&SessionOptions::from_environment()?)?;
    let request = tokenizer.encode(&generate_prose(&tokenizer.list_words(), 32, 1))?;
    let mut measure = |size: usize| -> anyhow::Result<BatchCost> {
        let padded = PaddedBatch::new(&vec![&request; size]);
        let (bound, memory_bytes) = measure_peak_memory(|| bound_latency(&mut encoder, &padded));
        let cost = BatchCost { latency: bound?, memory_bytes };
        let memory = memory_bytes.map_or_else(|| "?".to_owned(), |bytes| (bytes >> 20).to_string());
        println!(
            "batch {size:4}: p95 at most {:7.2} ms, {memory} MiB",
            as_milliseconds(cost.latency)
        );
        Ok(cost)
    };
    let limits = BatchLimits { latency, memory_bytes: Some(MEMORY << 20) };
    let chosen = find_batch_size(&limits, LARGEST_BATCH, &mut measure)?;
    let limit = as_milliseconds(latency);
    match chosen {
        Some((size, _)) => println!("measured: {size} requests fit {limit:.0} ms and {MEMORY} MiB"),
        None => println!("measured: not even one request fits {limit:.0} ms and {MEMORY} MiB"),
    }
    let estimated = estimate_batch_size(u32::try_from(MEMORY)?, latency);
    println!("estimated: {estimated} requests; as measured");
    measure(estimated)?;
    Ok(())
}

/// Returns an upper bound of the 95th percentile of the time of a call, at 95 % confidence.
fn bound_latency(encoder: &mut Encoder, padded: &PaddedBatch) -> anyhow::Result<Duration> {
    encoder.embed(padded)?;
    let mut slowest = Duration::ZERO;
    for _ in 0..BATCH_CALLS {
        let started = Instant::now();
        black_box(encoder.embed(black_box(padded))?);
        slowest = slowest.max(started.elapsed());
    }
    Ok(slowest)
}

fn as_milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Times the generation of [`GENERATED`] tokens with and without a cache, which must give the same tokens.
fn print_cache_gain(rounds: usize) -> anyhow::Result<()> {
    let options = SessionOptions::from_environment()?;
    let mut decoder = Decoder::open(&options)?;
    println!(
        "small decoder, {GENERATED} tokens, {} thread(s), best of {rounds} rounds",
        options.threads
    );
    for length in PROMPTS {
        let prompt = (1..).take(length).collect::<Vec<_>>();
        let mut best = [Duration::MAX; 2];
        let mut texts = [Vec::new(), Vec::new()];
        for _ in 0..rounds.max(1) {
            for (place, cache) in
                [KeyValueCache::Kept, KeyValueCache::Recomputed].into_iter().enumerate()
            {
                let started = Instant::now();
                texts[place] = decoder.generate(&prompt, GENERATED, cache, &mut Sampler::Greedy)?;
                best[place] = best[place].min(started.elapsed());
            }
        }
        anyhow::ensure!(texts[0] == texts[1], "the cache changed what was generated");
        let [kept, recomputed] = best.map(|time| time.as_secs_f64());
        println!(
            "prompt {length}: cached {kept:.4} s, recomputed {recomputed:.4} s, ratio {:.2}",
            recomputed / kept
        );
    }
    Ok(())
}
