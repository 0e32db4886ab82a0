//! The batcher over `MiniLM`: padding, single and batched requests, lookup, and all steps from text to embedding.
#![expect(clippy::print_stderr, reason = "a bench prints to standard error")]

mod cold_start;
mod common;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use cold_start::ColdStart;
use criterion::{BatchSize, Bencher, BenchmarkId, Criterion, Throughput};
use perfgate_suites::batching::{Answers, Batcher, PaddedBatch, RequestId};
use perfgate_suites::session::SessionOptions;
use perfgate_suites::tokenization::{Tokenizer, generate_prose};
use perfgate_suites::transformer::{Encoder, cosine_similarity};

const BATCH_SIZES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const LARGEST: usize = 64;
const SINGLE: usize = 8;
/// Tokens of each request in the batches of [`BATCH_SIZES`].
const REQUEST_TOKENS: usize = 16;
/// Tokens of the requests in mixed batches.
const MIXED_TOKENS: [usize; 4] = [16, 40, 96, 256];
/// Bytes of the texts that become embeddings from end to end: 20 to 30 tokens.
const TEXT_BYTES: usize = 100;
const LOOKUP: u32 = 1000;

const COLD_STARTS: [ColdStart; 1] = [("minilm", |options| Encoder::open(options).map(drop))];

fn main() -> ExitCode {
    cold_start::answer(&COLD_STARTS).unwrap_or_else(|| common::run_suite(bench_all))
}

fn bench_all(criterion: &mut Criterion, options: &SessionOptions) -> anyhow::Result<()> {
    let tokenizer = Tokenizer::open_bert()?;
    let mut encoder = Encoder::open(options)?;
    let words = tokenizer.list_words();
    let request = |tokens, seed| generate_request(&tokenizer, &words, tokens, seed);
    let requests = (0..LARGEST)
        .map(|seed| request(REQUEST_TOKENS, seed as u64))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mixed = MIXED_TOKENS.iter().zip(0..).map(|(tokens, seed)| request(*tokens, seed));
    let mixed = mixed.collect::<anyhow::Result<Vec<_>>>()?;
    let texts = (0..SINGLE).map(|seed| generate_prose(&words, TEXT_BYTES, seed as u64));
    let texts = texts.collect::<Vec<_>>();
    let texts = texts.iter().map(String::as_str).collect::<Vec<_>>();
    assert_batches_agree(&mut encoder, &mixed)?;

    let mut group = criterion.benchmark_group("batching");
    group.bench_function("create", |bencher| {
        bencher.iter(|| Encoder::open(options).expect("it was opened before"));
    });
    group.bench_function("cold_create", |bencher| cold_start::time_cold_starts(bencher, "minilm"));
    group.bench_function(BenchmarkId::new("pad", LARGEST), |bencher| {
        let requests = mixed.iter().cycle().take(LARGEST).collect::<Vec<_>>();
        bencher.iter(|| PaddedBatch::new(black_box(&requests)));
    });
    group.throughput(Throughput::Elements(SINGLE as u64));
    group.bench_function(BenchmarkId::new("single", SINGLE), |bencher| {
        time_embedding(bencher, &mut encoder, &requests[..SINGLE], 1);
    });
    for size in BATCH_SIZES {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("batched", size), |bencher| {
            time_embedding(bencher, &mut encoder, &requests[..size], size);
        });
    }
    group.throughput(Throughput::Elements(mixed.len() as u64));
    for (name, size) in [("mixed/single", 1), ("mixed/batched", mixed.len())] {
        group.bench_function(BenchmarkId::new(name, mixed.len()), |bencher| {
            time_embedding(bencher, &mut encoder, &mixed, size);
        });
    }
    group.throughput(Throughput::Elements(SINGLE as u64));
    group.bench_function(BenchmarkId::new("end_to_end", SINGLE), |bencher| {
        bencher.iter(|| {
            let requests =
                tokenizer.encode_batch(black_box(&texts)).expect("every text has tokens");
            embed(&mut encoder, requests, SINGLE)
        });
    });

    let (ids, answers) =
        run_batcher(NonZeroUsize::MIN, (0..LOOKUP).map(|request| vec![request]), |batch| {
            Ok(batch.tokens.clone())
        })?;
    let listed = ids.iter().map(|&id| (id, answers.get(id).copied())).collect::<Vec<_>>();
    group.throughput(Throughput::Elements(u64::from(LOOKUP)));
    group.bench_function("lookup/by_id", |bencher| {
        bencher.iter(|| ids.iter().filter(|&&id| answers.get(black_box(id)).is_some()).count());
    });
    group.bench_function("lookup/by_scan", |bencher| {
        bencher.iter(|| {
            ids.iter()
                .filter(|&&id| listed.iter().any(|(other, _)| *other == black_box(id)))
                .count()
        });
    });
    group.finish();
    Ok(())
}

/// Puts all requests through a new batcher, and returns their ids and answers.
fn run_batcher<A>(
    batch_size: NonZeroUsize,
    requests: impl IntoIterator<Item = Vec<u32>>,
    infer: impl FnMut(&PaddedBatch) -> anyhow::Result<Vec<A>>,
) -> anyhow::Result<(Vec<RequestId>, Answers<A>)> {
    let mut batcher = Batcher::new(batch_size);
    let ids = requests.into_iter().map(|tokens| batcher.push(tokens)).collect();
    Ok((ids, batcher.run(infer)?))
}

/// Generates a request of `count` tokens, from prose that has more.
fn generate_request(
    tokenizer: &Tokenizer,
    words: &[String],
    count: usize,
    seed: u64,
) -> anyhow::Result<Vec<u32>> {
    const BYTES_PER_TOKEN: usize = 8;
    let mut tokens = tokenizer.encode(&generate_prose(words, BYTES_PER_TOKEN * count, seed))?;
    let end = tokens.last().copied();
    anyhow::ensure!(tokens.len() >= count, "the prose has only {} tokens", tokens.len());
    tokens.truncate(count - 1);
    tokens.extend(end);
    Ok(tokens)
}

/// Measures the batcher and the model. The copies of the requests, which the batcher takes, are made beforehand.
fn time_embedding(
    bencher: &mut Bencher<'_>,
    encoder: &mut Encoder,
    requests: &[Vec<u32>],
    batch_size: usize,
) {
    bencher.iter_batched(
        || requests.to_vec(),
        |requests| embed(encoder, requests, batch_size),
        BatchSize::PerIteration,
    );
}

fn embed(encoder: &mut Encoder, requests: Vec<Vec<u32>>, batch_size: usize) -> Answers<Vec<f32>> {
    let batch_size = NonZeroUsize::new(batch_size).expect("batch sizes are positive");
    run_batcher(batch_size, requests, |batch| Ok(encoder.embed(batch)?))
        .expect("the model ran before")
        .1
}

/// Asserts that a request has the same embedding in a batch and alone.
fn assert_batches_agree(encoder: &mut Encoder, requests: &[Vec<u32>]) -> anyhow::Result<()> {
    let together = encoder.embed(&PaddedBatch::new(requests))?;
    for (request, embedding) in requests.iter().zip(together) {
        let alone = encoder.embed(&PaddedBatch::new(&[request]))?;
        assert!(
            cosine_similarity(&alone[0], &embedding) > 0.999,
            "padding must not change what a request means"
        );
    }
    Ok(())
}
