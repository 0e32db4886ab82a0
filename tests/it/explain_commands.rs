//! `check --explain` of two commands: programs of which perfgate knows nothing, and scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use crate::command::{perfgate_in, run_to_decision, text_of};
use crate::explain::has_valgrind;
use crate::repositories::Bed;

/// A benchmark whose times are made up and whose work is real.
const PROGRAM: &str = r#"
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static unsigned long mix(unsigned long x) {
    for (int i = 0; i < ROUNDS; i++) x = x * 31 ^ i;
    return x;
}

__attribute__((noinline)) static unsigned long prepare(void) {
    unsigned long x = 1;
    for (int i = 0; i < 100000; i++) x = x * 33 ^ i;
    return x;
}

int main(void) {
    const char *asked = getenv("PERFGATE_CALLS");
    int calls = FOLLOWS && asked ? atoi(asked) : 20;
    volatile unsigned long sum = prepare();
    printf("{\"id\": \"mix\", \"samples_ns\": [");
    for (int i = 0; i < calls; i++) {
        sum += mix(sum);
        printf("%s%d", i ? ", " : "", NANOS + i % 3);
    }
    printf("]}\n");
}
"#;

/// Compiles the benchmark as `name` with these definitions and options.
fn compile(bed: &Bed, name: &str, options: &[&str]) {
    let (source, program) = (bed.path("bench.c"), bed.path("work").join(name));
    fs::write(&source, PROGRAM).unwrap();
    let mut compiler = Command::new("cc");
    compiler.arg("-O1").args(options).arg("-o").arg(program).arg(source);
    let output = compiler.output().unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
}

/// Checks `./old` against `./new`, and explains the difference.
fn explain(bed: &Bed) -> Value {
    let commands = ["--baseline-command", "./old", "--candidate-command", "./new"];
    let effort = ["--calls", "20", "--out", "../out"];
    let mut check = perfgate_in(&bed.path("work"));
    check.args(["check", "--explain", "--explain-budget", "20m"]).args(commands).args(effort);
    let (decision, output) = run_to_decision(&mut check, &bed.path("out/decision.json"));
    assert_eq!(decision["benchmarks"][0]["change"], "regressed", "{}", text_of(&output));
    decision["benchmarks"][0].clone()
}

// Issue 17
#[test]
fn a_command_is_explained_by_the_functions_of_its_program() {
    if !has_valgrind() {
        return;
    }
    let bed = Bed::new();
    let [fast, slow] = ["-DROUNDS=2000", "-DROUNDS=3000"];
    compile(&bed, "old", &["-g", "-DFOLLOWS=1", fast, "-DNANOS=100000"]);
    compile(&bed, "new", &["-g", "-DFOLLOWS=1", slow, "-DNANOS=150000"]);
    let explanation = &explain(&bed)["explanation"];
    assert_eq!(explanation["cause"], "instructions", "{explanation:#}");
    assert_eq!(explanation["scope"], Value::Null, "{explanation:#}");
    assert_eq!(explanation["functions"][0]["function"], "mix", "{explanation:#}");
    assert_eq!(explanation["functions"].as_array().unwrap().len(), 1, "{explanation:#}");
    assert!(explanation["lines"][0]["text"].as_str().unwrap().contains("ROUNDS"));
    // The set-up is not part of a call.
    let own = explanation["instructions"]["candidate"].as_f64().unwrap();
    assert!((9_000.0..100_000.0).contains(&own), "{explanation:#}");
}

#[test]
fn a_command_that_ignores_the_number_of_calls_is_explained_by_whole_processes() {
    if !has_valgrind() {
        return;
    }
    let bed = Bed::new();
    // Without debug information, functions are known by their symbols.
    let [fast, slow] = ["-DROUNDS=20000", "-DROUNDS=30000"];
    compile(&bed, "old", &["-DFOLLOWS=0", fast, "-DNANOS=100000"]);
    compile(&bed, "new", &["-DFOLLOWS=0", slow, "-DNANOS=150000"]);
    let explanation = &explain(&bed)["explanation"];
    assert_eq!(explanation["scope"], "process", "{explanation:#}");
    assert_eq!(explanation["functions"][0]["function"], "mix", "{explanation:#}");
    let report = fs::read_to_string(bed.path("out/report.md")).unwrap();
    assert!(report.contains("per process, including what it does once"), "{report}");
}

#[test]
fn an_interpreter_is_named_and_its_functions_are_not_blamed() {
    if !has_valgrind() {
        return;
    }
    let bed = Bed::new();
    for (name, nanos) in [("old", 100_000), ("new", 150_000)] {
        let path = bed.path("work").join(name);
        let script = format!(
            "#!/usr/bin/env -S python3 -IS\nprint('{{\"id\": \"a\", \"samples_ns\": [{nanos}, {}]}}')\n",
            nanos + 1
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let judgement = explain(&bed);
    assert_eq!(judgement["explanation"], Value::Null, "{judgement:#}");
    let notes = judgement["notes"].to_string();
    assert!(notes.contains("python") && notes.contains("interprets it"), "{notes}");
}
