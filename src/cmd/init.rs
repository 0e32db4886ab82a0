//! `perfgate init`: looks at the benches, writes the configuration and the workflows, says what comes next.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{ExitStatus, Refusal, print};
use crate::cli::InitArgs;
use crate::files;
use crate::init::{self, NewFile, Place};
use crate::measure::survey::{SurveyError, survey};

/// Writes all files or none.
pub(super) fn run(args: &InitArgs) -> Result<ExitStatus> {
    let survey = survey(args.manifest_path.as_deref()).map_err(refused)?;
    let repository = repository_of(&survey.root);
    let place = Place {
        default_branch: repository
            .as_deref()
            .and_then(default_branch)
            .unwrap_or_else(|| "main".to_owned()),
        repository: repository.clone().unwrap_or_else(|| survey.root.clone()),
    };
    let files = init::files(&survey, &place);
    if !args.force {
        refuse_existing(&files, &place.repository)?;
    }
    for NewFile { path, content } in &files {
        files::write(path, content.as_bytes())
            .with_context(|| format!("failed to write `{}`", path.display()))?;
    }
    let wrote =
        files.iter().map(|file| format!("wrote      {}", shown(&file.path, &place.repository)));
    let lines = init::remarks(&survey)
        .into_iter()
        .chain(wrote)
        .chain([next_step(&place, repository.is_some())]);
    print::answer(&(lines.collect::<Vec<_>>().join("\n") + "\n"))?;
    Ok(ExitStatus::Pass)
}

fn refuse_existing(files: &[NewFile], repository: &Path) -> Result<()> {
    let existing: Vec<_> = files.iter().filter(|file| file.path.exists()).collect();
    if existing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> =
        existing.iter().map(|file| format!("`{}`", shown(&file.path, repository))).collect();
    let message = format!(
        "{} there already, nothing was written",
        names.join(", ") + if names.len() == 1 { " is" } else { " are" }
    );
    Err(Refusal::usage(message).help("--force replaces what is there").into())
}

fn next_step(place: &Place, is_repository: bool) -> String {
    let branch = &place.default_branch;
    let setting = "Settings › Actions › General: workflows need no more than the read permission they have by default";
    let begin = if is_repository {
        "commit these files"
    } else {
        "this is no git repository yet: `git init`, then commit these files"
    };
    format!(
        "\nnext       1. `perfgate check` here shows what the gate will say (nothing to compare with yet)\n           \
         2. {begin} on a branch and open a pull request\n           \
         3. merge it: the push to `{branch}` records the first baseline, later pull requests are compared with it\n           \
         {setting}"
    )
}

fn refused(error: SurveyError) -> anyhow::Error {
    match error {
        SurveyError::NoCargo(_) => Refusal::unavailable(error)
            .help("install Rust: init looks at the workspace through Cargo"),
        SurveyError::Workspace(_) => Refusal::usage(error)
            .help("run it in a Cargo workspace, or name one: --manifest-path PATH/Cargo.toml"),
    }
    .into()
}

/// The folder with `.git` at or above `folder`; in a worktree or a submodule that is a file.
fn repository_of(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

/// What the clone remembers of the remote's default branch; without a remote, the branch that is checked out.
fn default_branch(repository: &Path) -> Option<String> {
    let git = repository.join(".git");
    let of = |file: &str, prefix: &str| {
        let text = fs::read_to_string(git.join(file)).ok()?;
        text.trim().strip_prefix(prefix).map(str::to_owned)
    };
    of("refs/remotes/origin/HEAD", "ref: refs/remotes/origin/")
        .or_else(|| of("HEAD", "ref: refs/heads/"))
}

fn shown(path: &Path, repository: &Path) -> String {
    path.strip_prefix(repository).unwrap_or(path).display().to_string()
}
