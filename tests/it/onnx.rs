//! ONNX models: measured by a worker, inspected, and compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::command::{perfgate_in, run_to_decision, text_of};
use crate::repositories::Bed;

/// Returns the path of a file of this repository.
fn own_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn fixture(name: &str) -> PathBuf {
    own_file("fixtures/models").join(name)
}

/// Returns the library of ONNX Runtime that the set-up of the suites downloads. Without it the test is
/// skipped with a message; where `CI` is set, it fails.
fn find_library() -> Option<PathBuf> {
    let library = own_file("benches/.runtime/onnxruntime");
    if library.is_dir() {
        return Some(library);
    }
    assert!(std::env::var_os("CI").is_none(), "ONNX Runtime is missing: benches/setup.py");
    eprintln!("skipped: ONNX Runtime is missing; `make test` downloads it");
    None
}

/// A folder in which models are measured, and ONNX Runtime.
struct Lab {
    folder: TempDir,
    library: PathBuf,
}

impl Lab {
    fn new() -> Option<Self> {
        Some(Self { library: find_library()?, folder: tempfile::tempdir().unwrap() })
    }

    fn command(&self) -> Command {
        let mut command = perfgate_in(self.folder.path());
        command.env("ORT_DYLIB_PATH", &self.library);
        command
    }

    /// Measures `model` with short launches, and returns the run.
    fn measure(&self, model: &Path, words: &[&str]) -> (Output, Option<Value>) {
        let path = self.folder.path().join("run.json");
        let _ = fs::remove_file(&path);
        let mut command = self.command();
        command.args(["measure", "onnx"]).arg(model);
        command.args(["--launches", "2", "--calls", "20", "--warmup", "1ms"]).args(words);
        let output = command.output().unwrap();
        let run = fs::read(&path).ok().map(|run| serde_json::from_slice(&run).unwrap());
        (output, run)
    }

    #[track_caller]
    fn run_of(&self, model: &Path, words: &[&str]) -> Value {
        let (output, run) = self.measure(model, words);
        assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
        run.unwrap()
    }

    /// Checks that measuring ends with `status` and one line that has `words`.
    #[track_caller]
    fn refuses(&self, model: &Path, flags: &[&str], status: i32, words: &[&str]) {
        let (output, _) = self.measure(model, flags);
        let text = text_of(&output);
        assert_eq!(output.status.code(), Some(status), "{text}");
        let errors: Vec<&str> = text.lines().filter(|line| !line.starts_with("help: ")).collect();
        assert!(errors.len() == 1 && errors[0].starts_with("error: "), "{text}");
        for word in words {
            assert!(text.contains(word), "{word} is not in {text}");
        }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

fn find_benchmark<'r>(run: &'r Value, id: &str) -> &'r Value {
    let benchmarks = run["benchmarks"].as_array().unwrap().iter();
    benchmarks
        .into_iter()
        .find(|benchmark| benchmark["id"] == id)
        .unwrap_or_else(|| panic!("{run}"))
}

/// Returns the reason for which the benchmark failed.
fn failure_of<'r>(run: &'r Value, id: &str) -> &'r str {
    find_benchmark(run, id)["failure"]["reason"]["sentence"].as_str().unwrap_or_default()
}

