//! The batcher over `MiniLM`: padding, single against batched, lookup, and the way from text to embedding.
#![expect(clippy::print_stderr, reason = "a bench reports on standard error")]

mod common;

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use criterion::{BenchmarkId, Criterion, Throughput};
use perfgate::inference::batching::{Answers, Batcher, Padded, RequestId};
use perfgate::inference::session::Options;
use perfgate::inference::tokenization::{Tokenizer, prose};
use perfgate::inference::transformer::{Encoder, similarity};

const BATCHES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const LARGEST: usize = 64;
const SINGLE: usize = 8;
const LOOKUP: u32 = 1000;

fn main() -> ExitCode {
    common::run(suite)
}

fn suite(criterion: &mut Criterion, options: &Options) -> anyhow::Result<()> {
    let tokenizer = Tokenizer::bert()?;
    let mut encoder = Encoder::open(options)?;
    let words = tokenizer.words();
    let texts =
        (0..LARGEST).map(|seed| prose(&words, 16 + seed % 32, seed as u64)).collect::<Vec<_>>();
    let texts = texts.iter().map(String::as_str).collect::<Vec<_>>();
    let requests = tokenizer.encode_batch(&texts)?;
    batches_agree_with_single_requests(&mut encoder, &requests[..SINGLE])?;

    let mut group = criterion.benchmark_group("batching");
    group.bench_function("create", |bencher| {
        bencher.iter(|| Encoder::open(options).expect("it was opened before"));
    });
    group.bench_function(BenchmarkId::new("pad", LARGEST), |bencher| {
        bencher.iter(|| Padded::new(black_box(&requests)));
    });
    group.throughput(Throughput::Elements(SINGLE as u64));
    group.bench_function(BenchmarkId::new("single", SINGLE), |bencher| {
        bencher.iter(|| embed(&mut encoder, black_box(&requests[..SINGLE]), 1));
    });
    for size in BATCHES {
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
        through(NonZeroUsize::MIN, (0..LOOKUP).map(|request| vec![request]), |batch| {
            Ok(batch.tokens.clone())
        })?;
    let scanned = ids.iter().map(|&id| (id, answers.get(id).copied())).collect::<Vec<_>>();
    group.throughput(Throughput::Elements(u64::from(LOOKUP)));
    group.bench_function("lookup/by_id", |bencher| {
        bencher.iter(|| ids.iter().filter(|&&id| answers.get(black_box(id)).is_some()).count());
    });
    group.bench_function("lookup/by_scan", |bencher| {
        bencher.iter(|| {
            ids.iter()
                .filter(|&&id| scanned.iter().any(|(other, _)| *other == black_box(id)))
                .count()
        });
    });
    group.finish();
    Ok(())
}

fn through<A>(
    batch_size: NonZeroUsize,
    requests: impl IntoIterator<Item = Vec<u32>>,
    infer: impl FnMut(&Padded) -> anyhow::Result<Vec<A>>,
) -> anyhow::Result<(Vec<RequestId>, Answers<A>)> {
    let mut batcher = Batcher::new(batch_size);
    let ids = requests.into_iter().map(|tokens| batcher.push(tokens)).collect();
    Ok((ids, batcher.run(infer)?))
}

fn embed(encoder: &mut Encoder, requests: &[Vec<u32>], batch_size: usize) -> Answers<Vec<f32>> {
    let batch_size = NonZeroUsize::new(batch_size).expect("no batch is empty");
    through(batch_size, requests.iter().cloned(), |batch| Ok(encoder.embed(batch)?))
        .expect("the model ran before")
        .1
}

fn batches_agree_with_single_requests(
    encoder: &mut Encoder,
    requests: &[Vec<u32>],
) -> anyhow::Result<()> {
    let together = encoder.embed(&Padded::new(requests))?;
    for (request, embedding) in requests.iter().zip(together) {
        let alone = encoder.embed(&Padded::new(&[request]))?;
        assert!(
            similarity(&alone[0], &embedding) > 0.999,
            "padding must not change what a request means"
        );
    }
    Ok(())
}
