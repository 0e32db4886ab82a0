//! The rules that judge a change: those of the commit that it goes into. A change cannot loosen its
//! own gate, and what it edits is shown.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use super::remote;
use crate::git::{BranchFile, CommitId, GitError, Repository};
use crate::note::{Note, RulesIssue};
use crate::policy::{Config, MeasureConfig, RuleChange, list_rule_changes};
use crate::session::settings::{list_config_places, locate_config, read_config_text};
use crate::session::{Session, SessionRequest};

/// Maximum number of edited rules that are named.
const MAX_NAMED_RULES: usize = 8;

/// Maximum size of a configuration in bytes that is read from a commit.
const MAX_CONFIG_BYTES: usize = 1 << 20;

/// The rule for how the code is prepared for a build, which belongs to the code of each side.
const PREPARE_RULE: &str = "measure.prepare";

/// The rule for what is measured, which belongs to the code of each side, too.
const SOURCE_RULE: &str = "measure.source";

/// The commit whose rules judge.
pub(super) struct RulesBase {
    /// The commit.
    pub(super) commit: CommitId,
    /// Whether a stranger may have made the change that is judged.
    pub(super) is_proposed: bool,
}

/// Judges by the rules of the commit that the change goes into. Returns what a reader must know
/// about them.
///
/// The sections `[gate]`, `[[bench]]`, `[[metric]]`, `[[target]]` and `[[expect]]` come from the base.
/// Targets and claims that the change adds or makes stricter judge it too. If strangers may have made the change, `[store]` and the
/// amount of measuring come from the base as well, also if it has no such file. A configuration that the command line names
/// outside of the repository is no part of the change, so it stays.
///
/// Fails if the configuration of the working tree cannot be read again, or if the rules cannot be
/// combined.
pub(super) fn apply_base_rules(
    session: &mut Session,
    request: &SessionRequest<'_>,
    base: &RulesBase,
) -> Result<Vec<Note>> {
    let Some(repository) = &session.project.repository else { return Ok(Vec::new()) };
    let folder = &session.project.folder;
    let root = repository.folder();
    // A change may add a nearer file or remove one, so the base is searched by itself.
    let places: Vec<PathBuf> = list_config_places(request.gate, folder)
        .iter()
        .filter_map(|path| find_path_inside(root, path))
        .collect();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let own_text = read_config_text(request.gate, &locate_config(request.gate, folder))?;
    let (rules, unreadable) = match read_rules(repository, &base.commit, &places) {
        Ok(rules) => (rules, None),
        Err(cause) => (CommitRules::default(), Some(cause)),
    };
    let CommitRules { text, config, place } = rules;
    let base_folder = match place.as_deref().and_then(Path::parent) {
        Some(inside) if request.gate.config.is_none() => root.join(inside),
        _ => folder.clone(),
    };
    let own = session.config.clone();
    // How to prepare a build belongs to the code. A local change may also choose how much to
    // measure, and where its baselines are.
    let measure = if base.is_proposed {
        let MeasureConfig { prepare, source, .. } = own.measure.clone();
        MeasureConfig { prepare, source, ..config.measure.clone() }
    } else {
        own.measure.clone()
    };
    let store = if base.is_proposed { config.store.clone() } else { own.store.clone() };
    let is_in_force = |rule: &str| {
        !base.is_proposed && (rule.starts_with("measure.") || rule.starts_with("store."))
    };
    let changes = list_rule_changes(&text, &own_text).into_iter();
    let changes: Vec<_> = changes.filter(|change| !is_in_force(&change.rule)).collect();
    // A command of the change could edit what the base is built from.
    if base.is_proposed {
        session.base_recipe =
            session.recipe.resolve_for_base(&request.source, &config.measure, &base_folder);
    }
    let config = Config { measure, store, ..config };
    session.replace_config(config, &own, request)?;
    let unreadable = unreadable.map(|cause| {
        let commit = base.commit.short_id().to_owned();
        RulesIssue::Unreadable { commit, cause }
    });
    let issues = unreadable.into_iter().chain(name_changes(changes));
    Ok(issues.map(|issue| Note::BaseRules { issue }).collect())
}

