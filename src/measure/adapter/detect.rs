//! Which harness wrote a file.

use std::collections::HashSet;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::kind::Adapter;
use super::parse::quote_non_numbers;

/// Bytes of a text that are looked at. What distinguishes harnesses comes early.
const MAX_TEXT_BYTES: usize = 100_000;

/// The names of the fields of a JSON object, or of the first object of a list.
struct JsonShape {
    is_list: bool,
    keys: HashSet<String>,
    /// Names of the fields of the first object in a list of the first object.
    inner: HashSet<String>,
}

/// Returns the adapter for a file. Returns `None` if the file is not that of a known harness, or of
/// one whose format does not identify it.
pub(crate) fn detect_adapter(bytes: &[u8]) -> Option<Adapter> {
    let start = bytes.trim_ascii_start();
    if start.starts_with(b"{") || start.starts_with(b"[") {
        let json = quote_non_numbers(start);
        let mut documents = serde_json::Deserializer::from_slice(&json).into_iter::<JsonShape>();
        return detect_json(&documents.next()?.ok()?);
    }
    let end = bytes.len().min(MAX_TEXT_BYTES);
    detect_text(&String::from_utf8_lossy(&bytes[..end]))
}

fn detect_json(shape: &JsonShape) -> Option<Adapter> {
    let has = |keys: &[&str]| keys.iter().all(|key| shape.keys.contains(*key));
    let inner = |key: &str| shape.inner.contains(key);
    // The first that fits.
    // package-benchmark has the shape of JMH without the machine. Early JMH names its options otherwise.
    let of_lists: [(&[&str], Adapter); 7] = [
        (&["benchmark", "primaryMetric", "jvmArgs"], Adapter::Jmh),
        (&["benchmark", "primaryMetric", "vmArgs"], Adapter::Jmh),
        (&["benchmark", "primaryMetric"], Adapter::PackageBenchmark),
        (&["n_prompt", "samples_ns"], Adapter::LlamaBench),
        (&["num_requests", "response_times"], Adapter::Locust),
        (&["name", "microseconds", "iterations"], Adapter::BenchmarkIps),
        (&["name", "result"], Adapter::Tinybench),
    ];
    let of_objects: [(&[&str], Adapter); 20] = [
        (&["machine_info", "benchmarks"], Adapter::PytestBenchmark),
        (&["layout", "benchmarks", "context"], Adapter::Mitata),
        (&["context", "benchmarks"], Adapter::GoogleBenchmark),
        (&["result_columns", "results"], Adapter::Asv),
        (&["HostEnvironmentInfo", "Benchmarks"], Adapter::BenchmarkDotnet),
        (&["benchmarks", "version"], Adapter::Pyperf),
        (&["benchmarks", "metadata"], Adapter::Guidellm),
        (&["files"], Adapter::Vitest),
        (&["numTotalTests", "testResults"], Adapter::Vitest),
        (&["experiments", "service_kind"], Adapter::GenaiPerf),
        (&["summary", "statusCodeDistribution"], Adapter::Oha),
        (&["mean_ttft_ms", "completed"], Adapter::Vllm),
        (&["latencies", "success"], Adapter::Vegeta),
        (&["latency", "seq", "code"], Adapter::Vegeta),
        (&["metadata", "metrics"], Adapter::Aiperf),
        (&["type", "metric", "data"], Adapter::K6),
        (&["metrics"], Adapter::K6),
        (&["Action"], Adapter::GoTesting),
        (&["type", "event"], Adapter::Libtest),
        (&["0", "length"], Adapter::BenchmarkJs),
    ];
    let known: &[(&[&str], Adapter)] = if shape.is_list { &of_lists } else { &of_objects };
    let found = known.iter().find(|(keys, _)| has(keys)).map(|(_, adapter)| *adapter);
    if found.is_some() {
        return found;
    }
    if has(&["benchmarks"]) && inner("name") && inner("iterations") {
        return Some(Adapter::SwiftBenchmark);
    }
    if !has(&["results"]) {
        return None;
    }
    let of_results = [("command", Adapter::Hyperfine), ("measurements", Adapter::Nanobench)];
    of_results.iter().find(|(key, _)| inner(key)).map(|(_, adapter)| *adapter)
}

fn detect_text(text: &str) -> Option<Adapter> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with(":::MLLOG") {
        return Some(Adapter::MlperfLoadgen);
    }
    if text.starts_with("request-start,") {
        return Some(Adapter::Oha);
    }
    if text.starts_with("Type,Name,Request Count") {
        return Some(Adapter::Locust);
    }
    if text.starts_with('<') {
        return text.contains("<Catch").then_some(Adapter::Catch2);
    }
    text.lines().find_map(|line| {
        let line = line.trim();
        let has = |parts: [&str; 2]| parts.iter().all(|part| line.contains(part));
        if line.starts_with("Benchmark") && has(["\t", "ns/op"]) {
            Some(Adapter::GoTesting)
        } else if line.starts_with("test ") && has(["bench:", " ns/iter"]) {
            Some(Adapter::Libtest)
        } else if has(["fastest", "│ slowest"]) {
            Some(Adapter::Divan)
        } else if has([" ops/sec ", " runs sampled)"]) {
            Some(Adapter::BenchmarkJs)
        } else if has([" ... ", "]  stddev:"]) {
            Some(Adapter::Tango)
        } else if line.starts_with("Running ") && has([" test @ ", "://"]) {
            Some(Adapter::Wrk)
        } else {
            None
        }
    })
}

impl<'de> Deserialize<'de> for JsonShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = JsonShape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonShape, A::Error> {
        let mut keys = HashSet::new();
        let mut inner = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let FieldKeys(found) = map.next_value()?;
            if inner.is_empty() {
                inner = found;
            }
            keys.insert(key);
        }
        Ok(JsonShape { is_list: false, keys, inner })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<JsonShape, A::Error> {
        let FieldKeys(keys) = list.next_element()?.unwrap_or_default();
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(JsonShape { is_list: true, keys, inner: HashSet::new() })
    }
}

/// The names of the fields of an object, or of the first object of a list. Empty for other values.
#[derive(Default)]
struct FieldKeys(HashSet<String>);

impl<'de> Deserialize<'de> for FieldKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = FieldKeys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FieldKeys, A::Error> {
        let mut keys = HashSet::new();
        while let Some((key, IgnoredAny)) = map.next_entry::<String, _>()? {
            keys.insert(key);
        }
        Ok(FieldKeys(keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FieldKeys, A::Error> {
        let first = list.next_element()?.unwrap_or_default();
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }

    fn visit_bool<E>(self, _: bool) -> Result<FieldKeys, E> {
        Ok(FieldKeys::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<FieldKeys, E> {
        Ok(FieldKeys::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<FieldKeys, E> {
        Ok(FieldKeys::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<FieldKeys, E> {
        Ok(FieldKeys::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<FieldKeys, E> {
        Ok(FieldKeys::default())
    }

    fn visit_unit<E>(self) -> Result<FieldKeys, E> {
        Ok(FieldKeys::default())
    }
}
