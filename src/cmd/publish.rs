//! `perfgate publish`: decisions and an event in, everything GitHub shows out.

mod environment;
mod issues;
mod sources;

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{ExitStatus, Refusal, print};
use crate::cli::PublishArgs;
use crate::publish::annotation::{annotations, commands, notice};
use crate::publish::event::Event;
use crate::publish::page::{Page, Suite};
use crate::publish::request::{self, Id, Settings};
use crate::publish::summary;
use environment::Environment;

/// Publishes; the status says whether that succeeded, not what the verdict is.
pub(super) fn run(args: &PublishArgs) -> Result<ExitStatus> {
    let environment = Environment::read(args.event.as_deref())?;
    let event = Event::read(&environment.trigger).map_err(|error| {
        let help = "it is the file that GITHUB_EVENT_PATH names in a workflow, or --event FILE";
        Refusal::usage(format!("failed to read the event: {error}")).help(help)
    })?;
    if let Some(status) = &args.issues {
        let site = args.site.as_deref();
        return issues::settle(status, site, &environment, &event, args.dry_run);
    }
    let suites = if args.artifact.is_empty() {
        suites(&args.decisions)?
    } else {
        online::fetched(&environment, &event, &args.artifact)?
    };
    let settings = Settings {
        id: args.id.clone(),
        comment: args.comment,
        check_run: args.check_run,
        run_url: environment.run_url(&event),
    };
    let page = Page::new(&suites, event.head.as_deref(), settings.run_url.as_deref())?;
    let remarks = annotations(&suites, &sources::benches(&environment, &event));
    if args.dry_run {
        let documents = request::dry_run(&event, &page, &settings, &remarks);
        return lines(documents.iter().map(ToString::to_string)).map(|()| ExitStatus::Pass);
    }
    lines(commands(&remarks))?;
    let mut notices = write_files(&environment, &page)?;
    match &environment.token {
        Some(_) => notices.extend(online::sent(&environment, &event, &page, &settings, &remarks)?),
        None => {
            notices.push("GITHUB_TOKEN is not set: only the step summary is written".to_owned());
        }
    }
    lines(notices.iter().map(|text| notice(text)))?;
    Ok(ExitStatus::Pass)
}

/// The step summary and the outputs, where the runner takes them; says what could not be told there.
fn write_files(environment: &Environment, page: &Page) -> Result<Vec<String>> {
    let mut notices = Vec::new();
    if let Some(path) = &environment.output {
        let wrote = summary::write_outputs(path, page);
        wrote.with_context(|| format!("failed to write outputs to `{}`", path.display()))?;
    }
    if let Some(path) = &environment.summary {
        let fitted = summary::append(path, page)
            .with_context(|| format!("failed to write the step summary `{}`", path.display()))?;
        if !fitted {
            notices.push("the step summary is full: this report is left out of it".to_owned());
        }
    }
    Ok(notices)
}

/// Prints one line each.
fn lines(lines: impl IntoIterator<Item = String>) -> Result<()> {
    print::answer(&lines.into_iter().map(|line| line + "\n").collect::<String>())
}

/// Reads each `[NAME=]PATH`; several without a name are called by the folders they are in.
fn suites(decisions: &[String]) -> Result<Vec<Suite>> {
    let several = decisions.len() > 1;
    decisions
        .iter()
        .map(|argument| {
            let (name, path) = match argument.split_once('=') {
                Some((name, path)) => (Some(name.to_owned()), Path::new(path)),
                None => (None, Path::new(argument)),
            };
            let folder = || {
                path.parent()
                    .and_then(Path::file_name)
                    .map(|name| name.to_string_lossy().into_owned())
            };
            let name = name.or_else(|| folder().filter(|_| several)).unwrap_or_default();
            if several || !name.is_empty() {
                named(&name)?;
            }
            Ok(Suite { name, decision: super::report::read(path)? })
        })
        .collect()
}

fn named(name: &str) -> Result<()> {
    let help = "tell decisions apart by names: linux=linux/decision.json arm=arm/decision.json";
    name.parse::<Id>().map(drop).map_err(|error| Refusal::usage(error).help(help).into())
}