/// Returns what a reader must know about the edited rules, the first of them by name.
fn name_changes(changes: Vec<RuleChange>) -> Vec<RulesIssue> {
    let more = u32::try_from(changes.len().saturating_sub(MAX_NAMED_RULES)).unwrap_or(u32::MAX);
    let named = changes.into_iter().take(MAX_NAMED_RULES).map(|change| {
        let (base, candidate) = (change.before, change.after);
        match change.rule.as_str() {
            PREPARE_RULE => RulesIssue::PrepareChanged { base, candidate },
            SOURCE_RULE => RulesIssue::SourceChanged { base, candidate },
            _ => RulesIssue::Changed { rule: change.rule, base, candidate },
        }
    });
    named.chain((more > 0).then_some(RulesIssue::MoreChanged { count: more })).collect()
}

/// Returns the path of the configuration in the repository, or `None` if it is outside of it.
///
/// Links within the repository stay on the path. They are part of the change, and may lead elsewhere
/// in the base.
fn find_path_inside(root: &Path, path: &Path) -> Option<PathBuf> {
    let root = root.canonicalize().ok()?;
    // The current folder has no links, so `..` leads to the folder above it.
    let mut whole = std::env::current_dir().ok()?.canonicalize().ok()?;
    let mut rest = path.components().peekable();
    while rest.next_if(|part| *part == Component::ParentDir).is_some() {
        whole.pop();
    }
    whole.extend(rest);
    let is_root = |folder: &&Path| folder.canonicalize().is_ok_and(|folder| folder == root);
    if let Some(outermost) = whole.ancestors().filter(is_root).last() {
        return Some(whole.strip_prefix(outermost).ok()?.to_owned());
    }
    // A link from outside may lead into the repository.
    let folder = whole.parent()?.canonicalize().ok()?;
    Some(folder.strip_prefix(&root).ok()?.join(path.file_name()?))
}

/// The configuration of a commit.
#[derive(Default)]
struct CommitRules {
    /// Text of the file, which is empty if the commit has none.
    text: String,
    /// The same, parsed.
    config: Config,
    /// Path of the file in the repository; `None` if the commit has none.
    place: Option<PathBuf>,
}

/// Reads the configuration of `commit` at the first of `places` where it has one. Fetches the commit
/// if a shallow clone lacks it.
///
/// Fails with the reason if it cannot be fetched, read or parsed.
fn read_rules(
    repository: &Repository,
    commit: &CommitId,
    places: &[PathBuf],
) -> Result<CommitRules, String> {
    let describe = |error: GitError| remote::describe_store_error(&error.into());
    remote::fetch_commit(repository, commit).map_err(describe)?;
    for path in places {
        let file = match repository.follow_file(commit, path).map_err(describe)? {
            Some(file) => Some(file),
            None => find_moved_file(repository, commit, path).map_err(describe)?,
        };
        let Some(file) = file else { continue };
        let content = repository.read_file(&file, MAX_CONFIG_BYTES).map_err(describe)?;
        let text = String::from_utf8(content).map_err(|error| error.to_string())?;
        let config = Config::from_toml(&text).map_err(|error| error.to_string())?;
        return Ok(CommitRules { text, config, place: Some(path.clone()) });
    }
    Ok(CommitRules::default())
}

/// Returns the configuration that `commit` has in the folder of `path`, if that folder had another
/// name there, which is now a link to it. Returns `None` if there is none.
///
/// A change that moves the folder and leaves a link at its place would be judged by other rules,
/// without an edit of the workflow. Fails if the commit cannot be read.
fn find_moved_file(
    repository: &Repository,
    commit: &CommitId,
    path: &Path,
) -> Result<Option<BranchFile>, GitError> {
    let root = repository.folder();
    let find_folder = |path: &Path| root.join(path).parent()?.canonicalize().ok();
    let Some(folder) = find_folder(path) else { return Ok(None) };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    for candidate in repository.list_files_named(commit, &name)? {
        let candidate = Path::new(&candidate);
        if find_folder(candidate).as_ref() == Some(&folder) {
            return repository.follow_file(commit, candidate);
        }
    }
    Ok(None)
}
