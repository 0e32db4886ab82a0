//! GPT-2's byte-pair encoding and BERT's `WordPiece`: creation, short texts, batches, long texts, decoding.
#![expect(clippy::print_stderr, reason = "a bench prints to standard error")]

mod common;

use std::cell::LazyCell;
use std::hint::black_box;
use std::process::ExitCode;

use criterion::{BenchmarkId, Criterion, Throughput};
use perfgate_alloc::CountingAllocator;
use perfgate_suites::InferenceError;
use perfgate_suites::session::SessionOptions;
use perfgate_suites::tokenization::{Tokenizer, generate_prose};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

const SHORT_TEXT: &str =
    "Nothing slips into the main branch unless the numbers say that it is still fast enough.";
const BATCH_SIZES: [usize; 4] = [8, 16, 32, 64];
const LONG_TEXT: usize = 500;
const VERY_LONG_TEXT: usize = 1 << 20;
const SEED: u64 = 1;

fn main() -> ExitCode {
    common::run_suite(bench_all)
}

fn bench_all(criterion: &mut Criterion, _: &SessionOptions) -> anyhow::Result<()> {
    let words = Tokenizer::open_bert()?.list_words();
    bench_tokenizer(criterion, "gpt2", Tokenizer::open_gpt2, &words)?;
    bench_tokenizer(criterion, "bert", Tokenizer::open_bert, &words)
}

fn bench_tokenizer(
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
    group.bench_function("short", |bencher| {
        perfgate_alloc::record(&format!("tokenization/{name}/short"), || encode(SHORT_TEXT));
        bencher.iter(|| encode(SHORT_TEXT));
    });

    let texts = (0..BATCH_SIZES[BATCH_SIZES.len() - 1])
        .map(|seed| generate_prose(words, 40 + 3 * seed, seed as u64))
        .collect::<Vec<_>>();
    for size in BATCH_SIZES {
        let batch = texts[..size].iter().map(String::as_str).collect::<Vec<_>>();
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("batch", size), |bencher| {
            bencher
                .iter(|| tokenizer.encode_batch(black_box(&batch)).expect("every text has tokens"));
        });
    }

    let text = generate_prose(words, LONG_TEXT, SEED);
    let tokens = encode(&text);
    let (elements, bytes) = (tokens.len() as u64, LONG_TEXT as u64);
    group.throughput(Throughput::ElementsAndBytes { elements, bytes });
    group.bench_function(BenchmarkId::new("long", LONG_TEXT), |bencher| {
        bencher.iter(|| encode(&text));
    });

    // Generated on first use: in a launch that does not measure it, this would take longer than everything else.
    let very_long = LazyCell::new(|| generate_prose(words, VERY_LONG_TEXT, SEED));
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
