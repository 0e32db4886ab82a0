//! Each harness in a tiny repository.

use std::fs;

use super::*;

/// Surveys a folder with these files.
fn survey(files: &[(&str, &str)]) -> Vec<FoundHarness> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    survey_harnesses(folder.path())
}

/// Asserts that one harness is found in `files`, with these words in its command and preparation.
#[track_caller]
fn finds(files: &[(&str, &str)], adapter: &str, command: &str, prepare: &str) -> FoundHarness {
    let mut found = survey(files);
    assert_eq!(found.len(), 1, "{found:?}");
    let found = found.remove(0);
    assert_eq!(found.adapter, adapter);
    assert!(found.command.contains(command), "{}", found.command);
    assert!(found.prepare.contains(prepare), "{}", found.prepare);
    found
}

const PYTHON_BENCH: &str = "def test_work(benchmark):\n    benchmark(sum, [1])\n";

#[test]
fn a_python_package_is_installed_with_the_extra_that_names_the_plugin() {
    let manifest = "[project]\nname = \"a\"\n[project.optional-dependencies]\ndocs = [\"x\"]\nperf = [\n  \"pytest-benchmark>=4\",\n]\n";
    let files = [("pyproject.toml", manifest), ("tests/test_speed.py", PYTHON_BENCH)];
    let command = "venv/bin/pytest -q tests/test_speed.py --benchmark-only";
    let found = finds(&files, "pytest-benchmark", command, "'.[perf]' pytest pytest-benchmark");
    assert!(found.command.contains("--benchmark-json={out}"), "{}", found.command);
    assert!(found.remarks.is_empty(), "{found:?}");
}

#[test]
fn python_files_without_a_package_are_measured_in_place() {
    let files = [
        ("requirements-dev.txt", "pytest-benchmark\n"),
        ("bench_sum.py", PYTHON_BENCH),
        ("test_other.py", "def test_other(benchmarks): pass\n"),
        ("tox.ini", "[pytest]\naddopts = --cov=a\n"),
    ];
    let command = "venv/bin/python -m pytest -q -o addopts= bench_sum.py --benchmark-only";
    let found = finds(&files, "pytest-benchmark", command, "-r requirements-dev.txt");
    assert!(found.remarks[0].contains("`addopts`"), "{found:?}");
    let group = "[dependency-groups]\ntest = [\n  \"pytest-benchmark\",\n]\n[tool.pytest]\naddopts = [\"-p\", \"no:benchmark\"]\n";
    let files = [("pyproject.toml", group), ("microbenchmarks.py", PYTHON_BENCH)];
    let found = finds(&files, "pytest-benchmark", "-o addopts= microbenchmarks.py", "--group test");
    assert!(found.prepare.contains("--upgrade pip && "), "{}", found.prepare);
    assert!(survey(&[("test_other.py", "def test_other(benchmarks): pass\n")]).is_empty());
}

#[test]
fn go_benchmarks_are_those_of_their_module() {
    let bench = "func BenchmarkA(b *testing.B) {}\n";
    let files = [
        ("go.mod", "module a\n"),
        ("a_test.go", bench),
        ("inner/b_test.go", bench),
        ("inner/c_test.go", "func TestC(t *testing.T) {}\n"),
        ("sub/go.mod", "module sub\n"),
        ("sub/d_test.go", bench),
    ];
    finds(&files, "go", "-count 3 . ./inner", "go test -run '^$' . ./inner");
    let nested = [("src/go.mod", "module a\n"), ("src/x/a_test.go", bench)];
    finds(&nested, "go", "cd src && go test -run '^$' -bench . ", "cd src && go test");
    assert!(survey(&[("go.mod", "module a\n"), ("a_test.go", "")]).is_empty());
}

#[test]
fn a_script_of_npm_is_started_and_vitest_by_itself() {
    let manifest = r#"{"devDependencies": {"vitest": "^4"}, "scripts": {"build": "tsc"}}"#;
    let files = [("package.json", manifest), ("a.bench.ts", ""), ("pnpm-lock.yaml", "")];
    let prepare = "pnpm install --frozen-lockfile && npm run build";
    finds(&files, "vitest", "vitest bench --run --outputJson {out}", prepare);
    let manifest =
        r#"{"devDependencies": {"tinybench": "^6"}, "scripts": {"bench:all": "node b.js"}}"#;
    let files = [("package.json", manifest), ("package-lock.json", "{}")];
    let found = finds(&files, "tinybench", "npm run --silent bench:all", "npm ci");
    assert!(found.remarks[0].contains("must print JSON"), "{found:?}");
    let manifest = r#"{"devDependencies": {"benchmark": "^2"}}"#;
    let found = finds(&[("package.json", manifest)], "benchmark-js", "npm run", "npm install");
    assert!(found.remarks[0].contains("has no script"), "{found:?}");
    assert!(survey(&[("package.json", "{\"devDependencies\": 3}")]).is_empty());
}

#[test]
fn a_program_of_cmake_is_built_and_started() {
    let lists = "option(APP_BUILD_BENCHMARKS \"x\" OFF)\nfind_package(benchmark REQUIRED)\n\
                 add_executable(speed speed.cc) # target_link_libraries(no benchmark)\n\
                 target_link_libraries(speed\n  PRIVATE benchmark::benchmark)\n\
                 target_link_libraries(slow benchmark)\ntarget_link_libraries(${x} benchmark)\n";
    let files = [("CMakeLists.txt", lists), ("speed.cc", "")];
    let command = "target/perfgate/cmake/bin/speed --benchmark_min_time=0.02";
    let found = finds(&files, "google-benchmark", command, "-DAPP_BUILD_BENCHMARKS=ON");
    assert!(found.prepare.contains("--target speed"), "{}", found.prepare);
    assert!(found.remarks[0].ends_with("left out: slow"), "{found:?}");
    assert!(found.packages[0].contains("libbenchmark-dev"), "{found:?}");
    let lists = "target_link_libraries(tests Catch2::Catch2WithMain)\n";
    let bench = "TEST_CASE(\"a\", \"[!benchmark]\") { BENCHMARK(\"a\") {}; }\n";
    let files = [("CMakeLists.txt", lists), ("a.cpp", bench)];
    finds(&files, "catch2", "bin/tests '[!benchmark]' --reporter xml", "--target tests");
    assert!(survey(&[("CMakeLists.txt", lists), ("a.cpp", "TEST_CASE(\"a\") {}")]).is_empty());
}

#[test]
fn a_jar_of_jmh_is_built_and_started() {
    let pom = "<artifactId>jmh-core</artifactId>";
    let command = "java -jar bench/target/benchmarks.jar -f 1";
    finds(&[("bench/pom.xml", pom)], "jmh", command, "mvn --quiet --file bench/pom.xml");
    let files = [("lib/build.gradle.kts", "id(\"me.champeau.jmh\")"), ("gradlew", "")];
    finds(&files, "jmh", "lib/build/libs/*-jmh.jar", "./gradlew --quiet :lib:jmhJar");
}
