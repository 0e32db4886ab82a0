//! `perfgate publish`: turns decisions and a workflow event into everything that GitHub shows.

mod environment;
mod sources;
mod issues;

use std::path::Path;

use anyhow::Result;

use crate::cli::PublishArgs;
use crate::publish::annotation::{collect_annotations, format_commands, format_notice};
use crate::publish::event::WorkflowEvent;
use crate::publish::outcome::PublishOutcome;
use crate::publish::page::{PageLinks, PublishPage, SuiteDecision};
use crate::publish::request::{self, PublishId, PublishSettings};
use crate::publish::summary;
use crate::render::escape_for_terminal;
use crate::session::{CommandError, ExitStatus, print, read_decision_file};
use environment::WorkflowEnvironment;

/// Publishes the decisions. The exit status reports whether publishing succeeded, not the verdict.
///
/// Fails if the event or a decision cannot be read, or if GitHub cannot be reached.
pub(super) fn run_publish(args: &PublishArgs) -> Result<ExitStatus> {
    // Plan: read the environment, the event and the decisions, build the page and its annotations,
    // write the files of the step, then send the page to GitHub if there is a token.
    let environment = WorkflowEnvironment::read(args.event.as_deref())?;
    let event = WorkflowEvent::read(&environment.trigger).map_err(|error| {
        let help = "it is the file that GITHUB_EVENT_PATH names in a workflow, or --event FILE";
        CommandError::new_usage(format!("failed to read the event: {error}")).with_help(help)
    })?;
    if let Some(status) = &args.issues {
        let site = args.site.as_deref();
        return issues::publish_issues(status, site, &environment, &event, args.dry_run);
    }
    let suites = if args.artifact.is_empty() {
        read_suites(&args.decisions)?
    } else {
        match online::fetch_suites(&environment, &event, &args.artifact)? {
            FetchedSuites::Complete(suites) => suites,
            FetchedSuites::Missing(artifact) => {
                let notice = describe_missing(&artifact, event.run_conclusion.as_deref());
                print::print_commands([format_notice(&notice)])?;
                return Ok(ExitStatus::Pass);
            }
        }
    };
    let settings = PublishSettings {
        id: args.id.clone(),
        comment: args.comment,
        check_run: args.check_run,
        run_url: environment.run_url(&event),
    };
    let links = PageLinks { run_url: settings.run_url.as_deref(), site: args.site.as_deref() };
    let page = PublishPage::new(&suites, event.head.as_deref(), links)?;
    let remarks = collect_annotations(&suites, &sources::find_bench_sources(&environment, &event));
    if args.dry_run {
        let documents = request::build_dry_run(&event, &page, &settings, &remarks);
        return print::print_json_lines(documents).map(|()| ExitStatus::Pass);
    }
    let mut outcome = PublishOutcome::default();
    outcome.note_failure("annotations", print::print_commands(format_commands(&remarks)));
    write_step_files(&environment, &page, &mut outcome);
    if args.summary_only {
        return report_outcome(&outcome);
    }
    if environment.token.is_some() {
        match online::send_page(&environment, &event, &page, &settings, &remarks) {
            Ok(sent) => outcome.extend(sent),
            Err(error) => outcome.failures.push(format!("{error:#}")),
        }
    } else {
        let notice = "GITHUB_TOKEN is not set: only the step summary is written";
        outcome.notices.push(notice.to_owned());
    }
    report_outcome(&outcome)
}

/// The answer to a request for the decisions of another workflow run.
#[cfg_attr(
    not(feature = "github"),
    expect(dead_code, reason = "only the client of GitHub fetches artifacts")
)]
enum FetchedSuites {
    /// All of them.
    Complete(Vec<SuiteDecision>),
    /// The run has no artifact of this name. It ended before it decided, so there is no answer to
    /// publish, not even a part of one.
    Missing(String),
}

/// Returns the notice that the workflow run, which ended as `conclusion`, left nothing to publish.
fn describe_missing(artifact: &str, conclusion: Option<&str>) -> String {
    match conclusion {
        Some("success") => format!(
            "nothing is published: the run that started this workflow succeeded without the artifact `{artifact}`; upload `decision.json` under this name"
        ),
        Some(other) => format!(
            "nothing is published: the run that started this workflow ended as `{other}` before it uploaded the artifact `{artifact}`"
        ),
        None => format!(
            "nothing is published: the run that started this workflow has no artifact `{artifact}`"
        ),
    }
}

