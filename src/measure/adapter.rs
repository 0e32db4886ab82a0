//! Adapters: what other harnesses print or write, as launches with samples.
//!
//! Each adapter is a pure function from the bytes of one file to the launches in it. One file is one
//! launch unless the format has launches itself. `docs/adapters.md` lists what each one reads.

mod entry;
mod parse;
mod aiperf;
mod asv;
mod benchmark_dotnet;
mod benchmark_ips;
mod benchmark_js;
mod catch2;
mod custom_values;
mod divan;
mod genai_perf;
mod go_testing;
mod google_benchmark;
mod guidellm;
mod hdr_histogram;
mod hyperfine;
mod jmh;
mod k6;
mod libtest;
mod llama_bench;
mod locust;
mod mitata;
mod mlperf_loadgen;
mod nanobench;
mod oha;
mod package_benchmark;
mod pyperf;
mod pytest_benchmark;
mod swift_benchmark;
mod tango;
mod tinybench;
mod vegeta;
mod vitest;
mod vllm;
mod wrk;
mod criterion_folder;
mod kind;
mod detect;
mod merge;
mod choice;
mod load_words;

pub(crate) use choice::AdapterChoice;
#[cfg(feature = "internals")]
pub(crate) use detect::detect_adapter;
pub(crate) use entry::{AdapterError, AdapterRun};
#[cfg(feature = "internals")]
pub(crate) use kind::Adapter;
pub(crate) use load_words::list_load_conditions;
pub(crate) use merge::merge_launches;

#[cfg(test)]
mod tests;