/// Returns a `.npy` file with this type, shape and content.
fn array(descr: &str, shape: &str, content: &[u8]) -> Vec<u8> {
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}").into_bytes();
    header.resize((header.len() + 11).next_multiple_of(64) - 11, b' ');
    header.push(b'\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    file.extend(header);
    file.extend(content);
    file
}

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn a_model_is_measured_warm_by_batch_size_and_cold_once_per_launch() {
    let Some(lab) = Lab::new() else { return };
    let run = lab.run_of(&fixture("linear.onnx"), &["--batch-sizes", "1,4", "8"]);
    for (id, rows) in [("infer/batch/1", 1.0), ("infer/batch/4", 4.0), ("infer/batch/8", 8.0)] {
        let benchmark = find_benchmark(&run, id);
        assert_eq!(benchmark["elements"].as_f64(), Some(rows));
        let launches = benchmark["launches"].as_array().unwrap();
        assert_eq!(launches.len(), 2);
        assert_eq!(launches[0]["samples"].as_array().unwrap().len(), 20);
    }
    for id in ["cold/start", "cold/session", "cold/first"] {
        for launch in find_benchmark(&run, id)["launches"].as_array().unwrap() {
            assert_eq!(launch["samples"].as_array().unwrap().len(), 1, "{id}");
        }
    }
    let conditions = &run["conditions"];
    assert_eq!(conditions["provider"], "cpu");
    assert_eq!(conditions["threads"], "1");
    assert_eq!(conditions["inputs"], "random, seed 42");
    assert!(conditions["runtime"].as_str().unwrap().starts_with("onnxruntime 1."), "{conditions}");
    assert!(conditions["nodes"].as_str().unwrap().starts_with("CPUExecutionProvider "));
    assert!(conditions["model"].as_str().unwrap().starts_with("sha256:"));
    // Every report shows that the inputs are random.
    for format in ["text", "markdown", "html"] {
        let mut report = lab.command();
        let output = report.args(["report", "run.json", "--format", format]).output().unwrap();
        assert!(text_of(&output).contains("inputs: random, seed 42"), "{}", text_of(&output));
    }
}

#[test]
fn every_element_type_is_supplied_and_another_is_refused_by_name() {
    let Some(lab) = Lab::new() else { return };
    let run = lab.run_of(&fixture("types.onnx"), &[]);
    assert_eq!(find_benchmark(&run, "infer/batch/1")["elements"], 1.0);
    lab.refuses(&fixture("int8_input.onnx"), &[], 2, &["the input `x` is i8"]);
}

#[test]
fn random_ids_stay_within_the_table_they_are_looked_up_in() {
    let Some(lab) = Lab::new() else { return };
    let flags = ["--batch-sizes", "64", "--dim", "sequence=50"];
    let run = lab.run_of(&fixture("embedding.onnx"), &flags);
    assert!(find_benchmark(&run, "infer/batch/64")["failure"].is_null(), "{run}");
    assert_eq!(run["conditions"]["inputs"], "random, seed 42; sequence = 50");
    let missing = ["leaves sizes open: `sequence`", "help: add --dim sequence=N"];
    lab.refuses(&fixture("embedding.onnx"), &[], 2, &missing);
    let unknown = ["no dynamic dimension `tokens`", "`sequence`"];
    lab.refuses(&fixture("embedding.onnx"), &["--dim", "tokens=4"], 2, &unknown);
}

#[test]
fn what_is_not_there_is_status_3_with_the_remedy() {
    let Some(lab) = Lab::new() else { return };
    let model = fixture("linear.onnx");
    let cuda = ["built without CUDAExecutionProvider", "help: `pip install onnxruntime-gpu`"];
    lab.refuses(&model, &["--provider", "cuda"], 3, &cuda);
    lab.refuses(&model, &["--provider", "mps"], 3, &["`mps`", "`coreml`"]);
    let mut absent = lab.command();
    let folder = lab.folder.path().join("nothing");
    let output =
        absent.args(["measure", "onnx"]).arg(&model).env("ORT_DYLIB_PATH", folder).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text_of(&output));
    assert!(text_of(&output).contains("help: `pip install onnxruntime`"), "{}", text_of(&output));
    let junk = lab.write("libonnxruntime.so", "not a library");
    let mut command = lab.command();
    let output = command.args(["measure", "onnx"]).arg(&model).env("ORT_DYLIB_PATH", junk).output();
    assert_eq!(output.unwrap().status.code(), Some(3));
}

