//! `perfgate init`: surveys the benches, writes the configuration and the workflows, and prints the
//! next steps.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::cli::InitArgs;
use crate::files;
use crate::init::{self, InitRepository, NewFile};
use crate::measure::survey::{SurveyError, survey_workspace};
use crate::session::{CommandError, ExitStatus, print};

/// Runs `perfgate init`.
///
/// Fails before any file is written if the workspace cannot be read, or if a file exists and
/// `--force` is not given. Fails also if a file cannot be written.
pub(super) fn run_init(args: &InitArgs) -> Result<ExitStatus> {
    // Plan: survey the workspace, generate all files in memory, refuse to replace existing ones,
    // then write them and print what was done.
    let survey = survey_workspace(args.manifest_path.as_deref()).map_err(explain_survey_error)?;
    let repository = find_repository_folder(&survey.root);
    let place = InitRepository {
        default_branch: repository
            .as_deref()
            .and_then(find_default_branch)
            .unwrap_or_else(|| "main".to_owned()),
        root: repository.clone().unwrap_or_else(|| survey.root.clone()),
    };
    let files = init::generate_files(&survey, &place);
    if !args.force {
        refuse_existing(&files, &place.root)?;
    }
    for NewFile { path, content } in &files {
        files::write_atomically(path, content.as_bytes())
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    let written =
        files.iter().map(|file| format!("wrote      {}", format_path(&file.path, &place.root)));
    let lines = init::describe_benches(&survey)
        .into_iter()
        .chain(written)
        .chain([describe_next_steps(&place, repository.is_some())]);
    print::print_answer(&(lines.collect::<Vec<_>>().join("\n") + "\n"))?;
    Ok(ExitStatus::Pass)
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
    let branch = &place.default_branch;
    let setting = "Settings › Actions › General: workflows need no more than the read permission they have by default";
    let commit_step = if is_repository {
        "commit these files"
    } else {
        "this is not a git repository yet: `git init`, then commit these files"
    };
    format!(
        "\nnext       1. `perfgate check` here shows what the gate will say (nothing to compare with yet)\n           \
         2. {commit_step} on a branch and open a pull request\n           \
         3. merge it: the push to `{branch}` records the first baseline, later pull requests are compared with it\n           \
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

/// Returns the remote's default branch as the clone recorded it, or else the checked-out branch.
fn find_default_branch(repository: &Path) -> Option<String> {
    let git = repository.join(".git");
    let read_reference = |file: &str, prefix: &str| {
        let text = fs::read_to_string(git.join(file)).ok()?;
        text.trim().strip_prefix(prefix).map(str::to_owned)
    };
    read_reference("refs/remotes/origin/HEAD", "ref: refs/remotes/origin/")
        .or_else(|| read_reference("HEAD", "ref: refs/heads/"))
}

fn format_path(path: &Path, repository: &Path) -> String {
    path.strip_prefix(repository).unwrap_or(path).display().to_string()
}
