//! Calls of the suites' models outside Criterion, for figures that compare them with something else.
//!
//! `figures graphsage CALLS` prints the nanoseconds of each call of `GraphSAGE` at batch 1 as JSON.
//! `figures kv-cache ROUNDS` prints what the cache of keys and values gains for 100 tokens.
#![expect(clippy::print_stdout, reason = "the figures are its output")]

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use perfgate::inference::graphsage::{FEATURES, GraphSage};
use perfgate::inference::session::Options;
use perfgate::inference::transformer::{Cache, Decoder, Sampler};

const WARM_UP: usize = 50;
const GENERATED: usize = 100;
const PROMPTS: [usize; 2] = [16, 128];

fn main() -> anyhow::Result<()> {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let [figure, count] = arguments.as_slice() else {
        bail!("usage: figures graphsage CALLS | kv-cache ROUNDS")
    };
    let count = count.parse::<usize>().with_context(|| format!("`{count}` is not a number"))?;
    match figure.as_str() {
        "graphsage" => graphsage(count),
        "kv-cache" => kv_cache(count),
        _ => bail!("`{figure}` is no figure: graphsage, kv-cache"),
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
