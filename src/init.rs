//! The files that `perfgate init` writes: the configuration and the workflows of one repository.
//!
//! The templates of the workflows are in `templates/init/`, with three placeholders for what
//! differs between repositories. `examples/workflows/` holds them filled in for a plain repository.

use std::path::{Path, PathBuf};

use crate::measure::survey::{SurveyedBench, WorkspaceSurvey};

/// Address of the repository that provides the action.
pub(crate) const ACTION_REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

const CONFIG_TEMPLATE: &str = include_str!("../templates/init/perfgate.toml");
const GATE_TEMPLATE: &str = include_str!("../templates/init/perfgate.yml");
const PUBLISH_TEMPLATE: &str = include_str!("../templates/init/perfgate-publish.yml");

/// The properties of the repository on which the files depend, besides the benches.
#[derive(Clone, Debug)]
pub(crate) struct InitRepository {
    /// Root folder of the repository.
    pub(crate) root: PathBuf,
    /// Branch whose runs are the baselines.
    pub(crate) default_branch: String,
}

/// A file to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewFile {
    /// Path of the file.
    pub(crate) path: PathBuf,
    /// Content of the file.
    pub(crate) content: String,
}

/// Returns the configuration, which goes beside the workspace's manifest, and the two workflows of
/// the repository.
pub(crate) fn generate_files(survey: &WorkspaceSurvey, place: &InitRepository) -> Vec<NewFile> {
    let workflows = place.root.join(".github").join("workflows");
    vec![
        NewFile { path: survey.root.join("perfgate.toml"), content: fill_config(survey) },
        NewFile {
            path: workflows.join("perfgate.yml"),
            content: fill_workflow(GATE_TEMPLATE, survey, place),
        },
        NewFile {
            path: workflows.join("perfgate-publish.yml"),
            content: fill_workflow(PUBLISH_TEMPLATE, survey, place),
        },
    ]
}

/// Returns remarks for the user about the benches that were found, one line per remark.
pub(crate) fn describe_benches(survey: &WorkspaceSurvey) -> Vec<String> {
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

fn fill_config(survey: &WorkspaceSurvey) -> String {
    let first = survey.benches.iter().find(|bench| bench.is_criterion);
    let pattern = first.map_or("**".to_owned(), |bench| format!("{}/**", bench.name));
    CONFIG_TEMPLATE.replace("@PATTERN@", &pattern)
}

fn fill_workflow(template: &str, survey: &WorkspaceSurvey, place: &InitRepository) -> String {
    let folder = survey.root.strip_prefix(&place.root).unwrap_or(Path::new(""));
    let folder = folder.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
    // The template has a line for the working directory. It is removed if the workspace is at the
    // root of the repository.
    let line = "          working-directory: @FOLDER@\n";
    let working_directory = if folder.is_empty() {
        String::new()
    } else {
        line.replace("@FOLDER@", &quote_yaml(&folder))
    };
    let action = ACTION_REPOSITORY.trim_start_matches("https://github.com/");
    template
        .replace(line, &working_directory)
        .replace("@BRANCH@", &quote_yaml(&place.default_branch))
        .replace("@ACTION@", &format!("{action}@v{}", env!("CARGO_PKG_VERSION")))
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

    fn written(root: &str, branch: &str) -> Vec<NewFile> {
        generate_files(
            &survey(root),
            &InitRepository { root: "/r".into(), default_branch: branch.to_owned() },
        )
    }

    #[test]
    fn the_configuration_is_one_that_perfgate_reads() {
        let config = written("/r", "main").swap_remove(0);
        Config::from_toml(&config.content).unwrap();
        assert!(config.content.contains("# bench = \"graph/**\""), "{}", config.content);
        // The settings in comments are examples to uncomment, so that they must be valid as well.
        let uncommented = config.content.replace("\n# ", "\n");
        let settings: Vec<_> = uncommented
            .lines()
            .filter(|line| line.contains(" = ") || line.starts_with('['))
            .collect();
        Config::from_toml(&settings.join("\n")).unwrap();
    }

    #[test]
    fn nothing_of_a_template_is_left_over() {
        for file in written("/r/engine", "a b\"c") {
            assert!(!file.content.contains("@FOLDER@") && !file.content.contains("@BRANCH@"));
            assert!(!file.content.contains("@ACTION@") && !file.content.contains("@PATTERN@"));
        }
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
