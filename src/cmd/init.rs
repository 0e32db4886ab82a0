//! `perfgate init`: surveys the benches and the other harnesses, writes the configuration and the workflows, and prints the
//! next steps.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cli::InitArgs;
use crate::files;
use crate::init::audit::audit_workflows;
use crate::init::harness::{FoundHarness, survey_harnesses};
use crate::init::{self, InitRepository, InitSubject, InstallMethod, NewFile};
use crate::measure::survey::{SurveyError, WorkspaceSurvey, survey_workspace};
use crate::render::escape_for_terminal;
use crate::session::project::find_manifest;
use crate::session::{CommandError, ExitStatus, print, read_run};

/// Remedy where init finds nothing to measure.
const HARNESS_HELP: &str = "run it in the folder of a Cargo workspace, or of benchmarks with pytest-benchmark, Go, Vitest, tinybench, mitata, Benchmark.js, Google Benchmark, Catch2, nanobench or JMH; measure.source in perfgate.toml can name any other harness";

/// Longest workflow that is looked at, in bytes. GitHub's own limit is lower.
const MAX_WORKFLOW_BYTES: usize = 1 << 20;

/// Runs `perfgate init`.
///
/// Fails before any file is written if the workspace cannot be read, or if a file exists and
/// `--force` is not given. Fails also if a file cannot be written.
pub(super) fn run_init(args: &InitArgs) -> Result<ExitStatus> {
    // Plan: survey the workspace, generate all files in memory, refuse to replace existing ones,
    // then write them and print what was done.
    if args.check {
        return check_workflows(args.manifest_path.as_deref());
    }
    let current = std::path::absolute(".")?;
    let found = if args.manifest_path.is_some() { Vec::new() } else { survey_harnesses(&current) };
    let chosen = choose_subject(args, &found)?;
    let subject = match &chosen {
        ChosenSubject::Workspace(survey) => InitSubject::Workspace(survey),
        ChosenSubject::Harness(found) => InitSubject::Harness { folder: &current, found },
    };
    let repository = find_repository_folder(subject.folder());
    let place = InitRepository {
        default_branch: repository.as_deref().and_then(find_default_branch),
        root: repository.clone().unwrap_or_else(|| subject.folder().to_owned()),
        seen_ids: find_seen_ids(subject.folder()),
        install: args.install.unwrap_or_else(InstallMethod::choose_default),
    };
    let files = init::generate_files(subject, &place);
    if !args.force {
        refuse_existing(&files, &place.root)?;
    }
    for NewFile { path, content } in &files {
        files::write_atomically(path, content.as_bytes())
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    let written =
        files.iter().map(|file| format!("wrote      {}", format_path(&file.path, &place.root)));
    let remarks = init::describe_subject(subject, &found);
    let lines = remarks
        .iter()
        .map(|line| escape_for_terminal(line))
        .chain([format!("install    {}", place.install.describe_consequence())])
        .chain(written)
        .chain([describe_next_steps(&place, repository.is_some())]);
    print::print_answer(&(lines.collect::<Vec<_>>().join("\n") + "\n"))?;
    Ok(ExitStatus::Pass)
}

/// What the gate will measure.
enum ChosenSubject {
    /// The benches of a Cargo workspace.
    Workspace(WorkspaceSurvey),
    /// Another harness.
    Harness(FoundHarness),
}

/// Chooses what the gate measures: what `--adapter` names; else the Criterion benches of a Cargo
/// workspace, if there are some; else the first of the harnesses that were `found`.
///
/// Fails if nothing is found, or not the harness that is named.
fn choose_subject(args: &InitArgs, found: &[FoundHarness]) -> Result<ChosenSubject> {
    if let Some(adapter) = args.adapter {
        let named = found.iter().find(|found| found.adapter == adapter.describe());
        let Some(named) = named else {
            let message = format!("init found no benchmarks of {} here", adapter.describe());
            let help = if found.is_empty() {
                HARNESS_HELP.to_owned()
            } else {
                let names: Vec<&str> = found.iter().map(|found| found.adapter).collect();
                format!("what it found: {}", names.join(", "))
            };
            return Err(CommandError::new_usage(message).with_help(help).into());
        };
        return Ok(ChosenSubject::Harness(named.clone()));
    }
    // Cargo is not asked where it has nothing to read.
    if args.manifest_path.is_none() && find_manifest(None).is_none() {
        return match found.first() {
            Some(first) => Ok(ChosenSubject::Harness(first.clone())),
            None => Err(CommandError::new_usage(
                "there is no Cargo.toml here, and no harness that init knows",
            )
            .with_help(HARNESS_HELP)
            .into()),
        };
    }
    match (survey_workspace(args.manifest_path.as_deref()), found.first()) {
        (Ok(survey), None) => Ok(ChosenSubject::Workspace(survey)),
        (Ok(survey), Some(_)) if survey.benches.iter().any(|bench| bench.is_criterion) => {
            Ok(ChosenSubject::Workspace(survey))
        }
        (_, Some(first)) => Ok(ChosenSubject::Harness(first.clone())),
        (Err(error), None) => Err(explain_survey_error(error)),
    }
}

/// Prints what is wrong with the workflows of the repository, one line per fault.
///
/// Fails if there is no repository or its workflows cannot be read. What is wrong is not an error,
/// but the exit status of one.
fn check_workflows(manifest: Option<&Path>) -> Result<ExitStatus> {
    let folder = manifest.and_then(Path::parent).unwrap_or(Path::new(""));
    let folder = std::path::absolute(Path::new(".").join(folder))?;
    let root = find_repository_folder(&folder).ok_or_else(|| {
        CommandError::new_usage(format!("`{}` is not in a git repository", folder.display()))
            .with_help("run it in the repository whose workflows it looks at")
    })?;
    let FoundWorkflows { read, skipped } = read_workflows(&root)?;
    let audit = audit_workflows(&read);
    let faults: Vec<_> = audit
        .faults
        .iter()
        .map(
            |(path, fault)| {
                if path.is_empty() { fault.to_string() } else { format!("{path}: {fault}") }
            },
        )
        .collect();
    let count = print::format_plural(audit.audited.len(), "workflow");
    let (last, status) = if faults.is_empty() {
        (format!("nothing is wrong with {count} of perfgate"), ExitStatus::Pass)
    } else {
        let faults = print::format_plural(faults.len(), "fault");
        (format!("{faults} in {count} of perfgate"), ExitStatus::Usage)
    };
    let skipped = skipped.into_iter().map(|path| {
        let path = escape_for_terminal(&path);
        format!("skipped `{path}`: it is longer than {MAX_WORKFLOW_BYTES} bytes")
    });
    let faults = faults.iter().map(|line| escape_for_terminal(line));
    let lines: Vec<_> = skipped.chain(faults).chain([last]).collect();
    print::print_answer(&(lines.join("\n") + "\n"))?;
    Ok(status)
}

/// The workflow files of a repository, in the order of their names.
#[derive(Default)]
struct FoundWorkflows {
    /// Path of each file from the root of the repository, with its content.
    read: Vec<(String, String)>,
    /// Paths of the files that are too long. GitHub starts none of them, and they may be somebody
    /// else's.
    skipped: Vec<String>,
}

/// Returns the workflow files of the repository at `root`.
///
/// Fails if a file cannot be read.
fn read_workflows(root: &Path) -> Result<FoundWorkflows> {
    let folder = root.join(".github").join("workflows");
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let extension = Path::new(name).extension();
            extension.is_some_and(|extension| extension == "yml" || extension == "yaml")
        })
        .collect();
    names.sort_unstable();
    let mut found = FoundWorkflows::default();
    for name in names {
        let path = folder.join(&name);
        let shown = format!(".github/workflows/{name}");
        let content = files::read_plain_file(&path).map_err(|error| {
            CommandError::new_usage(format!("failed to read `{}`: {error}", path.display()))
        })?;
        if content.len() > MAX_WORKFLOW_BYTES {
            found.skipped.push(shown);
            continue;
        }
        // A file of somebody else may be anything. Whether it is a workflow is seen later.
        found.read.push((shown, String::from_utf8_lossy(&content).into_owned()));
    }
    Ok(found)
}