#[test]
fn a_file_that_is_not_a_usable_model_is_one_line_with_status_2() {
    let Some(lab) = Lab::new() else { return };
    let whole = fs::read(fixture("linear.onnx")).unwrap();
    for (name, content, words) in [
        ("junk.onnx", &b"\xff\xfe junk junk"[..], "is not an ONNX model"),
        ("empty.onnx", b"", "it is empty"),
        ("cut.onnx", &whole[..whole.len() / 2], "it is cut off"),
        ("text.onnx", b"hello", "is not an ONNX model"),
        (
            "pointer.onnx",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "is a Git LFS pointer",
        ),
    ] {
        lab.refuses(&lab.write(name, content), &[], 2, &[name, words]);
    }
    lab.refuses(&fixture("absent.onnx"), &[], 2, &["failed to read", "No such file"]);
    lab.refuses(&fixture("unknown_operator.onnx"), &[], 2, &["cannot open", "Nonexistent"]);
    lab.refuses(&fixture("ten_gigabytes.onnx"), &[], 2, &["`x`", "[50000, 50000]", "too large"]);
    let outside = ["`../README.md`", "not in its folder"];
    lab.refuses(&fixture("external_outside.onnx"), &[], 2, &outside);
    let fixed = ["does not take a batch of 3", "first dimension is fixed at 2"];
    lab.refuses(&fixture("linear_fixed.onnx"), &["--batch-sizes", "3"], 2, &fixed);
}

#[test]
fn weights_beside_a_model_are_read_and_are_part_of_its_digest() {
    let Some(lab) = Lab::new() else { return };
    let model = lab.write("external.onnx", fs::read(fixture("external.onnx")).unwrap());
    let weights = fs::read(fixture("weights.bin")).unwrap();
    lab.write("weights.bin", &weights);
    let digest = |run: &Value| run["conditions"]["model"].as_str().unwrap().to_owned();
    let first = digest(&lab.run_of(&model, &[]));
    let mut other = weights;
    other[0] ^= 1;
    lab.write("weights.bin", other);
    assert_ne!(digest(&lab.run_of(&model, &[])), first);
}

