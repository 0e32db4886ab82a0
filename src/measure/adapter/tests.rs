//! Every adapter with the fixtures in its folder, and with what is wrong in the same way everywhere.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::detect::detect_adapter;
use super::entry::{AdapterEntry, RunCollector};
use super::kind::Adapter;
use super::*;
use crate::measure::Observation;
use crate::note::FailureReason;
use crate::run::{BenchmarkFailure, CallsPerSample};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/adapters");

/// Returns the fixtures of all adapters with their content, in the order of their paths.
fn list_fixtures() -> Vec<(Adapter, PathBuf, Vec<u8>)> {
    let list = |folder: &Path| {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries
    };
    let mut found = Vec::new();
    for folder in list(Path::new(FIXTURES)) {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let Some(adapter) = Adapter::find(name) else { continue };
        found.extend(list(&folder).into_iter().map(|path| {
            let bytes = fs::read(&path).unwrap();
            (adapter, path, bytes)
        }));
    }
    found
}

fn describe_observation(observation: &Observation) -> String {
    let Observation { sampling, samples, calls_per_sample, amounts, metrics, conditions } =
        observation;
    let shown: Vec<String> =
        samples.iter().take(3).map(|sample| format!("{:.6}", sample.get())).collect();
    let calls = match calls_per_sample {
        Some(CallsPerSample::Same(calls)) => format!(" of {calls} calls"),
        Some(CallsPerSample::Each(calls)) => format!(" of {calls:?} calls"),
        None => String::new(),
    };
    let mut line = format!("{sampling:?} × {}{calls}: {} ns", samples.len(), shown.join(" "));
    if amounts.elements.is_some() || !amounts.per_call.is_empty() {
        write!(line, "; per call {:?} {:?}", amounts.elements, amounts.per_call).unwrap();
    }
    write!(line, "; {metrics:?}; {conditions:?}").unwrap();
    line
}