/// Writes the step summary and the outputs to the files that the runner names. Adds a notice if the
/// summary had no room left, and a failure for each file that cannot be written.
fn write_step_files(
    environment: &WorkflowEnvironment,
    page: &PublishPage,
    outcome: &mut PublishOutcome,
) {
    if let Some(path) = &environment.output_path {
        let kind = format!("outputs in `{}`", path.display());
        outcome.note_failure(&kind, summary::write_outputs(path, page));
    }
    if let Some(path) = &environment.summary_path {
        let kind = format!("step summary `{}`", path.display());
        let appended = outcome.note_failure(&kind, summary::append_summary(path, page));
        if appended == Some(false) {
            let notice = "the step summary is full: this report is left out of it";
            outcome.notices.push(notice.to_owned());
        }
    }
}

/// Prints the notices of `outcome`.
///
/// Fails if something could not be published, and names all of it.
fn report_outcome(outcome: &PublishOutcome) -> Result<ExitStatus> {
    print::print_commands(outcome.notices.iter().map(|text| format_notice(text)))?;
    if outcome.failures.is_empty() {
        return Ok(ExitStatus::Pass);
    }
    let failures = outcome.failures.join("; ");
    let message = format!("failed to publish: {}", escape_for_terminal(&failures));
    Err(CommandError::new_failure(message).into())
}

/// Reads the decisions of the arguments, each `[NAME=]PATH`.
///
/// If there are several, one without a name takes the name of its folder. Fails if a decision
/// cannot be read or a name is not valid.
fn read_suites(decisions: &[String]) -> Result<Vec<SuiteDecision>> {
    let has_several = decisions.len() > 1;
    decisions
        .iter()
        .map(|argument| {
            let (name, path) = match argument.split_once('=') {
                Some((name, path)) => (Some(name.to_owned()), Path::new(path)),
                None => (None, Path::new(argument)),
            };
            let folder = path.parent().filter(|_| has_several).and_then(Path::file_name);
            let folder_name = folder.map(|name| name.to_string_lossy().into_owned());
            let name = name.or(folder_name).unwrap_or_default();
            if has_several || !name.is_empty() {
                check_name(&name)?;
            }
            let decision = read_decision_file(path)?;
            Ok(SuiteDecision { name, decision, report_artifact: None })
        })
        .collect()
}

/// Fails if `name` cannot be the name of a decision.
fn check_name(name: &str) -> Result<()> {
    let help = "tell decisions apart by names: linux=linux/decision.json arm=arm/decision.json";
    name.parse::<PublishId>()
        .map(drop)
        .map_err(|error| CommandError::new_usage(error).with_help(help).into())
}

#[cfg(feature = "github")]
mod online {
    //! The calls that need the GitHub client.

    use super::{
        CommandError, FetchedSuites, PublishOutcome, PublishPage, PublishSettings, Result,
        SuiteDecision, WorkflowEnvironment, WorkflowEvent, check_name,
    };
    use crate::publish::annotation::Annotation;
    use crate::publish::github::issues::IssueUpdateError;
    use crate::publish::github::{self, ApiConnection};
    use crate::site::BenchmarkStatus;

    /// Fetches the suites from the artifacts of the run that started this workflow.
    ///
    /// Fails if the event is not `workflow_run`, or if an artifact that exists cannot be fetched or
    /// read.
    pub(super) fn fetch_suites(
        environment: &WorkflowEnvironment,
        event: &WorkflowEvent,
        artifacts: &[String],
    ) -> Result<FetchedSuites> {
        let run_id = event.artifact_run.ok_or_else(|| {
            CommandError::new_usage(format!(
                "--artifact needs a workflow_run event, but this is `{}`",
                event.name
            ))
            .with_help("name the decision file instead")
        })?;
        let connection = create_connection(environment)?;
        artifacts.iter().try_for_each(|name| check_name(name))?;
        let contents = match github::fetch_artifacts(&connection, event, run_id, artifacts) {
            Err(github::FetchError::Missing(name)) => return Ok(FetchedSuites::Missing(name)),
            fetched => fetched.map_err(explain_fetch_error)?,
        };
        let suites = artifacts.iter().zip(contents).map(|(artifact, content)| {
            let name = if artifacts.len() > 1 { artifact.clone() } else { String::new() };
            let report_artifact = content.has_report.then(|| artifact.clone());
            SuiteDecision { name, decision: content.decision, report_artifact }
        });
        Ok(FetchedSuites::Complete(suites.collect()))
    }

