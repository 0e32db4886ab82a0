//! The harnesses whose files perfgate reads, with their names and their parsers.

use super::entry::{AdapterError, AdapterRun};
use super::{
    aiperf, asv, benchmark_dotnet, benchmark_ips, benchmark_js, catch2, custom_values, divan,
    genai_perf, go_testing, google_benchmark, guidellm, hdr_histogram, hyperfine, jmh, k6, libtest,
    llama_bench, locust, mitata, mlperf_loadgen, nanobench, oha, package_benchmark, pyperf,
    pytest_benchmark, swift_benchmark, tango, tinybench, vegeta, vitest, vllm, wrk,
};

/// A harness whose files perfgate reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adapter {
    /// AIPerf, a load generator for language models.
    Aiperf,
    /// asv, for Python.
    Asv,
    /// BenchmarkDotNet.
    BenchmarkDotnet,
    /// benchmark-ips, for Ruby.
    BenchmarkIps,
    /// Benchmark.js.
    BenchmarkJs,
    /// github-action-benchmark's format for own tools, with values such as operations per second.
    BiggerIsBetter,
    /// Catch2, for C++.
    Catch2,
    /// divan, for Rust.
    Divan,
    /// GenAI-Perf and Perf Analyzer, load generators for models.
    GenaiPerf,
    /// Go's `testing`.
    GoTesting,
    /// Google Benchmark, for C++.
    GoogleBenchmark,
    /// GuideLLM, a load generator for language models.
    Guidellm,
    /// HdrHistogram with values in milliseconds.
    HdrMilliseconds,
    /// HdrHistogram with values in nanoseconds.
    HdrNanoseconds,
    /// HdrHistogram with values in microseconds.
    HdrMicroseconds,
    /// hyperfine, for commands.
    Hyperfine,
    /// JMH, for Java and Kotlin.
    Jmh,
    /// k6, a load generator.
    K6,
    /// Rust's own `#[bench]`.
    Libtest,
    /// llama-bench of llama.cpp.
    LlamaBench,
    /// Locust, a load generator.
    Locust,
    /// mitata, for JavaScript.
    Mitata,
    /// LoadGen of MLPerf.
    MlperfLoadgen,
    /// nanobench, for C++.
    Nanobench,
    /// oha, a load generator.
    Oha,
    /// package-benchmark, for Swift.
    PackageBenchmark,
    /// pyperf, for Python.
    Pyperf,
    /// pytest-benchmark.
    PytestBenchmark,
    /// github-action-benchmark's format for own tools, with values such as times.
    SmallerIsBetter,
    /// Google's swift-benchmark.
    SwiftBenchmark,
    /// tango, for Rust.
    Tango,
    /// tinybench, for JavaScript.
    Tinybench,
    /// vegeta, a load generator.
    Vegeta,
    /// Vitest bench.
    Vitest,
    /// vLLM's `bench serve`.
    Vllm,
    /// wrk and wrk2, load generators.
    Wrk,
}

/// All adapters with their names, in the order of the names.
const ADAPTERS: [(&str, Adapter); 36] = [
    ("aiperf", Adapter::Aiperf),
    ("asv", Adapter::Asv),
    ("benchmark-dotnet", Adapter::BenchmarkDotnet),
    ("benchmark-ips", Adapter::BenchmarkIps),
    ("benchmark-js", Adapter::BenchmarkJs),
    ("bigger-is-better", Adapter::BiggerIsBetter),
    ("catch2", Adapter::Catch2),
    ("divan", Adapter::Divan),
    ("genai-perf", Adapter::GenaiPerf),
    ("go", Adapter::GoTesting),
    ("google-benchmark", Adapter::GoogleBenchmark),
    ("guidellm", Adapter::Guidellm),
    ("hdrhistogram-ms", Adapter::HdrMilliseconds),
    ("hdrhistogram-ns", Adapter::HdrNanoseconds),
    ("hdrhistogram-us", Adapter::HdrMicroseconds),
    ("hyperfine", Adapter::Hyperfine),
    ("jmh", Adapter::Jmh),
    ("k6", Adapter::K6),
    ("libtest", Adapter::Libtest),
    ("llama-bench", Adapter::LlamaBench),
    ("locust", Adapter::Locust),
    ("mitata", Adapter::Mitata),
    ("mlperf-loadgen", Adapter::MlperfLoadgen),
    ("nanobench", Adapter::Nanobench),
    ("oha", Adapter::Oha),
    ("package-benchmark", Adapter::PackageBenchmark),
    ("pyperf", Adapter::Pyperf),
    ("pytest-benchmark", Adapter::PytestBenchmark),
    ("smaller-is-better", Adapter::SmallerIsBetter),
    ("swift-benchmark", Adapter::SwiftBenchmark),
    ("tango", Adapter::Tango),
    ("tinybench", Adapter::Tinybench),
    ("vegeta", Adapter::Vegeta),
    ("vitest", Adapter::Vitest),
    ("vllm", Adapter::Vllm),
    ("wrk", Adapter::Wrk),
];

