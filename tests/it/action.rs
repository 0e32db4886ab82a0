//! `action.yml`, its tables in the documentation, the workflows, and the scripts of the action.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::github::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns name, description and default of each line in a section of `action.yml`.
pub(crate) fn entries(section: &str) -> BTreeMap<String, (String, String)> {
    let action = read("action.yml");
    let lines = action.lines().skip_while(|line| *line != format!("{section}:")).skip(1);
    lines
        .take_while(|line| line.starts_with("  "))
        .map(|line| {
            let (name, rest) = line.trim().split_once(": {").unwrap_or_else(|| panic!("{line}"));
            let quoted = |key: &str| {
                let value = rest.split_once(&format!("{key}: \""))?.1;
                Some(value.split('"').next().unwrap().to_owned())
            };
            (
                name.to_owned(),
                (quoted("description").unwrap(), quoted("default").unwrap_or_default()),
            )
        })
        .collect()
}

/// Returns the rows of the table under this heading of the action's page, in order.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let page = read("docs/action.md");
    let lines = page.lines().skip_while(|line| *line != format!("## {heading}"));
    let table =
        lines.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    table
        .skip(2)
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

#[test]
fn the_tables_of_the_documentation_are_those_of_the_action() {
    let inputs: BTreeSet<_> = entries("inputs")
        .into_iter()
        .map(|(name, (description, default))| {
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            vec![format!("`{name}`"), description, default]
        })
        .collect();
    assert!(inputs.len() > 20, "{inputs:?}");
    assert_eq!(rows("Inputs").into_iter().collect::<BTreeSet<_>>(), inputs);
    let outputs: BTreeSet<_> = entries("outputs")
        .into_iter()
        .map(|(name, (description, _))| vec![format!("`{name}`"), description])
        .collect();
    assert_eq!(rows("Outputs").into_iter().collect::<BTreeSet<_>>(), outputs);
}

#[test]
fn every_input_reaches_a_script_by_its_environment() {
    let action = read("action.yml");
    let (_, runs) = action.split_once("\nruns:").unwrap();
    for name in entries("inputs").keys() {
        assert!(
            runs.contains(&format!("${{{{ inputs.{name} }}}}"))
                || runs.contains(&format!("inputs.{name} ")),
            "{name} is not used"
        );
    }
    for line in runs.lines().filter(|line| line.trim_start().starts_with("run:")) {
        assert!(!line.contains("${{"), "{line}");
    }
}

#[test]
fn the_version_of_the_action_is_that_of_the_crate() {
    assert_eq!(entries("inputs")["version"].1, env!("CARGO_PKG_VERSION"));
}

