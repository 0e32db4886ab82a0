//! llama-bench: `-o json`.

use std::borrow::Cow;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::parse_json;

/// A test: the times of its repetitions in nanoseconds. Each is one call.
#[derive(Deserialize)]
struct LlamaTest<'a> {
    #[serde(borrow)]
    model_type: Cow<'a, str>,
    n_prompt: u64,
    n_gen: u64,
    #[serde(default)]
    n_depth: u64,
    n_threads: Option<u64>,
    #[serde(borrow)]
    backends: Option<Cow<'a, str>>,
    samples_ns: Vec<f64>,
}

/// Reads each repetition.
///
/// # Errors
///
/// Fails if the file is not what llama-bench prints.
pub(super) fn parse_llama_bench(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let tests: Vec<LlamaTest<'_>> = parse_json(bytes)?;
    let mut run = RunCollector::new("llama-bench");
    for test in tests {
        let LlamaTest { model_type, n_prompt, n_gen, n_depth, samples_ns, .. } = test;
        // The names that llama-bench itself prints.
        let name = match (n_prompt, n_gen) {
            (0, generated) => format!("tg{generated}"),
            (prompt, 0) => format!("pp{prompt}"),
            (prompt, generated) => format!("pp{prompt}+tg{generated}"),
        };
        let depth = if n_depth > 0 { format!(" @ d{n_depth}") } else { String::new() };
        let tokens = n_prompt.saturating_add(n_gen) as f64;
        let name = format!("{model_type}/{name}{depth}");
        let entry = AdapterEntry::of_calls(name, samples_ns, 1.0)
            .with_amount("tokens", Some(tokens))
            .with_condition("threads", test.n_threads)
            .with_condition("backend", test.backends);
        run.add(0, entry)?;
    }
    run.finish()
}
