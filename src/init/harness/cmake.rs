//! Google Benchmark, Catch2 and nanobench in projects of `CMake`.

use super::super::source_tree::{SourceTree, has_extension};
use super::{FoundHarness, HarnessLanguage, OWN_FOLDER};
use crate::measure::command::quote_words;

/// Libraries of Google Benchmark, as `CMake` links them.
const GOOGLE_LIBRARIES: [&str; 4] =
    ["benchmark::benchmark", "benchmark::benchmark_main", "benchmark", "benchmark_main"];
/// Libraries of Catch2.
const CATCH2_LIBRARIES: [&str; 2] = ["Catch2::Catch2", "Catch2::Catch2WithMain"];
/// Libraries of nanobench.
const NANOBENCH_LIBRARIES: [&str; 2] = ["nanobench", "nanobench::nanobench"];
/// Tag by which Catch2 leaves a test out unless it is asked for.
const CATCH2_TAG: &str = "[!benchmark]";

/// A program of a project, and the libraries that it is linked with.
struct LinkedProgram {
    name: String,
    libraries: Vec<String>,
    /// The file that links it.
    file: String,
}

/// Finds a program of the project that is linked with a known harness.
pub(super) fn find_cmake_harness(tree: &SourceTree) -> Option<FoundHarness> {
    if !tree.has_file("CMakeLists.txt") {
        return None;
    }
    let files = tree.list_named(|name| name == "CMakeLists.txt" || has_extension(name, "cmake"));
    let texts: Vec<(&str, String)> =
        files.into_iter().map(|path| (path, strip_comments(&tree.read_text(path)))).collect();
    let programs: Vec<LinkedProgram> =
        texts.iter().flat_map(|(path, text)| list_programs(path, text)).collect();
    let sources =
        tree.list_named(|name| [".cpp", ".cc", ".cxx"].iter().any(|end| name.ends_with(end)));
    let linked_with = |libraries: &[&str]| {
        let is_linked = |program: &&LinkedProgram| {
            program.libraries.iter().any(|library| libraries.contains(&library.as_str()))
        };
        programs.iter().filter(is_linked).collect::<Vec<_>>()
    };
    let uses = |word: &str| sources.iter().any(|path| tree.read_text(path).contains(word));
    let (adapter, linked, arguments) = if let found @ [_, ..] = &linked_with(&GOOGLE_LIBRARIES)[..]
    {
        let arguments = "--benchmark_min_time=0.02 --benchmark_repetitions=5 --benchmark_out_format=json --benchmark_out={out}";
        ("google-benchmark", found.to_vec(), arguments.to_owned())
    } else if let (found @ [_, ..], true) =
        (&linked_with(&CATCH2_LIBRARIES)[..], uses("BENCHMARK("))
    {
        let tag = if uses(CATCH2_TAG) { format!("'{CATCH2_TAG}' ") } else { String::new() };
        ("catch2", found.to_vec(), format!("{tag}--reporter xml --benchmark-samples 20"))
    } else if let found @ [_, ..] = &linked_with(&NANOBENCH_LIBRARIES)[..] {
        ("nanobench", found.to_vec(), String::new())
    } else {
        return None;
    };
    let program = linked.first()?;
    let mut remarks = Vec::new();
    if let others @ [_, ..] = &linked[1..] {
        let names: Vec<&str> = others.iter().map(|other| other.name.as_str()).collect();
        remarks.push(format!("one program can be measured; left out: {}", names.join(", ")));
    }
    if adapter == "nanobench" {
        remarks.push(
            "the program must print `ankerl::nanobench::templates::json()` and nothing else"
                .to_owned(),
        );
    }
    let all: String = texts.iter().map(|(_, text)| text.as_str()).collect();
    let options: Vec<String> =
        list_options(&all).iter().map(|name| format!(" -D{name}=ON")).collect();
    let options = options.concat();
    let name = quote_words(std::slice::from_ref(&program.name));
    let build = format!("{OWN_FOLDER}/cmake");
    let is_installed = adapter == "google-benchmark" && all.contains("find_package(benchmark");
    Some(FoundHarness {
        adapter,
        language: HarnessLanguage::Cpp,
        evidence: program.file.clone(),
        command: format!("{build}/bin/{name} {arguments}").trim_end().to_owned(),
        prepare: format!(
            "cmake -S . -B {build} -DCMAKE_BUILD_TYPE=Release{options} \
             -DCMAKE_RUNTIME_OUTPUT_DIRECTORY=\"$PWD/{build}/bin\" && cmake --build {build} --target {name} --parallel"
        ),
        packages: is_installed
            .then(|| {
                "sudo apt-get update && sudo apt-get install --yes libbenchmark-dev".to_owned()
            })
            .into_iter()
            .collect(),
        remarks,
    })
}

fn strip_comments(text: &str) -> String {
    text.lines().map(|line| line.split('#').next().unwrap_or("").to_owned() + "\n").collect()
}

/// Returns the words between the parentheses of each call of `command` in `text`.
fn list_calls<'a>(text: &'a str, command: &str) -> Vec<Vec<&'a str>> {
    let start = format!("{command}(");
    let calls = text.match_indices(&start).filter_map(|(at, _)| {
        let rest = &text[at + start.len()..];
        let words = rest[..rest.find(')')?].split_whitespace();
        Some(words.map(|word| word.trim_matches('"')).collect())
    });
    calls.collect()
}

/// Returns the linked programs of one file. Names that are made of variables are left out.
fn list_programs(path: &str, text: &str) -> Vec<LinkedProgram> {
    let calls = list_calls(text, "target_link_libraries").into_iter();
    let named = calls.filter_map(|words| {
        let (name, libraries) = words.split_first()?;
        let libraries: Vec<String> = libraries.iter().map(|&word| word.to_owned()).collect();
        let is_plain =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte));
        is_plain.then(|| LinkedProgram {
            name: (*name).to_owned(),
            libraries,
            file: path.to_owned(),
        })
    });
    named.collect()
}

/// Returns the options of a project that switch its benchmarks on.
fn list_options(text: &str) -> Vec<&str> {
    let options = list_calls(text, "option").into_iter();
    let names = options.filter_map(|words| words.first().copied());
    names
        .filter(|name| {
            let is_variable = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            name.contains("BENCH") && is_variable && !name.starts_with("BENCHMARK_")
        })
        .collect()
}