    /// Sends the page and its annotations.
    ///
    /// Fails if there is no token or no request can be sent.
    pub(super) fn send_page(
        environment: &WorkflowEnvironment,
        event: &WorkflowEvent,
        page: &PublishPage,
        settings: &PublishSettings,
        remarks: &[Annotation],
    ) -> Result<PublishOutcome> {
        let connection = create_connection(environment)?;
        Ok(github::publish_page(&connection, event, page, settings, remarks)?)
    }

    /// Updates the issues.
    ///
    /// Fails if there is no token, if the status is not valid, or if the existing issues cannot be
    /// read.
    pub(super) fn send_issues(
        environment: &WorkflowEnvironment,
        event: &WorkflowEvent,
        status: &[BenchmarkStatus],
        site: Option<&str>,
    ) -> Result<PublishOutcome> {
        let connection = create_connection(environment)?;
        let published = github::issues::update_issues(&connection, &event.repository, status, site);
        published.map_err(|error| match error {
            IssueUpdateError::Status(error) => CommandError::new_usage(error).into(),
            IssueUpdateError::Api(error) => {
                anyhow::Error::new(error).context("failed to update the issues")
            }
        })
    }

    /// Returns the connection to GitHub's API. Fails if `GITHUB_TOKEN` is not set.
    fn create_connection(environment: &WorkflowEnvironment) -> Result<ApiConnection> {
        let token = environment.token.clone().ok_or_else(|| {
            CommandError::new_usage("GITHUB_TOKEN is not set")
                .with_help("give the step `env: GITHUB_TOKEN: ${{ github.token }}`")
        })?;
        Ok(ApiConnection { api_url: environment.api_url.clone(), token: token.into() })
    }

    /// Turns a failed fetch into an error with its exit status.
    ///
    /// A failed request is a failure of perfgate; an artifact that cannot be trusted is unreadable
    /// input.
    fn explain_fetch_error(error: github::FetchError) -> anyhow::Error {
        match error {
            github::FetchError::Api(error) => {
                anyhow::Error::new(error).context("failed to fetch the artifact")
            }
            error => CommandError::new_usage(error)
                .with_help(
                    "the artifact must have the `decision.json` of `perfgate check` at its root",
                )
                .into(),
        }
    }
}

#[cfg(not(feature = "github"))]
mod online {
    //! Stand-ins for the calls to GitHub, in a build without the GitHub client. All of them fail.

    use super::{
        CommandError, FetchedSuites, PublishOutcome, PublishPage, PublishSettings, Result,
        WorkflowEnvironment, WorkflowEvent,
    };
    use crate::publish::annotation::Annotation;
    use crate::site::BenchmarkStatus;

    pub(super) fn fetch_suites(
        _: &WorkflowEnvironment,
        _: &WorkflowEvent,
        _: &[String],
    ) -> Result<FetchedSuites> {
        Err(explain_missing_client())
    }

    pub(super) fn send_page(
        _: &WorkflowEnvironment,
        _: &WorkflowEvent,
        _: &PublishPage,
        _: &PublishSettings,
        _: &[Annotation],
    ) -> Result<PublishOutcome> {
        Err(explain_missing_client())
    }

    pub(super) fn send_issues(
        _: &WorkflowEnvironment,
        _: &WorkflowEvent,
        _: &[BenchmarkStatus],
        _: Option<&str>,
    ) -> Result<PublishOutcome> {
        Err(explain_missing_client())
    }

    fn explain_missing_client() -> anyhow::Error {
        CommandError::new_unavailable("this perfgate was built without its GitHub client")
            .with_help("build it with `--features github`, or use --dry-run")
            .into()
    }
}
