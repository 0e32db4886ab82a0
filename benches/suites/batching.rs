//! The batcher over `MiniLM`: padding, single and batched requests, lookup, and all steps from text to embedding.
#![expect(clippy::print_stderr, reason = "a bench prints to standard error")]

mod common;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use criterion::{BenchmarkId, Criterion, Throughput};
use perfgate_suites::batching::{Answers, Batcher, PaddedBatch, RequestId};
use perfgate_suites::session::SessionOptions;
use perfgate_suites::tokenization::{Tokenizer, generate_prose};
use perfgate_suites::transformer::{Encoder, cosine_similarity};

const BATCH_SIZES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const LARGEST: usize = 64;
const SINGLE: usize = 8;
const LOOKUP: u32 = 1000;

fn main() -> ExitCode {
    common::run_suite(bench_all)
}

fn bench_all(criterion: &mut Criterion, options: &SessionOptions) -> anyhow::Result<()> {
    let tokenizer = Tokenizer::open_bert()?;
    let mut encoder = Encoder::open(options)?;
    let words = tokenizer.list_words();
    let texts = (0..LARGEST)
        .map(|seed| generate_prose(&words, 16 + seed % 32, seed as u64))
        .collect::<Vec<_>>();
    let texts = texts.iter().map(String::as_str).collect::<Vec<_>>();
    let requests = tokenizer.encode_batch(&texts)?;
    assert_batches_agree(&mut encoder, &requests[..SINGLE])?;

    let mut group = criterion.benchmark_group("batching");
    group.bench_function("create", |bencher| {
        bencher.iter(|| Encoder::open(options).expect("it was opened before"));
    });
    group.bench_function(BenchmarkId::new("pad", LARGEST), |bencher| {
        bencher.iter(|| PaddedBatch::new(black_box(&requests)));
    });
    group.throughput(Throughput::Elements(SINGLE as u64));
    group.bench_function(BenchmarkId::new("single", SINGLE), |bencher| {
        bencher.iter(|| embed(&mut encoder, black_box(&requests[..SINGLE]), 1));
    });
    for size in BATCH_SIZES {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("batched", size), |bencher| {
            bencher.iter(|| embed(&mut encoder, black_box(&requests[..size]), size));
        });
    }
    group.throughput(Throughput::Elements(SINGLE as u64));
    group.bench_function(BenchmarkId::new("end_to_end", SINGLE), |bencher| {
        bencher.iter(|| {
            let requests =
                tokenizer.encode_batch(black_box(&texts[..SINGLE])).expect("every text has tokens");
            embed(&mut encoder, &requests, SINGLE)
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

fn embed(encoder: &mut Encoder, requests: &[Vec<u32>], batch_size: usize) -> Answers<Vec<f32>> {
    let batch_size = NonZeroUsize::new(batch_size).expect("batch sizes are positive");
    run_batcher(batch_size, requests.iter().cloned(), |batch| Ok(encoder.embed(batch)?))
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
