//! The files that `perfgate init` writes: the configuration and the workflows of one repository.
//!
//! The templates of the workflows are in `templates/init/`, with placeholders for what differs
//! between repositories. `examples/workflows/` holds them filled in for a plain repository.
//! [`audit`] looks at workflows that exist.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use self::harness::FoundHarness;
use crate::measure::survey::{SurveyedBench, WorkspaceSurvey};

mod source_tree;
pub(crate) mod harness;
mod workflow;
mod fault;
pub(crate) mod audit;

/// Address of the repository that provides the action.
pub(crate) const ACTION_REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// Version of this perfgate, whose action the workflows use.
const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The checksums of all releases up to the commit that this perfgate was built from.
const CHECKSUMS: &str = include_str!("../checksums.txt");

const CONFIG_TEMPLATE: &str = include_str!("../templates/init/perfgate.toml");
const GATE_TEMPLATE: &str = include_str!("../templates/init/perfgate.yml");
const BASELINE_TEMPLATE: &str = include_str!("../templates/init/perfgate-baseline.yml");
const PUBLISH_TEMPLATE: &str = include_str!("../templates/init/perfgate-publish.yml");

/// The lines about `[measure]` in the configuration of a Cargo workspace.
const BENCHES_SECTION: [&str; 3] = [
    "# What a checkout lacks, such as data that git ignores; PERFGATE_ROOT is the original folder:",
    "# [measure]",
    "# prepare = \"make data\"",
];

/// How the action gets perfgate: its input `install-method`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstallMethod {
    /// Builds the source that came with the action, and caches the binary.
    Cargo,
    /// Fetches an archive of the release and compares its checksum.
    Release,
    /// Uses a binary that is on the machine.
    Path,
}

/// A text that is not an [`InstallMethod`].
#[derive(Debug, Error)]
#[error("`{0}` is not one of cargo, release and path")]
pub(crate) struct InstallMethodError(String);

impl FromStr for InstallMethod {
    type Err = InstallMethodError;

    fn from_str(text: &str) -> Result<Self, InstallMethodError> {
        match text {
            "cargo" => Ok(Self::Cargo),
            "release" => Ok(Self::Release),
            "path" => Ok(Self::Path),
            _ => Err(InstallMethodError(text.to_owned())),
        }
    }
}

impl InstallMethod {
    /// Returns the method for a repository that asks for none: the release of this version if there
    /// is one, else a build from source.
    pub(crate) fn choose_default() -> Self {
        if has_own_release() { Self::Release } else { Self::Cargo }
    }

    /// Returns what the user should know about the method, as one line.
    pub(crate) fn describe_consequence(self) -> String {
        match self {
            Self::Release if has_own_release() => {
                format!("the workflows install the release {OWN_VERSION}")
            }
            Self::Release => format!(
                "no release of {OWN_VERSION} is known to this perfgate, and the workflows stop without one: --install cargo builds from source"
            ),
            Self::Cargo if has_own_release() => {
                "the workflows build perfgate from source, once per version and platform".to_owned()
            }
            Self::Cargo => format!(
                "no release of {OWN_VERSION} is known to this perfgate: the workflows build it from source, once per version and platform, and cache it"
            ),
            Self::Path => {
                "the workflows use the binary `perfgate` on PATH: add a step that puts it there"
                    .to_owned()
            }
        }
    }

    /// Returns the lines of a step's `with:`, without indentation. A release is the default of the
    /// action and needs none.
    fn list_inputs(self) -> &'static [&'static str] {
        match self {
            Self::Release => &[],
            Self::Cargo => &["install-method: cargo # built from source, and cached"],
            Self::Path => &["install-method: path"],
        }
    }
}

/// Returns whether a release of this version is known: this is a released binary, or the checksums
/// of its archives were committed before it was built.
fn has_own_release() -> bool {
    option_env!("PERFGATE_RELEASE_BUILD").is_some() || lists_release(CHECKSUMS, OWN_VERSION)
}

/// Returns whether `checksums`, in the format of `sha256sum`, has an archive of `version`.
fn lists_release(checksums: &str, version: &str) -> bool {
    let start = format!("perfgate-{version}-");
    let mut names = checksums.lines().filter_map(|line| line.split_once("  "));
    names.any(|(hash, name)| !hash.starts_with('#') && name.starts_with(&start))
}

