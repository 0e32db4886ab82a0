//! GPT-2's byte-pair encoding and BERT's `WordPiece`: creation, short text, batches, long text, decoding.
#![expect(clippy::print_stderr, reason = "a bench reports on standard error")]

mod common;

use std::cell::LazyCell;
use std::hint::black_box;
use std::process::ExitCode;

use criterion::{BenchmarkId, Criterion, Throughput};
use perfgate::inference::InferenceError;
use perfgate::inference::session::Options;
use perfgate::inference::tokenization::{Tokenizer, prose};

const SHORT_TEXT: &str =
    "Nothing slips into the main branch unless the numbers say that it is still fast enough.";
const BATCHES: [usize; 4] = [8, 16, 32, 64];
const LONG_TEXT: usize = 500;
const VERY_LONG_TEXT: usize = 1 << 20;
const SEED: u64 = 1;

fn main() -> ExitCode {
    common::run(suite)
}

fn suite(criterion: &mut Criterion, _: &Options) -> anyhow::Result<()> {
    let words = Tokenizer::bert()?.words();
    measure(criterion, "gpt2", Tokenizer::gpt2, &words)?;
    measure(criterion, "bert", Tokenizer::bert, &words)
}

fn measure(
    criterion: &mut Criterion,
    name: &str,
    create: impl Fn() -> Result<Tokenizer, InferenceError>,
    words: &[String],
) -> anyhow::Result<()> {
    let tokenizer = create()?;
    let encode = |text: &str| tokenizer.encode(black_box(text)).expect("every text has tokens");
    let mut group = criterion.benchmark_group(format!("tokenization/{name}"));
    group.bench_function("create", |bencher| {
        bencher.iter(|| create().expect("it was created before"));
    });

    group.throughput(Throughput::Bytes(SHORT_TEXT.len() as u64));
    group.bench_function("short", |bencher| bencher.iter(|| encode(SHORT_TEXT)));

    let texts = (0..BATCHES[BATCHES.len() - 1])
        .map(|seed| prose(words, 40 + 3 * seed, seed as u64))
        .collect::<Vec<_>>();
    for size in BATCHES {
        let batch = texts[..size].iter().map(String::as_str).collect::<Vec<_>>();
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("batch", size), |bencher| {
            bencher
                .iter(|| tokenizer.encode_batch(black_box(&batch)).expect("every text has tokens"));
        });
    }

    let text = prose(words, LONG_TEXT, SEED);
    let tokens = encode(&text);
    let (elements, bytes) = (tokens.len() as u64, LONG_TEXT as u64);
    group.throughput(Throughput::ElementsAndBytes { elements, bytes });
    group.bench_function(BenchmarkId::new("long", LONG_TEXT), |bencher| {
        bencher.iter(|| encode(&text));
    });

    // Made when it is measured: it takes longer than everything else in a launch that does not want it.
    let very_long = LazyCell::new(|| prose(words, VERY_LONG_TEXT, SEED));
    group.throughput(Throughput::Bytes(VERY_LONG_TEXT as u64));
    group.bench_function(BenchmarkId::new("long", VERY_LONG_TEXT), |bencher| {
        bencher.iter(|| encode(&very_long));
    });

    let decode = || tokenizer.decode(black_box(&tokens)).expect("its own tokens have a text");
    assert_eq!(
        decode().to_lowercase(),
        text.to_lowercase().trim_end(),
        "decoding gives back what was encoded"
    );
    group.throughput(Throughput::Elements(tokens.len() as u64));
    group.bench_function("decode", |bencher| bencher.iter(decode));
    group.finish();
    Ok(())
}