#[test]
fn workflows_begin_without_permissions_and_pin_what_they_use() {
    let folders = [".github/workflows", "examples/workflows"];
    let files = folders.map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let mut seen = 0;
    for entry in files.into_iter().flatten() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\npermissions: {}\n"), "{}", path.display());
        for line in text.lines() {
            let Some(used) = line.trim_start().trim_start_matches("- ").strip_prefix("uses: ")
            else {
                continue;
            };
            let hash = used.split(['@', ' ']).nth(1).unwrap_or_default();
            let ours = used == "./" || used.starts_with("perfgate/perfgate@v");
            assert!(ours || hash.len() == 40, "{}: {line}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 6, "{seen} workflows");
}

#[test]
fn the_workflow_that_may_write_runs_nothing_of_a_pull_request() {
    for path in ["examples/workflows/perfgate-publish.yml", ".github/workflows/publish.yml"] {
        let text = read(path);
        assert!(text.contains("workflow_run:") && text.contains("statuses: write"));
        for forbidden in
            ["pull_request_target", "download-artifact", "ref:", "head_sha", "contents: write"]
        {
            assert!(!text.contains(forbidden), "{path} has {forbidden}");
        }
    }
    let measures = read("examples/workflows/perfgate.yml");
    let gate = measures.split("\n  record:").next().unwrap();
    assert!(!gate.contains(": write"), "the half that runs foreign code may write");
}

/// Runs `scripts/action/install` in `folder`, with a `curl` that serves `archive`.
fn install(folder: &Path, method: &[(&str, &str)]) -> Output {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(root().join("scripts/action/install"));
    command
        .env("PATH", path)
        .env("RUNNER_TEMP", folder.join("temp"))
        .env("RUNNER_OS", "Linux")
        .env("RUNNER_ARCH", "X64")
        .env("GITHUB_ACTION_PATH", folder)
        .env("GITHUB_OUTPUT", folder.join("output"))
        .env("GITHUB_SERVER_URL", "https://github.test")
        .env("GITHUB_REPOSITORY", "octo/consumer")
        .env("ACTION_REPOSITORY", "octo/perfgate")
        .env("METHOD", "release")
        .env("VERSION", "9.9.9")
        .env("BINARY_PATH", "perfgate");
    command.envs(method.iter().copied()).output().unwrap()
}

#[cfg(unix)]
fn release(sum: &str) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let executable = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    executable("perfgate", "#!/bin/sh\necho perfgate 9.9.9\n");
    let packed = Command::new("tar")
        .args(["-czf", "archive", "perfgate"])
        .current_dir(folder.path())
        .status();
    assert!(packed.unwrap().success());
    // This `curl` records its arguments and returns the archive.
    executable(
        "curl",
        &format!(
            "#!/bin/sh\necho \"$*\" >{0}/asked\nwhile [ \"$1\" != --output ]; do shift; done\ncp {0}/archive \"$2\"\n",
            folder.path().display()
        ),
    );
    let sum = if sum == "right" {
        let output = Command::new("sha256sum").arg(folder.path().join("archive")).output().unwrap();
        String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
    } else {
        sum.to_owned()
    };
    let line = format!("{sum}  perfgate-9.9.9-x86_64-unknown-linux-musl.tar.gz\n");
    fs::write(folder.path().join("checksums.txt"), line).unwrap();
    folder
}

#[cfg(target_os = "linux")]
#[test]
fn a_release_is_installed_when_its_checksum_is_the_committed_one() {
    let folder = release("right");
    let output = install(folder.path(), &[]);
    assert!(output.status.success(), "{output:?}");
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    let address = "https://github.test/octo/perfgate/releases/download/v9.9.9/perfgate-9.9.9-x86_64-unknown-linux-musl.tar.gz";
    assert!(asked.trim_end().ends_with(address) && asked.contains("--proto =https"), "{asked}");
    let binary = fs::read_to_string(folder.path().join("output")).unwrap();
    assert!(binary.trim_end().ends_with("/temp/perfgate/perfgate"), "{binary}");
}

#[cfg(target_os = "linux")]
#[test]
fn before_the_first_release_one_line_says_what_to_do() {
    let folder = release("right");
    let lines = read("checksums.txt");
    let lines: Vec<_> = lines.lines().filter(|line| line.starts_with('#')).collect();
    fs::write(folder.path().join("checksums.txt"), lines.join("\n") + "\n").unwrap();
    let output = install(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("::error") && said.lines().count() == 1, "{said}");
    assert!(said.contains("no release to install yet: use install-method: cargo"), "{said}");
    assert!(!folder.path().join("asked").exists(), "something was fetched");
}

/// Returns the arguments that `install-method: cargo` passes to `cargo` if the action has this
/// version.
#[cfg(target_os = "linux")]
fn asked_of_cargo(own: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = release("right");
    let cargo = folder.path().join("cargo");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >{0}/asked\necho \"in $PWD with [$RUSTUP_TOOLCHAIN$RUSTFLAGS$CARGO_BUILD_TARGET]\" >{0}/place\nmkdir -p {0}/temp/perfgate/bin\ncp {0}/perfgate {0}/temp/perfgate/bin/\n",
        folder.path().display()
    );
    fs::write(&cargo, script).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("Cargo.toml"), format!("version = \"{own}\"\n")).unwrap();
    let consumer = [
        ("METHOD", "cargo"),
        ("RUSTUP_TOOLCHAIN", "1.60.0"),
        ("RUSTFLAGS", "-D warnings"),
        ("CARGO_BUILD_TARGET", "wasm32-wasip1"),
    ];
    let output = install(folder.path(), &consumer);
    assert!(output.status.success(), "{output:?}");
    // The toolchain and the settings of the consumer's checkout are not those of the build.
    let place = fs::read_to_string(folder.path().join("place")).unwrap();
    let temp = folder.path().join("temp/perfgate");
    assert_eq!(place.trim_end(), format!("in {} with []", temp.display()));
    // What the cache restored is not built again.
    fs::remove_file(folder.path().join("place")).unwrap();
    assert!(install(folder.path(), &consumer).status.success());
    assert!(!folder.path().join("place").exists(), "it was built although it exists");
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    asked.replace(folder.path().to_str().unwrap(), "ACTION")
}