/// The properties of the repository on which the files depend, besides the benches.
#[derive(Clone, Debug)]
pub(crate) struct InitRepository {
    /// Root folder of the repository.
    pub(crate) root: PathBuf,
    /// Branch whose runs are the baselines; `None` if the clone does not know it.
    pub(crate) default_branch: Option<String>,
    /// Ids of benchmarks that perfgate measured here before.
    pub(crate) seen_ids: Vec<String>,
    /// How the workflows get perfgate.
    pub(crate) install: InstallMethod,
}

/// What the gate of a repository measures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InitSubject<'a> {
    /// The benches of a Cargo workspace.
    Workspace(&'a WorkspaceSurvey),
    /// Another harness, started in `folder`.
    Harness {
        /// Folder of the configuration.
        folder: &'a Path,
        /// The harness.
        found: &'a FoundHarness,
    },
}

impl InitSubject<'_> {
    /// Returns the folder of the configuration, in which checks run.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::Workspace(survey) => &survey.root,
            Self::Harness { folder, .. } => folder,
        }
    }
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewFile {
    /// Path of the file.
    pub(crate) path: PathBuf,
    /// Content of the file.
    pub(crate) content: String,
}

/// Returns the configuration, which goes into the folder that is measured, and the three workflows
/// of the repository.
pub(crate) fn generate_files(subject: InitSubject<'_>, place: &InitRepository) -> Vec<NewFile> {
    let workflows = place.root.join(".github").join("workflows");
    let templates = [
        ("perfgate.yml", GATE_TEMPLATE),
        ("perfgate-publish.yml", PUBLISH_TEMPLATE),
        ("perfgate-baseline.yml", BASELINE_TEMPLATE),
    ];
    let config = NewFile {
        path: subject.folder().join("perfgate.toml"),
        content: fill_config(subject, &place.seen_ids),
    };
    let filled = templates.into_iter().map(|(name, template)| NewFile {
        path: workflows.join(name),
        content: fill_workflow(template, subject, place),
    });
    [config].into_iter().chain(filled).collect()
}

/// Returns remarks for the user about what will be measured, and about what else was `found`, one
/// line per remark.
pub(crate) fn describe_subject(subject: InitSubject<'_>, found: &[FoundHarness]) -> Vec<String> {
    let mut remarks = match subject {
        InitSubject::Workspace(survey) => describe_benches(survey),
        InitSubject::Harness { found, .. } => describe_harness(found),
    };
    let chosen = match subject {
        InitSubject::Workspace(_) => None,
        InitSubject::Harness { found, .. } => Some(found.adapter),
    };
    let others = found.iter().filter(|other| Some(other.adapter) != chosen);
    remarks.extend(others.map(|other| {
        let FoundHarness { adapter, evidence, .. } = other;
        format!("also found {adapter} ({evidence}): `perfgate init --adapter {adapter}` measures it instead")
    }));
    remarks
}

/// Returns remarks for the user about a harness that will be measured.
fn describe_harness(found: &FoundHarness) -> Vec<String> {
    let FoundHarness { adapter, evidence, command, prepare, remarks, .. } = found;
    let mut lines = vec![
        format!("harness    {adapter}, found in {evidence}"),
        format!("prepare    {prepare}"),
        format!("command    {command}"),
    ];
    lines.extend(remarks.iter().map(|remark| format!("look at    {remark}")));
    lines.push(
        "try it     `perfgate measure --list` prepares, starts the command once and prints the ids"
            .to_owned(),
    );
    lines
}

/// Returns remarks for the user about the benches that were found, one line per remark.
fn describe_benches(survey: &WorkspaceSurvey) -> Vec<String> {
    let (criterion, others): (Vec<&SurveyedBench>, Vec<&SurveyedBench>) =
        survey.benches.iter().partition(|bench| bench.is_criterion);
    let mut remarks = vec![match criterion.as_slice() {
        [] => "no Criterion bench: `perfgate check` has nothing to measure yet".to_owned(),
        some => format!("benches    {}", list_names(some)),
    }];
    if !others.is_empty() {
        remarks.push(format!("left out   {}: they do not use Criterion and cannot be measured; `perfgate measure command` takes any program", list_names(&others)));
    }
    remarks.extend(criterion.iter().filter(|bench| !bench.is_default).map(|bench| {
        format!("package    `{}` is not built by `cargo bench` at the root: add `package: {}` to the workflow's step", bench.name, bench.package)
    }));
    remarks.extend(criterion.iter().filter(|bench| !bench.required_features.is_empty()).map(|bench| {
        let features = bench.required_features.join(",");
        format!("features   `{}` is built with `--features {features}` only: add them to the workflow's step", bench.name)
    }));
    remarks
}