#[test]
fn a_batch_that_dim_sets_counts_its_rows() {
    let Some(lab) = Lab::new() else { return };
    let model = fixture("linear.onnx");
    let run = lab.run_of(&model, &["--dim", "batch=3"]);
    let ids: Vec<_> = run["benchmarks"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert!(ids.iter().any(|id| *id == "infer/batch/3"), "{ids:?}");
    let fixed = ["first dimension is fixed at 3", "--dim"];
    lab.refuses(&model, &["--dim", "batch=3", "--batch-sizes", "8"], 2, &fixed);
}

#[test]
fn inputs_come_from_files_and_set_the_rows() {
    let Some(lab) = Lab::new() else { return };
    let model = fixture("linear.onnx");
    let content = floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    lab.write("x.npy", array("<f4", "(2, 4)", &content));
    lab.write("x.json", r#"{"x": [[1, 2, 3, 4], [5, 6, 7, 8]]}"#);
    for inputs in ["x.npy", "x.json", "."] {
        let run = lab.run_of(&model, &["--inputs", inputs]);
        find_benchmark(&run, "infer/batch/2");
        let source = run["conditions"]["inputs"].as_str().unwrap();
        assert!(source.contains("sha256") && !source.contains("random"), "{source}");
    }
    // More rows than the file has repeat those of the file.
    let run = lab.run_of(&model, &["--inputs", "x.npy", "--batch-sizes", "5"]);
    find_benchmark(&run, "infer/batch/5");
}

#[test]
fn a_file_of_inputs_that_does_not_fit_is_refused_in_one_line() {
    let Some(lab) = Lab::new() else { return };
    let model = fixture("linear.onnx");
    let four = floats(&[1.0; 4]);
    for (name, content, words) in [
        ("shape.npy", array("<f4", "(1, 3)", &four), "[1, 3], and the model takes [batch, 4]"),
        ("rank.npy", array("<f4", "(4,)", &four), "the model takes [batch, 4]"),
        ("type.npy", array("<f8", "(1, 4)", &[0; 32]), "`x` takes f32"),
        ("cut.npy", array("<f4", "(9, 4)", &four), "cut off"),
        ("short.npy", array("<f4", "(2, 4)", &four), "cut off"),
        ("huge.npy", array("<f4", "(9999999999, 9999999999)", &four), "more elements"),
        ("hidden.npy", array("<f4", "(0, 9999999999, 9999999999)", &[]), "more elements"),
        ("object.npy", array("|O", "(1, 4)", &four), "`x` takes f32"),
        ("junk.npy", b"junk".to_vec(), "not an array of NumPy"),
        ("header.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), "header is cut off"),
        ("junk.npz", b"junk".to_vec(), "`"),
        ("other.json", br#"{"z": [1]}"#.to_vec(), "none of the inputs of the model: `x`"),
        ("ragged.json", br#"{"x": [[1, 2], [3]]}"#.to_vec(), "differ in length"),
        ("words.json", br#"{"x": [["a", "b", "c", "d"]]}"#.to_vec(), "`x` takes f32"),
    ] {
        lab.write(name, content);
        lab.refuses(&model, &["--inputs", name], 2, &[name, words]);
    }
    lab.refuses(&model, &["--inputs", "x.csv"], 2, &["failed to read"]);
}

#[test]
fn an_output_that_is_not_a_number_fails_its_benchmark() {
    let Some(lab) = Lab::new() else { return };
    let run = lab.run_of(&fixture("linear_nan.onnx"), &[]);
    assert_eq!(failure_of(&run, "infer/batch/1"), "the output `y` has NaN");
    // What was measured before is kept.
    assert!(find_benchmark(&run, "cold/first")["failure"].is_null());
}

#[test]
fn a_model_that_hangs_is_ended_and_the_run_tells_so() {
    let Some(lab) = Lab::new() else { return };
    let (output, run) = lab.measure(&fixture("hang.onnx"), &["--timeout", "2s"]);
    let run = run.unwrap();
    let failure = &find_benchmark(&run, "command")["failure"]["reason"];
    assert_eq!(failure["reason"], "timed-out", "{} {run}", text_of(&output));
}

#[test]
fn a_worker_that_dies_is_a_failed_benchmark_and_not_the_end_of_perfgate() {
    let Some(mut lab) = Lab::new() else { return };
    let source = "__attribute__((constructor)) static void end(void) { __builtin_trap(); }";
    let source = lab.write("end.c", source);
    let library = lab.folder.path().join("libonnxruntime.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    assert!(compiler.status().unwrap().success());
    lab.library = library;
    let (output, run) = lab.measure(&fixture("linear.onnx"), &[]);
    assert_eq!(output.status.code(), Some(11), "{}", text_of(&output));
    let run = run.unwrap();
    assert_eq!(find_benchmark(&run, "command")["failure"]["reason"]["reason"], "killed");
}

fn check_models(lab: &Lab, candidate: &str) -> (Value, Output) {
    let path = lab.folder.path().join("out/decision.json");
    let mut command = lab.command();
    command.args(["check", "--out", "out", "--budget", "20s", "--calls", "20", "--warmup", "1ms"]);
    command.arg("--baseline-model").arg(fixture("linear.onnx"));
    command.arg("--candidate-model").arg(fixture(candidate));
    run_to_decision(&mut command, &path)
}

fn candidate_run(lab: &Lab) -> Value {
    serde_json::from_slice(&fs::read(lab.folder.path().join("out/run.json")).unwrap()).unwrap()
}

#[test]
fn two_models_are_compared_by_time_and_by_outputs() {
    let Some(lab) = Lab::new() else { return };
    check_models(&lab, "linear_close.onnx");
    let run = candidate_run(&lab);
    let metrics = &find_benchmark(&run, "infer/batch/1")["launches"][0]["metrics"];
    let error = metrics["max_abs_error"].as_f64().unwrap();
    // Each weight differs by 0.001, and an output sums four inputs between 0 and 1.
    assert!(error > 0.0 && error < 0.004, "{metrics}");
    assert!(metrics["cosine"].as_f64().unwrap() > 0.999, "{metrics}");
    assert!(metrics["max_rel_error"].is_number() && metrics["top1_disagreement"].is_number());
}

#[test]
fn a_model_that_is_faster_but_wrong_fails() {
    let Some(lab) = Lab::new() else { return };
    let (decision, output) = check_models(&lab, "linear_nan.onnx");
    assert_eq!(output.status.code(), Some(10), "{}", text_of(&output));
    assert_eq!(decision["verdict"], "fail");
    assert!(
        text_of(&output).contains("the output `y` has NaN; `model` differs"),
        "{}",
        text_of(&output)
    );
}

/// A repository whose first commit has `before` as its model and whose second has `after`.
fn repository_of_models(before: &[u8], after: &[u8]) -> Bed {
    let bed = Bed::new();
    for (name, content) in [("before", before), ("after", after)] {
        fs::create_dir_all(bed.path("work/models")).unwrap();
        fs::write(bed.path("work/models/m.onnx"), content).unwrap();
        bed.git("work", &["add", "models"]);
        bed.commit(name);
    }
    bed
}

fn check_repository(bed: &Bed, library: &Path) -> (Value, Output) {
    let mut command = perfgate_in(&bed.path("work"));
    command.env("ORT_DYLIB_PATH", library).env("PERFGATE_CACHE_DIR", bed.path("cache"));
    command.args(["check", "--onnx", "models/m.onnx", "--baseline", "HEAD~1", "--out", "out"]);
    command.args(["--budget", "20s", "--calls", "20", "--warmup", "1ms"]);
    run_to_decision(&mut command, &bed.path("work/out/decision.json"))
}

#[test]
fn a_model_of_the_repository_is_measured_at_both_commits() {
    let Some(library) = find_library() else { return };
    let read = |name| fs::read(fixture(name)).unwrap();
    let bed = repository_of_models(&read("linear.onnx"), &read("linear_close.onnx"));
    let (decision, output) = check_repository(&bed, &library);
    let benchmarks = decision["benchmarks"].as_array().unwrap();
    assert!(benchmarks.iter().any(|one| one["id"] == "infer/batch/1"), "{}", text_of(&output));
    let run: Value =
        serde_json::from_slice(&fs::read(bed.path("work/out/run.json")).unwrap()).unwrap();
    let metrics = &find_benchmark(&run, "infer/batch/1")["launches"][0]["metrics"];
    assert!(metrics["max_abs_error"].as_f64().unwrap() > 0.0, "{metrics}");
}

#[test]
fn a_pointer_in_place_of_the_base_model_is_named() {
    let Some(library) = find_library() else { return };
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let bed = repository_of_models(pointer, &fs::read(fixture("linear.onnx")).unwrap());
    let (_, output) = check_repository(&bed, &library);
    assert!(text_of(&output).contains("Git LFS pointer"), "{}", text_of(&output));
}

fn inspect(model: &Path, words: &[&str]) -> Output {
    // No runtime is needed.
    let mut command = perfgate_in(Path::new(env!("CARGO_MANIFEST_DIR")));
    command.arg("inspect").arg(model).args(words).env("ORT_DYLIB_PATH", "/nowhere");
    command.output().unwrap()
}

#[test]
fn a_model_is_described_without_a_runtime() {
    let output = inspect(&fixture("linear.onnx"), &["--format", "json"]);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["parameters"], 15);
    assert_eq!(summary["parameters_by_type"]["f32"], 15);
    assert_eq!(summary["operators"], serde_json::json!({ "Add": 1, "MatMul": 1 }));
    assert_eq!(summary["inputs"][0]["shape"], serde_json::json!(["batch", 4]));
    assert_eq!(summary["dynamic_dims"], serde_json::json!(["batch"]));
    assert_eq!(summary["opsets"]["ai.onnx"], 17);
    let text = text_of(&inspect(&fixture("linear.onnx"), &[]));
    for line in ["parameters  15", "inputs      x  f32 [batch, 4]", "quantized   nothing"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let output = inspect(&fixture("external_outside.onnx"), &[]);
    assert_eq!(output.status.code(), Some(2), "{}", text_of(&output));
}

#[test]
fn the_settings_of_a_model_need_a_model() {
    let mut command = perfgate_in(Path::new(env!("CARGO_MANIFEST_DIR")));
    let output = command.args(["check", "--threads", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text_of(&output));
    assert!(text_of(&output).contains("help: name one with --onnx"), "{}", text_of(&output));
}

#[test]
fn running_statistics_and_helper_constants_are_not_parameters() {
    if find_library().is_none() {
        return;
    }
    for model in ["graphsage.onnx", "graphsage_adjacency.onnx"] {
        let path = own_file("benches/.runtime/models").join(model);
        let output = inspect(&path, &["--format", "json"]);
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary["parameters"], 2_452_647, "{model}");
    }
}