#[cfg(feature = "github")]
mod online {
    //! What asks GitHub.

    use anyhow::Context as _;

    use super::{Environment, Event, Page, Refusal, Result, Settings, Suite, named};
    use crate::publish::annotation::Annotation;
    use crate::publish::github::issues::IssuesError;
    use crate::publish::github::{self, Connection};
    use crate::site::Status;

    /// The suites in the artifacts of the run that started this workflow.
    pub(super) fn fetched(
        environment: &Environment,
        event: &Event,
        artifacts: &[String],
    ) -> Result<Vec<Suite>> {
        let run = event.measured_by.ok_or_else(|| {
            Refusal::usage(format!(
                "--artifact needs a workflow_run event, this is `{}`",
                event.name
            ))
            .help("name the decision's file instead")
        })?;
        let connection = connection(environment)?;
        artifacts.iter().try_for_each(|name| named(name))?;
        let decisions = github::fetch(&connection, event, run, artifacts).map_err(refused)?;
        let name = |name: &String| if artifacts.len() > 1 { name.clone() } else { String::new() };
        let suites = artifacts.iter().zip(decisions);
        Ok(suites.map(|(artifact, decision)| Suite { name: name(artifact), decision }).collect())
    }

    /// Sends everything; says what GitHub would not take.
    pub(super) fn sent(
        environment: &Environment,
        event: &Event,
        page: &Page,
        settings: &Settings,
        remarks: &[Annotation],
    ) -> Result<Vec<String>> {
        let sent = github::send(&connection(environment)?, event, page, settings, remarks);
        sent.context("failed to publish")
    }

    /// Brings the issues up to date; says what GitHub would not take.
    pub(super) fn settled(
        environment: &Environment,
        event: &Event,
        status: &[Status],
        site: Option<&str>,
    ) -> Result<Vec<String>> {
        let connection = connection(environment)?;
        let settled = github::issues::settle(&connection, &event.repository, status, site);
        settled.map_err(|error| match error {
            IssuesError::Status(error) => Refusal::usage(error).into(),
            IssuesError::Api(error) => {
                anyhow::Error::new(error).context("failed to bring the issues up to date")
            }
        })
    }

    fn connection(environment: &Environment) -> Result<Connection> {
        let token = environment.token.clone().ok_or_else(|| {
            Refusal::usage("GITHUB_TOKEN is not set")
                .help("give the step `env: GITHUB_TOKEN: ${{ github.token }}`")
        })?;
        Ok(Connection { api_url: environment.api_url.clone(), token: token.into() })
    }

    /// GitHub out of reach is perfgate's failure; an artifact that is not to be believed is unreadable input.
    fn refused(error: github::FetchError) -> anyhow::Error {
        match error {
            github::FetchError::Api(error) => anyhow::Error::new(error).context("failed to fetch the artifact"),
            error => Refusal::usage(error).help("publish reads `decision.json`, as `perfgate check` wrote it, at the artifact's root").into(),
        }
    }
}

#[cfg(not(feature = "github"))]
mod online {
    //! In place of what asks GitHub, in a build without it.

    use super::{Environment, Event, Page, Refusal, Result, Settings, Suite};
    use crate::publish::annotation::Annotation;
    use crate::site::Status;

    pub(super) fn fetched(_: &Environment, _: &Event, _: &[String]) -> Result<Vec<Suite>> {
        Err(absent())
    }

    pub(super) fn sent(
        _: &Environment,
        _: &Event,
        _: &Page,
        _: &Settings,
        _: &[Annotation],
    ) -> Result<Vec<String>> {
        Err(absent())
    }

    pub(super) fn settled(
        _: &Environment,
        _: &Event,
        _: &[Status],
        _: Option<&str>,
    ) -> Result<Vec<String>> {
        Err(absent())
    }

    fn absent() -> anyhow::Error {
        Refusal::unavailable("this perfgate was built without its GitHub client")
            .help("build it with `--features github`, or look at --dry-run")
            .into()
    }
}
