//! Calls of the suites' models outside Criterion, for figures that compare them with something else.
//!
//! `figures graphsage CALLS` prints the nanoseconds of each call of `GraphSAGE` at batch 1 as JSON.
//! `figures overhead ROUNDS` prints what a sample holds besides the call, next to a bare pair of clock readings.
//! `figures batch-size MILLISECONDS` prints the batch that fits a limit by measurement, next to the assumed one.
//! `figures kv-cache ROUNDS` prints what the cache of keys and values gains for 100 tokens.
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use criterion::Criterion;
use perfgate::inference::batching::{
    Cost, LARGEST_BATCH, Limits, Padded, assumed_batch_size, measured_batch_size,
};
use perfgate::inference::graphsage::{FEATURES, GraphSage};
use perfgate::inference::memory::peak_during;
use perfgate::inference::session::Options;
use perfgate::inference::tokenization::{Tokenizer, prose};
use perfgate::inference::transformer::{Cache, Decoder, Encoder, Sampler};

const WARM_UP: usize = 50;
/// Calls of a round in `overhead`.
const CALLS: usize = 200;
/// Mebibytes that the process may take in `batch-size`.
const MEMORY: u64 = 1024;
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
        "graphsage" => graphsage(count),
        "overhead" => overhead(count),
        "batch-size" => batch_size(Duration::from_millis(u64::try_from(count)?)),
        "kv-cache" => kv_cache(count),
        _ => bail!("`{figure}` is no figure: graphsage, overhead, batch-size, kv-cache"),
    }
}

fn graphsage(calls: usize) -> anyhow::Result<()> {
    let mut model = GraphSage::alone(&Options::from_environment()?)?;
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

/// Calls of nothing, timed by two clock readings and by Criterion as perfgate starts it, in turn.
fn overhead(rounds: usize) -> anyhow::Result<()> {
    let (mut bare, mut sampled) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        bare.extend((0..CALLS).map(|_| {
            let started = Instant::now();
            black_box(());
            started.elapsed().as_nanos() as f64
        }));
        sampled.extend(samples_of_nothing()?);
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

fn samples_of_nothing() -> anyhow::Result<Vec<f64>> {
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
    let many = numbers("iters")?.iter().any(|iters| (iters - 1.0).abs() > f64::EPSILON);
    anyhow::ensure!(!many, "a sample has many calls");
    numbers("times")
}

/// `MiniLM` on 32 words a request: how many requests go together when 95 % of batches must be done in time.
fn batch_size(latency: Duration) -> anyhow::Result<()> {
    let tokenizer = Tokenizer::bert()?;
    let mut encoder = Encoder::open(&Options::from_environment()?)?;
    let request = tokenizer.encode(&prose(&tokenizer.words(), 32, 1))?;
    let mut measure = |size: usize| -> anyhow::Result<Cost> {
        let padded = Padded::new(&vec![&request; size]);
        let (bound, memory_bytes) = peak_during(|| slow_call(&mut encoder, &padded));
        let cost = Cost { latency: bound?, memory_bytes };
        let memory = memory_bytes.map_or_else(|| "?".to_owned(), |bytes| (bytes >> 20).to_string());
        println!("batch {size:4}: p95 at most {:7.2} ms, {memory} MiB", milliseconds(cost.latency));
        Ok(cost)
    };
    let limits = Limits { latency, memory_bytes: Some(MEMORY << 20) };
    let chosen = measured_batch_size(&limits, LARGEST_BATCH, &mut measure)?;
    let limit = milliseconds(latency);
    match chosen {
        Some((size, _)) => println!("measured: {size} requests fit {limit:.0} ms and {MEMORY} MiB"),
        None => println!("measured: not even one request fits {limit:.0} ms and {MEMORY} MiB"),
    }
    let assumed = assumed_batch_size(u32::try_from(MEMORY)?, latency);
    println!("assumed: {assumed} requests; in truth");
    measure(assumed)?;
    Ok(())
}

/// The upper 95 % bound of the 95th percentile, from as few calls as it takes: the largest of 59, since
/// 0.95⁵⁹ is the first power below 5 %.
fn slow_call(encoder: &mut Encoder, padded: &Padded) -> anyhow::Result<Duration> {
    const FEWEST: usize = 59;
    encoder.embed(padded)?;
    let mut seconds = Vec::new();
    for _ in 0..FEWEST {
        let started = Instant::now();
        black_box(encoder.embed(black_box(padded))?);
        seconds.push(started.elapsed().as_secs_f64());
    }
    Ok(Duration::from_secs_f64(seconds.into_iter().fold(0.0, f64::max)))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn kv_cache(rounds: usize) -> anyhow::Result<()> {
    let options = Options::from_environment()?;
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
            for (place, cache) in [Cache::Kept, Cache::Recomputed].into_iter().enumerate() {
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