fn list_names(benches: &[&SurveyedBench]) -> String {
    benches.iter().map(|bench| format!("`{}`", bench.name)).collect::<Vec<_>>().join(", ")
}

/// Fills in the pattern of the examples: an id that exists, or else the pattern of all benchmarks. A
/// guess from the name of a bench would match nothing, because ids do not contain it.
fn fill_config(subject: InitSubject<'_>, seen_ids: &[String]) -> String {
    let is_plain = |id: &&String| {
        !id.is_empty()
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./ ".contains(&byte))
    };
    let pattern = seen_ids.iter().find(is_plain).map_or("**", String::as_str);
    let lines: Vec<String> = match subject {
        InitSubject::Workspace(_) => BENCHES_SECTION.map(str::to_owned).to_vec(),
        InitSubject::Harness { found, .. } => describe_harness_section(found),
    };
    fill_lines(CONFIG_TEMPLATE, "@MEASURE@", &lines).replace("@PATTERN@", pattern)
}

/// Returns the lines of the section `[measure]` that start `found`.
fn describe_harness_section(found: &FoundHarness) -> Vec<String> {
    // The basic strings of TOML include the strings of JSON.
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let (adapter, command) = (quote(found.adapter), quote(&found.command));
    [
        "# What is measured. One start of the command is one launch; {out} is the file that it writes.".to_owned(),
        "# `prepare` builds what the command needs, in each checkout and in the working tree.".to_owned(),
        "[measure]".to_owned(),
        format!("source = {{ adapter = {adapter}, command = {command} }}"),
        format!("prepare = {}", quote(&found.prepare)),
    ]
    .to_vec()
}

fn fill_workflow(template: &str, subject: InitSubject<'_>, place: &InitRepository) -> String {
    let folder = subject.folder().strip_prefix(&place.root).unwrap_or(Path::new(""));
    let folder = folder.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
    let setup = match subject {
        InitSubject::Workspace(_) => Vec::new(),
        InitSubject::Harness { found, .. } => found.list_setup_steps(),
    };
    let folder = Some(folder).filter(|folder| !folder.is_empty());
    let working_directory =
        folder.map(|folder| format!("working-directory: {}", quote_yaml(&folder)));
    let place_binary = (place.install == InstallMethod::Path)
        .then(|| "# Put the binary `perfgate` on PATH in a step here.".to_owned());
    // Without a branch the workflow starts for every branch, and a condition of its job skips all
    // but the default one. That is right in every repository; the filter saves the skipped runs.
    let branch = place.default_branch.as_deref();
    let branches = branch.map(|branch| format!("branches: [{}]", quote_yaml(branch)));
    let branches = branches.unwrap_or_else(|| "branches: [\"**\"]".to_owned());
    let action = ACTION_REPOSITORY.trim_start_matches("https://github.com/");
    let install = place.install.list_inputs().iter().map(|&line| line.to_owned());
    let filled = fill_lines(template, "@SETUP@", &setup);
    let filled = fill_lines(&filled, "@PLACE_BINARY@", place_binary.as_slice());
    let filled = fill_lines(&filled, "@INSTALL@", &install.collect::<Vec<_>>());
    let filled = fill_lines(&filled, "working-directory: @FOLDER@", working_directory.as_slice());
    filled
        .replace("branches: [@BRANCH@]", &branches)
        .replace("@ACTION@", &format!("{action}@v{OWN_VERSION}"))
}

/// Replaces every line of `template` that is `placeholder` by `lines`, with the same indentation.
fn fill_lines(template: &str, placeholder: &str, lines: &[String]) -> String {
    let mut filled = String::with_capacity(template.len());
    for line in template.lines() {
        let text = line.trim_start();
        let indentation = &line[..line.len() - text.len()];
        if text == placeholder {
            filled.extend(lines.iter().map(|text| format!("{indentation}{text}\n")));
        } else {
            filled.extend([line, "\n"]);
        }
    }
    filled
}