#[test]
fn every_fixture_is_read_as_its_harness_means_it() {
    let mut shown = String::new();
    for (adapter, path, bytes) in list_fixtures() {
        let path = path.strip_prefix(FIXTURES).unwrap().display().to_string();
        let run = adapter.parse(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
        writeln!(shown, "{path}; left out: {:?}", run.left_out).unwrap();
        for (number, launch) in run.launches.iter().enumerate() {
            for (id, observed) in launch {
                let what = match observed {
                    Ok(observation) => describe_observation(observation),
                    Err(failure) => format!("{:?}", failure.reason),
                };
                writeln!(shown, "  {number} {}: {what}", id.name).unwrap();
            }
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn every_adapter_has_a_fixture_and_its_own_name() {
    let fixtures = list_fixtures();
    let mut names: Vec<&str> = Adapter::list_names().collect();
    for name in &names {
        let adapter = Adapter::find(name).unwrap();
        assert_eq!(adapter.name(), *name);
        assert!(fixtures.iter().any(|(with, ..)| *with == adapter), "{name}");
    }
    let listed = names.clone();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names, listed);
}

#[test]
fn a_file_is_recognized_as_that_of_its_harness() {
    for (adapter, path, bytes) in list_fixtures() {
        // These formats do not say which of them they are.
        let is_told = !matches!(
            adapter,
            Adapter::SmallerIsBetter
                | Adapter::BiggerIsBetter
                | Adapter::HdrNanoseconds
                | Adapter::HdrMicroseconds
                | Adapter::HdrMilliseconds
        );
        let expected = is_told.then_some(adapter);
        assert_eq!(detect_adapter(&bytes), expected, "{}", path.display());
    }
    for other in
        ["", "{", "[]", "{}", "words\n", "\u{0}", "[1]", "{\"schema\": \"perfgate.run/2\"}"]
    {
        assert_eq!(detect_adapter(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn a_file_that_is_cut_short_is_refused_or_read_and_never_panics() {
    for (adapter, path, bytes) in list_fixtures() {
        let step = (bytes.len() / 60).max(1);
        for end in (0..bytes.len()).step_by(step) {
            let refused = adapter.parse(&bytes[..end]);
            // A text without its last lines is a shorter text. JSON and XML have an end.
            let is_whole = matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[' | b'<'))
                && path.extension().is_some_and(|ext| ext != "jsonl");
            if is_whole && end + 2 < bytes.len() {
                let name = path.display();
                let error = refused.expect_err(&format!("{name} at {end}")).to_string();
                assert!(!error.contains('\n') && error.len() < 400, "{error}");
            }
        }
    }
}

#[test]
fn what_no_harness_writes_is_refused_in_one_line() {
    let deep = "[".repeat(100_000);
    let deep_xml = "<a>".repeat(100_000);
    let binary = "\u{0}\u{1}";
    for name in Adapter::list_names() {
        let adapter = Adapter::find(name).unwrap();
        for other in ["", " ", "{}", "[]", "null", "NaN", "words", binary, &deep, &deep_xml] {
            let error = adapter.parse(other.as_bytes()).expect_err(name).to_string();
            assert!(!error.contains('\n') && error.len() < 400, "{name}: {error}");
        }
        adapter.parse(b"\xff\xfe\xff").expect_err(name);
    }
}

/// Replaces each number of each fixture, one at a time, and returns the refusals.
#[track_caller]
fn replace_numbers(with: &str) -> Vec<String> {
    let mut refused = Vec::new();
    for (adapter, _, bytes) in list_fixtures() {
        let text = String::from_utf8(bytes).unwrap();
        let is_digit = |at: usize| text.as_bytes()[at].is_ascii_digit();
        let starts: Vec<usize> =
            (1..text.len()).filter(|at| is_digit(*at) && !is_digit(at - 1)).collect();
        let step = (starts.len() / 150).max(1);
        for start in starts.into_iter().step_by(step) {
            let rest = &text[start..];
            let is_end = |c: char| !(c.is_ascii_digit() || ".eE".contains(c));
            let end = start + rest.find(is_end).unwrap_or(rest.len());
            let changed = format!("{}{with}{}", &text[..start], &text[end..]);
            if let Err(error) = adapter.parse(changed.as_bytes()) {
                refused.push(format!("{}: {error}", adapter.name()));
            }
        }
    }
    for error in &refused {
        assert!(!error.contains('\n') && error.len() < 400, "{error}");
    }
    refused
}

#[test]
fn what_is_not_a_number_is_refused_and_never_panics() {
    for with in ["NaN", "-1", "1,5", "1e999", "\"\"", "99999999999999999999", "", "null"] {
        assert!(replace_numbers(with).len() > 30, "{with}");
    }
}

#[test]
fn a_negative_time_names_its_benchmark() {
    let refused = replace_numbers("-5");
    for name in ["hyperfine", "go", "google-benchmark", "jmh", "vegeta", "mitata", "llama-bench"] {
        let is_named = |error: &String| {
            error.starts_with(&format!("{name}: benchmark `")) && error.contains("nanoseconds")
        };
        assert!(refused.iter().any(is_named), "{name}: {refused:?}");
    }
}

#[track_caller]
fn refuses(adapter: Adapter, text: &str, expected: &str) {
    assert_eq!(adapter.parse(text.as_bytes()).unwrap_err().to_string(), expected);
}

#[test]
fn a_long_name_a_double_name_and_an_unknown_unit_are_named() {
    let long = "x".repeat(10_000);
    let ips = |name: &str| format!(r#"{{"name": "{name}", "microseconds": 2, "iterations": 1}}"#);
    refuses(
        Adapter::BenchmarkIps,
        &format!("[{}]", ips(&long)),
        "the name of a benchmark has 10000 bytes; at most 2000 are possible",
    );
    refuses(
        Adapter::BenchmarkIps,
        &format!("[{}, {}]", ips("a"), ips("a")),
        "benchmark `a` appears twice in one launch",
    );
    refuses(Adapter::BenchmarkIps, &format!("[{}]", ips(" ")), "a benchmark has no name");
    refuses(
        Adapter::Jmh,
        r#"[{"benchmark": "a", "mode": "avgt", "primaryMetric": {"scoreUnit": "B/op", "rawData": [[1]]}}]"#,
        "benchmark `a`: `B/op` is not a unit of time that perfgate knows",
    );
    refuses(
        Adapter::Libtest,
        "test a ... bench: 2,79 ns/iter (+/- 1)\n",
        "line 1: `2,79` is not a number",
    );
    refuses(
        Adapter::SmallerIsBetter,
        r#"[{"name": "size", "unit": "bytes", "value": 1}]"#,
        "none of its values is a time: `size (bytes)` is the first of them",
    );
    refuses(
        Adapter::Pyperf,
        r#"{"version": "2.0", "benchmarks": []}"#,
        "its format has version `2.0`; this adapter reads `1.0`",
    );
    refuses(
        Adapter::Locust,
        r#"[{"name": "/", "num_requests": 1, "num_failures": 0, "response_times": {"5": 1e18}}]"#,
        "benchmark `/` counts more calls than perfgate reads from one file",
    );
}

#[test]
fn a_histogram_that_is_no_histogram_is_refused_by_its_line() {
    let log = |encoded: &str| format!("#[comment]\n1.0,1.0,2.0,{encoded}\n");
    refuses(
        Adapter::HdrNanoseconds,
        &log("HIST*"),
        "line 2: not base64: Invalid symbol 42, offset 4.",
    );
    refuses(Adapter::HdrNanoseconds, &log("HISTFAAA"), "line 2: the histogram is cut short");
    refuses(
        Adapter::HdrNanoseconds,
        &log("HISTEwAAAAA="),
        "line 2: not a compressed histogram of version 2: it begins with 0x1c849313",
    );
    refuses(Adapter::HdrNanoseconds, "1.0,2.0\n", "line 1: not the line of an interval");
    // A header that promises four gigabytes, a step over more values than there are, a value above
    // 64 bits, and a count above what is read from one file.
    for (length, counts, expected) in [
        (u32::MAX, &[2_u8][..], "line 2: the histogram is cut short"),
        (18, &[0xff; 18][..], "line 2: a value that is too large"),
        (5, &[0xff, 0xff, 0xff, 0x0f, 2][..], "line 2: a value that is too large"),
        (
            9,
            &[0xfe; 9][..],
            "benchmark `histogram` counts more calls than perfgate reads from one file",
        ),
    ] {
        refuses(Adapter::HdrNanoseconds, &log(&encode_histogram(length, counts)), expected);
    }
}

/// Encodes a histogram of three digits whose header states `length` bytes of counts.
fn encode_histogram(length: u32, counts: &[u8]) -> String {
    let header = [0x1c84_9313, length, 0, 3].map(u32::to_be_bytes).concat();
    let range = [1, 3_600_000_000_000, 1.0_f64.to_bits()].map(u64::to_be_bytes).concat();
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::fast());
    deflated.write_all(&[&header, &range, counts].concat()).unwrap();
    let deflated = deflated.finish().unwrap();
    let size = u32::try_from(deflated.len()).unwrap();
    let start = [0x1c84_9314, size].map(u32::to_be_bytes).concat();
    BASE64_STANDARD.encode([start, deflated].concat())
}

#[test]
fn histograms_of_a_log_have_the_percentiles_that_hdrhistogram_prints() {
    // Both files have the same 120 values. The second states mean, median and largest.
    let read = |name: &str| {
        let bytes = fs::read(format!("{FIXTURES}/hdrhistogram-ns/{name}")).unwrap();
        let run = Adapter::HdrNanoseconds.parse(&bytes).unwrap();
        run.launches.into_iter().next().unwrap().remove(0).1.unwrap()
    };
    let (log, printed) = (read("requests.hlog"), read("requests.hgrm"));
    let sorted = log.samples.sorted_nanos();
    assert_eq!(sorted.len(), 120);
    assert_eq!(printed.calls_per_sample, CallsPerSample::new(vec![120.0]));
    assert_eq!((sorted[59], sorted[119]), (1_016_319.0, 2_375_679.0));
    assert_eq!(printed.metrics.get("p50_ns"), Some(&sorted[59]));
    let mean = sorted.iter().sum::<f64>() / 120.0;
    assert!((mean / printed.samples[0].get() - 1.0).abs() < 1e-3, "{mean}");
}

#[test]
fn a_benchmark_that_catch2_measures_for_each_section_has_several_samples() {
    let bytes = fs::read(format!("{FIXTURES}/catch2/catch2-3.xml")).unwrap();
    let run = Adapter::Catch2.parse(&bytes).unwrap();
    let [(first, accumulate), _, (third, throws)] = &run.launches[0][..] else { panic!("{run:?}") };
    assert_eq!((&*first.name, &*third.name), ("sums/accumulate", "sums/inner/throws"));
    assert_eq!(accumulate.as_ref().unwrap().samples.len(), 2);
    let sentence = "boom & more".to_owned();
    assert_eq!(throws.as_ref().unwrap_err().reason, FailureReason::Reported { sentence });
}

#[test]
fn launches_of_one_file_share_what_they_have_in_common() {
    // A million lines of Go took thirty times the size of the file.
    let text = "BenchmarkA-8\t10\t5.0 ns/op\n".repeat(3);
    let run = Adapter::GoTesting.parse(text.as_bytes()).unwrap();
    let conditions: Vec<_> =
        run.launches.iter().map(|launch| &launch[0].1.as_ref().unwrap().conditions).collect();
    assert_eq!(conditions.len(), 3);
    assert!(conditions.iter().all(|other| Arc::ptr_eq(other, conditions[0])));
    assert!(run.launches.iter().all(|launch| launch.capacity() == 1));
}

#[test]
fn go_results_without_a_shared_suffix_keep_their_names() {
    let names = |text: &str| {
        let run = Adapter::GoTesting.parse(text.as_bytes()).unwrap();
        let launch = run.launches.into_iter().next().unwrap();
        launch.into_iter().map(|(id, _)| id.name).collect::<Vec<_>>()
    };
    let line = |name: &str| format!("{name}\t10\t5.0 ns/op\n");
    let two = [line("BenchmarkA/n-10"), line("BenchmarkA/n-100")].concat();
    assert_eq!(names(&two), ["BenchmarkA/n-10", "BenchmarkA/n-100"]);
    let two = [line("BenchmarkA-8"), line("BenchmarkB-8")].concat();
    assert_eq!(names(&two), ["BenchmarkA", "BenchmarkB"]);
    // With `-cpu 1,8`, the same benchmark is measured twice.
    let two = [line("BenchmarkA"), line("BenchmarkA-8")].concat();
    assert_eq!(names(&two), ["BenchmarkA", "BenchmarkA-8"]);
}

#[test]
fn a_benchmark_that_go_calls_failed_is_a_failed_benchmark() {
    // What Go 1.19 prints. C itself only has a failed part, and D failed after its first call.
    let text = "pkg: m\nBenchmarkA-2\t10\t0.39 ns/op\n--- FAIL: BenchmarkB\n    m_test.go:4: boom\n\
                --- FAIL: BenchmarkC/sub\n    m_test.go:5: bad\nBenchmarkC/ok-2\t10\t0.23 ns/op\n\
                --- FAIL: BenchmarkC\nBenchmarkD-2          \t--- FAIL: BenchmarkD-2\nFAIL\n";
    let run = Adapter::GoTesting.parse(text.as_bytes()).unwrap();
    let failed = run.launches[0].iter().filter_map(|(id, observed)| match observed {
        Err(BenchmarkFailure { reason: FailureReason::Reported { sentence }, .. }) => {
            Some(format!("{}: {sentence}", id.name))
        }
        _ => None,
    });
    let expected = [
        "m/BenchmarkB: m_test.go:4: boom",
        "m/BenchmarkC/sub: m_test.go:5: bad",
        "m/BenchmarkD: the benchmark failed without a message",
    ];
    assert_eq!(failed.collect::<Vec<_>>(), expected);
    assert_eq!((run.launches.len(), run.launches[0].len()), (1, 5));
}

#[test]
fn launches_of_one_benchmark_are_counted_without_a_walk_over_them() {
    // A walk over the launches for each line took more than ten minutes for 85 MB. A small file
    // shows only that the count is right: up to the first launch without the benchmark.
    let mut run = RunCollector::new("go");
    let entry = |name: &str| AdapterEntry::of_mean(name, 5.0, 1.0, None);
    for launch in [0, 1, 3] {
        run.add(launch, entry("a")).unwrap();
    }
    assert_eq!((run.count_launches_of("a"), run.count_launches_of("b")), (2, 0));
    run.add(2, entry("a")).unwrap();
    assert_eq!(run.count_launches_of("a"), 4);
}

#[test]
fn a_file_that_is_empty_or_cut_short_is_called_that_without_a_named_harness() {
    let explain =
        |text: &str| AdapterChoice::Auto.parse_bytes(text.as_bytes()).unwrap_err().to_string();
    for text in ["", " \n", "{\"context\": {", "[{\"name\": NaN, "] {
        assert!(explain(text).starts_with("it is empty or cut short: "), "{text}");
    }
    for text in ["{}", "[]", "words", "{\"a\": 1}\n{\"a\": 2}"] {
        assert!(explain(text).contains("recognizes"), "{text}");
    }
}

#[test]
fn launches_of_one_start_become_one_launch() {
    let text = "BenchmarkA\t10\t5.0 ns/op\t8 B/op\nBenchmarkA\t20\t7.0 ns/op\t16 B/op\n\
                BenchmarkA\t20\t6.0 ns/op\t24 B/op\n";
    let run = Adapter::GoTesting.parse(text.as_bytes()).unwrap();
    assert_eq!(run.launches.len(), 3);
    let merged = merge_launches(run.launches);
    let observation = merged[0].1.as_ref().unwrap();
    let samples: Vec<f64> = observation.samples.iter().map(|sample| sample.get()).collect();
    assert_eq!((merged.len(), samples), (1, vec![5.0, 7.0, 6.0]));
    assert_eq!(observation.calls_per_sample, CallsPerSample::new(vec![10.0, 20.0, 20.0]));
    assert_eq!(observation.metrics, [("allocated_bytes".to_owned(), 16.0)].into());
}