/// Returns the ids of the benchmarks in the last run that was measured in the workspace; none if
/// there is no readable one.
fn find_seen_ids(workspace: &Path) -> Vec<String> {
    let run = read_run(&workspace.join("target").join("perfgate").join("run.json"));
    let benchmarks = run.map(|run| run.benchmarks).unwrap_or_default();
    benchmarks.into_iter().map(|benchmark| benchmark.id).collect()
}

/// Fails if one of `files` exists already.
fn refuse_existing(files: &[NewFile], repository: &Path) -> Result<()> {
    let existing: Vec<_> = files.iter().filter(|file| file.path.exists()).collect();
    if existing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> =
        existing.iter().map(|file| format!("`{}`", format_path(&file.path, repository))).collect();
    let message = format!(
        "{} already; nothing was written",
        names.join(", ") + if names.len() == 1 { " exists" } else { " exist" }
    );
    Err(CommandError::new_usage(message).with_help("--force replaces existing files").into())
}

fn describe_next_steps(place: &InitRepository, is_repository: bool) -> String {
    let branch = place.default_branch.as_deref();
    let branch = branch.map_or("the default branch".to_owned(), |branch| format!("`{branch}`"));
    let setting = "Settings › Actions › General: workflows need no more than the read permission they have by default";
    let commit_step = if is_repository {
        "commit these files"
    } else {
        "this is not a git repository yet: `git init`, then commit these files"
    };
    format!(
        "\nnext       1. `perfgate check` here shows what the gate will say (nothing to compare with yet)\n           \
         2. {commit_step} on a branch and open a pull request\n           \
         3. merge it: the push to {branch} records the first baseline, later pull requests are compared with it\n           \
         {setting}"
    )
}

fn explain_survey_error(error: SurveyError) -> anyhow::Error {
    match error {
        SurveyError::NoCargo(_) => CommandError::new_unavailable(error)
            .with_help("install Rust: init looks at the workspace through Cargo"),
        SurveyError::Workspace(_) => CommandError::new_usage(error).with_help(
            "run it in a Cargo workspace, or name one with --manifest-path PATH/Cargo.toml",
        ),
    }
    .into()
}

/// Returns the nearest folder with `.git` at or above `folder`. In a worktree or a submodule,
/// `.git` is a file.
fn find_repository_folder(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

/// Returns the remote's default branch as the clone recorded it.
///
/// Returns `None` if the clone did not record it, as after `git init`. The branch that is checked
/// out may be any branch, so it is no answer.
fn find_default_branch(repository: &Path) -> Option<String> {
    let head = repository.join(".git").join("refs/remotes/origin/HEAD");
    let text = files::read_plain_text(&head).ok()?;
    text.trim().strip_prefix("ref: refs/remotes/origin/").map(str::to_owned)
}

fn format_path(path: &Path, repository: &Path) -> String {
    path.strip_prefix(repository).unwrap_or(path).display().to_string()
}