/// Returns `text` as a YAML scalar. Quoted scalars are JSON strings, which YAML includes.
fn quote_yaml(text: &str) -> String {
    let starts_plain = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
    if starts_plain && is_plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Config;

    fn survey(root: &str) -> WorkspaceSurvey {
        let bench = |name: &str, is_criterion, features: &[&str]| SurveyedBench {
            source: std::path::PathBuf::new(),
            package: "engine".to_owned(),
            name: name.to_owned(),
            is_criterion,
            is_default: name != "apart",
            required_features: features.iter().map(|&feature| feature.to_owned()).collect(),
        };
        let benches = vec![
            bench("old", false, &[]),
            bench("graph", true, &["model"]),
            bench("apart", true, &[]),
        ];
        WorkspaceSurvey { root: root.into(), benches }
    }

    fn place(branch: Option<&str>) -> InitRepository {
        InitRepository {
            root: "/r".into(),
            default_branch: branch.map(str::to_owned),
            seen_ids: Vec::new(),
            install: InstallMethod::Cargo,
        }
    }

    fn written(root: &str, branch: &str) -> Vec<NewFile> {
        generate_files(InitSubject::Workspace(&survey(root)), &place(Some(branch)))
    }

    #[test]
    fn the_configuration_is_one_that_perfgate_reads() {
        let seen = vec!["a\"[b".to_owned(), "tokens/32".to_owned()];
        for (seen_ids, expected) in [(Vec::new(), "**"), (seen, "tokens/32")] {
            let place = InitRepository { seen_ids, ..place(None) };
            let survey = survey("/r");
            let subject = InitSubject::Workspace(&survey);
            let config = generate_files(subject, &place).swap_remove(0);
            Config::from_toml(&config.content).unwrap();
            let line = format!("# bench = \"{expected}\"");
            assert!(config.content.contains(&line), "{}", config.content);
            // The settings in comments are examples to uncomment, so that they must be valid as
            // well.
            let uncommented = config.content.replace("\n# ", "\n");
            let settings: Vec<_> = uncommented
                .lines()
                .filter(|line| line.contains(" = ") || line.starts_with('['))
                .collect();
            Config::from_toml(&settings.join("\n")).unwrap();
        }
    }

    #[test]
    fn nothing_of_a_template_is_left_over() {
        let survey = survey("/r/engine");
        for install in [InstallMethod::Cargo, InstallMethod::Release, InstallMethod::Path] {
            for branch in [None, Some("a b\"c")] {
                let place = InitRepository { install, ..place(branch) };
                for file in generate_files(InitSubject::Workspace(&survey), &place) {
                    let left = [
                        "BRANCH",
                        "ACTION",
                        "FOLDER",
                        "INSTALL",
                        "MEASURE",
                        "PATTERN",
                        "PLACE_BINARY",
                        "SETUP",
                    ];
                    for name in left.map(|name| format!("@{name}@")) {
                        assert!(!file.content.contains(&name), "{}", file.content);
                    }
                }
            }
        }
    }

    #[test]
    fn a_release_is_known_by_its_line() {
        let line = format!("{}  perfgate-1.2.3-x86_64-unknown-linux-musl.tar.gz", "0".repeat(64));
        assert!(lists_release(&format!("# sha256\n{line}\n"), "1.2.3"));
        assert!(!lists_release(&line, "1.2"));
        assert!(!lists_release(&format!("#{line}\n"), "1.2.3"));
        assert!(!lists_release("", "1.2.3"));
    }

    #[test]
    fn a_workspace_below_the_repository_is_named() {
        let below = written("/r/engine/rust", "main");
        assert!(below[1].content.contains("          working-directory: engine/rust\n"));
        assert_eq!(below[0].path, Path::new("/r/engine/rust/perfgate.toml"));
        assert_eq!(below[1].path, Path::new("/r/.github/workflows/perfgate.yml"));
        assert!(!written("/r", "main")[1].content.contains("working-directory"));
    }

    #[test]
    fn what_cannot_be_measured_is_said() {
        let remarks = describe_benches(&survey("/r"));
        assert_eq!(remarks.len(), 4);
        assert!(remarks[0].contains("`graph`") && remarks[1].contains("`old`"), "{remarks:?}");
        assert!(remarks[2].contains("`package: engine`"), "{remarks:?}");
        assert!(remarks[3].contains("--features model"), "{remarks:?}");
    }
}