impl Adapter {
    /// Returns the names of all adapters, as the command line takes them.
    pub(crate) fn list_names() -> impl Iterator<Item = &'static str> {
        ADAPTERS.iter().map(|(name, _)| *name)
    }

    /// Returns the adapter with this name. Returns `None` if there is none.
    pub(crate) fn find(name: &str) -> Option<Self> {
        ADAPTERS.iter().find(|(known, _)| *known == name).map(|(_, adapter)| *adapter)
    }

    /// Returns the name of the adapter, as the command line takes it.
    pub(crate) fn name(self) -> &'static str {
        let named = ADAPTERS.iter().find(|(_, adapter)| *adapter == self);
        named.map_or("adapter", |(name, _)| name)
    }

    /// Reads the launches of one file.
    ///
    /// # Errors
    ///
    /// Fails if the file is not what the harness writes, or a number in it is not valid.
    pub(crate) fn parse(self, bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
        let parse = match self {
            Self::Aiperf => aiperf::parse_aiperf,
            Self::Asv => asv::parse_asv,
            Self::BenchmarkDotnet => benchmark_dotnet::parse_benchmark_dotnet,
            Self::BenchmarkIps => benchmark_ips::parse_benchmark_ips,
            Self::BenchmarkJs => benchmark_js::parse_benchmark_js,
            Self::BiggerIsBetter => custom_values::parse_bigger_is_better,
            Self::Catch2 => catch2::parse_catch2,
            Self::Divan => divan::parse_divan,
            Self::GenaiPerf => genai_perf::parse_genai_perf,
            Self::GoTesting => go_testing::parse_go_testing,
            Self::GoogleBenchmark => google_benchmark::parse_google_benchmark,
            Self::Guidellm => guidellm::parse_guidellm,
            Self::HdrMilliseconds => hdr_histogram::parse_hdr_milliseconds,
            Self::HdrNanoseconds => hdr_histogram::parse_hdr_nanoseconds,
            Self::HdrMicroseconds => hdr_histogram::parse_hdr_microseconds,
            Self::Hyperfine => hyperfine::parse_hyperfine,
            Self::Jmh => jmh::parse_jmh,
            Self::K6 => k6::parse_k6,
            Self::Libtest => libtest::parse_libtest,
            Self::LlamaBench => llama_bench::parse_llama_bench,
            Self::Locust => locust::parse_locust,
            Self::Mitata => mitata::parse_mitata,
            Self::MlperfLoadgen => mlperf_loadgen::parse_mlperf_loadgen,
            Self::Nanobench => nanobench::parse_nanobench,
            Self::Oha => oha::parse_oha,
            Self::PackageBenchmark => package_benchmark::parse_package_benchmark,
            Self::Pyperf => pyperf::parse_pyperf,
            Self::PytestBenchmark => pytest_benchmark::parse_pytest_benchmark,
            Self::SmallerIsBetter => custom_values::parse_smaller_is_better,
            Self::SwiftBenchmark => swift_benchmark::parse_swift_benchmark,
            Self::Tango => tango::parse_tango,
            Self::Tinybench => tinybench::parse_tinybench,
            Self::Vegeta => vegeta::parse_vegeta,
            Self::Vitest => vitest::parse_vitest,
            Self::Vllm => vllm::parse_vllm,
            Self::Wrk => wrk::parse_wrk,
        };
        parse(bytes)
    }
}
