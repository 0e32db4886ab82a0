//! GPT-2's byte-pair encoding and BERT's `WordPiece`: creation, short texts, batches, long texts, decoding.
//!
//! `gpt2` merges every word again. `gpt2_cached` keeps the tokens of words, as users of `tokenizers` get it by default: after
//! the first calls it knows all words of a bench, so that only lookups are measured.
#![expect(clippy::print_stderr, reason = "a bench prints to standard error")]

mod cold_start;
mod common;

use std::cell::LazyCell;
use std::hint::black_box;
use std::process::ExitCode;

use cold_start::ColdStart;
use criterion::{BenchmarkId, Criterion, Throughput};
use perfgate_alloc::CountingAllocator;
use perfgate_suites::InferenceError;
use perfgate_suites::session::SessionOptions;
use perfgate_suites::tokenization::{Tokenizer, WordCache, generate_prose};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

const SHORT_TEXT: &str =
    "Nothing slips into the main branch unless the numbers say that it is still fast enough.";
const BATCH_SIZES: [usize; 4] = [8, 16, 32, 64];
const CACHED_BATCH: usize = 32;
const LONG_TEXT: usize = 500;
const VERY_LONG_TEXT: usize = 1 << 16;
const SEED: u64 = 1;

const COLD_STARTS: [ColdStart; 2] = [
    ("gpt2", |_| Tokenizer::open_gpt2(WordCache::Off).map(drop)),
    ("bert", |_| Tokenizer::open_bert().map(drop)),
];

fn main() -> ExitCode {
    cold_start::answer(&COLD_STARTS).unwrap_or_else(|| common::run_suite(bench_all))
}

fn bench_all(criterion: &mut Criterion, _: &SessionOptions) -> anyhow::Result<()> {
    let words = Tokenizer::open_bert()?.list_words();
    bench_tokenizer(criterion, "gpt2", || Tokenizer::open_gpt2(WordCache::Off), &words)?;
    bench_word_cache(criterion, &words)?;
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
    group.bench_function("cold_create", |bencher| cold_start::time_cold_starts(bencher, name));

    group.throughput(Throughput::Bytes(SHORT_TEXT.len() as u64));
    group.bench_function("short", |bencher| {
        perfgate_alloc::record(&format!("tokenization/{name}/short"), || encode(SHORT_TEXT));
        bencher.iter(|| encode(SHORT_TEXT));
    });

    let texts = generate_texts(words);
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

/// Measures GPT-2's encoding where the tokens of all words are known.
fn bench_word_cache(criterion: &mut Criterion, words: &[String]) -> anyhow::Result<()> {
    let tokenizer = Tokenizer::open_gpt2(WordCache::Kept)?;
    let encode = |text: &str| tokenizer.encode(black_box(text)).expect("every text has tokens");
    let mut group = criterion.benchmark_group("tokenization/gpt2_cached");
    group.throughput(Throughput::Bytes(SHORT_TEXT.len() as u64));
    group.bench_function("short", |bencher| bencher.iter(|| encode(SHORT_TEXT)));

    let texts = generate_texts(words);
    let batch = texts[..CACHED_BATCH].iter().map(String::as_str).collect::<Vec<_>>();
    group.throughput(Throughput::Elements(CACHED_BATCH as u64));
    group.bench_function(BenchmarkId::new("batch", CACHED_BATCH), |bencher| {
        bencher.iter(|| tokenizer.encode_batch(black_box(&batch)).expect("every text has tokens"));
    });

    let text = generate_prose(words, LONG_TEXT, SEED);
    group.throughput(Throughput::Bytes(LONG_TEXT as u64));
    group.bench_function(BenchmarkId::new("long", LONG_TEXT), |bencher| {
        bencher.iter(|| encode(&text));
    });
    group.finish();
    Ok(())
}

/// Generates as many texts as the largest batch has, each of another length.
fn generate_texts(words: &[String]) -> Vec<String> {
    let largest = BATCH_SIZES[BATCH_SIZES.len() - 1];
    (0..largest).map(|seed| generate_prose(words, 40 + 3 * seed, seed as u64)).collect()
}