#[cfg(target_os = "linux")]
#[test]
fn cargo_builds_the_source_that_was_pinned_and_another_version_from_its_tag() {
    assert!(asked_of_cargo("9.9.9").trim_end().ends_with("--path ACTION"));
    let asked = asked_of_cargo("1.0.0");
    let from = "--git https://github.test/octo/perfgate --tag v9.9.9 perfgate";
    assert!(asked.trim_end().ends_with(from), "{asked}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_release_of_another_checksum_or_an_unknown_version_is_not_run() {
    let folder = release(&"0".repeat(64));
    for (method, why) in [
        (vec![], "is not the file that checksums.txt describes"),
        (vec![("VERSION", "8.0.0")], "checksums.txt knows no perfgate-8.0.0"),
        (vec![("RUNNER_OS", "Plan9")], "no archive for Plan9"),
        (vec![("METHOD", "magic")], "install-method is magic"),
        (
            vec![("METHOD", "path"), ("BINARY_PATH", "/nothing/there")],
            "no binary at /nothing/there",
        ),
    ] {
        let output = install(folder.path(), &method);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.starts_with("::error") && said.contains(why), "{said}");
        assert!(!said.contains("perfgate 9.9.9"), "it was run");
    }
}

/// Returns the outputs of `scripts/action/choose` for this method and platform.
#[cfg(target_os = "linux")]
fn choose(action: &Path, method: &str, platform: [&str; 2]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(root().join("scripts/action/choose"));
    command
        .env("METHOD", method)
        .env("VERSION", "9.9.9")
        .env("RUNNER_OS", platform[0])
        .env("RUNNER_ARCH", "X64")
        .env("ImageOS", platform[1])
        .env("RUNNER_TEMP", "/temp")
        .env("GITHUB_ACTION_PATH", action)
        .env("GITHUB_OUTPUT", folder.path().join("output"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(folder.path().join("output")).unwrap_or_default()
}

#[cfg(target_os = "linux")]
#[test]
fn a_build_is_cached_by_version_source_and_platform() {
    let action = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(action.path().join(name), text).unwrap();
    fs::create_dir(action.path().join("src")).unwrap();
    write("Cargo.toml", "");
    write("Cargo.lock", "");
    write("src/main.rs", "fn main() {}");
    let linux = ["Linux", "ubuntu24"];
    let first = choose(action.path(), "cargo", linux);
    assert!(
        first
            .contains("binary=/temp/perfgate/bin/perfgate\nkey=perfgate-9.9.9-Linux-X64-ubuntu24-"),
        "{first}"
    );
    assert_eq!(choose(action.path(), "cargo", linux), first);
    assert_ne!(choose(action.path(), "cargo", ["Linux", "ubuntu22"]), first);
    assert_ne!(choose(action.path(), "cargo", ["macOS", "macos15"]), first);
    write("src/main.rs", "fn main() { }");
    assert_ne!(choose(action.path(), "cargo", linux), first);
    assert_eq!(choose(action.path(), "release", linux), "");
}

#[test]
fn the_archives_that_are_released_are_those_that_the_action_installs() {
    let workflow = read(".github/workflows/release.yml");
    let released = workflow.lines().filter_map(|line| line.split_once("{ target: "));
    let released: BTreeSet<_> =
        released.map(|(_, rest)| rest.split(',').next().unwrap().to_owned()).collect();
    let script = read("scripts/action/install");
    let installed = script.lines().filter_map(|line| line.split_once(" target="));
    let installed: BTreeSet<_> =
        installed.map(|(_, rest)| rest.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(released, installed);
    assert_eq!(released.len(), 5);
}

#[test]
fn no_step_after_the_measurement_reads_what_measured_code_may_have_set() {
    let action = read("action.yml");
    let (_, later) = action.split_once("- name: Check\n").unwrap();
    let later: Vec<_> = later.split("    - name: ").skip(1).collect();
    assert!(!later.is_empty());
    for step in later {
        assert!(step.contains("shell: bash --noprofile --norc -p "), "{step}");
        for name in ["BASH_ENV", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT"] {
            assert!(step.contains(&format!("{name}: \"\"\n")), "{name}: {step}");
        }
    }
}
