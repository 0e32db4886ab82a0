//! GitHub's API: the one place that talks to it.
//!
//! What was refused for good degrades to a notice; what failed for a moment is asked again, but a
//! `POST` only after a look whether the first one was accepted after all.

mod client;
pub(crate) mod issues;

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::json;

pub(crate) use client::{ApiError, Connection};
use client::{Client, block_on};

use crate::publish::annotation::Annotation;
use crate::publish::artifact::{self, ArtifactError};
use crate::publish::comment::{self, Comment, Step, Wish};
use crate::publish::event::{Event, Pull};
use crate::publish::page::Page;
use crate::publish::request::{self, Settings};
use crate::verdict::Decision;

/// Comments GitHub gives at a time; a shorter page is the last.
const PAGE: usize = 100;

/// What else can go wrong while an artifact is fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// GitHub did not give it.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// It is not to be believed.
    #[error("artifact `{name}`: {source}")]
    Artifact {
        /// The artifact's name.
        name: String,
        /// Why.
        source: ArtifactError,
    },
    /// The run has none of this name.
    #[error("the run that started this workflow has no artifact `{0}`")]
    None(String),
    /// The artifact is of another commit or too long.
    #[error("artifact `{name}` {reason}")]
    Unfit {
        /// The artifact's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Deserialize)]
struct CommentAnswer {
    id: u64,
    body: Option<String>,
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    login: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct PullAnswer {
    number: u64,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct Side {
    sha: String,
    repo: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize)]
struct Artifacts {
    artifacts: Vec<Artifact>,
}

#[derive(Deserialize)]
struct Artifact {
    id: u64,
    name: String,
    size_in_bytes: u64,
    expired: bool,
    workflow_run: Option<ArtifactRun>,
}

#[derive(Deserialize)]
struct ArtifactRun {
    head_sha: Option<String>,
}

#[derive(Deserialize)]
struct Created {
    id: u64,
}

/// Writes commit status, comment and check run; says what GitHub would not take and what permission it lacks.
pub(crate) fn send(
    connection: &Connection,
    event: &Event,
    page: &Page,
    settings: &Settings,
    remarks: &[Annotation],
) -> Result<Vec<String>, ApiError> {
    block_on(async {
        let client = Client::new(connection)?;
        let publication = Publication { client, event, page, settings };
        let mut notices = Vec::new();
        if let Some(head) = &event.head {
            let sent = publication.set_status(head).await;
            unless_refused(sent, "commit status", "statuses: write", &mut notices)?;
            if settings.check_run {
                let sent = publication.run_check(head, remarks).await;
                unless_refused(sent, "check run", "checks: write", &mut notices)?;
            }
        }
        if settings.comment != Wish::Never {
            let sent = publication.comment(&mut notices).await;
            unless_refused(sent, "comment", "pull-requests: write", &mut notices)?;
        }
        Ok(notices)
    })?
}

/// The decisions in the artifacts `names` of the run that started this workflow.
pub(crate) fn fetch(
    connection: &Connection,
    event: &Event,
    run: u64,
    names: &[String],
) -> Result<Vec<Decision>, FetchError> {
    block_on(async {
        let client = Client::new(connection)?;
        let mut decisions = Vec::with_capacity(names.len());
        for name in names {
            let archive = archive(&client, event, run, name).await?;
            let unbelievable = |source| FetchError::Artifact { name: name.clone(), source };
            decisions.push(artifact::decision(&archive).map_err(unbelievable)?);
        }
        Ok(decisions)
    })?
}

async fn archive(
    client: &Client,
    event: &Event,
    run: u64,
    name: &str,
) -> Result<Vec<u8>, FetchError> {
    let repository = &event.repository;
    let path = format!(
        "/repos/{repository}/actions/runs/{run}/artifacts?per_page=100&name={}",
        encoded(name)
    );
    let listed: Artifacts = client.get(&path).await?.parse()?;
    let of_name = listed.artifacts.into_iter().filter(|one| one.name == name && !one.expired);
    // A repeated run uploads again under the same name: the latest is meant.
    let Some(artifact) = of_name.max_by_key(|one| one.id) else {
        return Err(FetchError::None(name.to_owned()));
    };
    let unfit = |reason: String| FetchError::Unfit { name: name.to_owned(), reason };
    let head = artifact.workflow_run.and_then(|run| run.head_sha);
    if head.is_some() && head != event.head {
        return Err(unfit("belongs to another commit than the event".to_owned()));
    }
    if artifact.size_in_bytes > artifact::ARCHIVE_LIMIT as u64 {
        return Err(unfit(format!(
            "has {} bytes: upload `decision.json` alone",
            artifact.size_in_bytes
        )));
    }
    let path = format!("/repos/{repository}/actions/artifacts/{}/zip", artifact.id);
    Ok(client.download(&path, artifact::ARCHIVE_LIMIT).await?)
}

struct Publication<'a> {
    client: Client,
    event: &'a Event,
    page: &'a Page,
    settings: &'a Settings,
}

impl Publication<'_> {
    async fn set_status(&self, head: &str) -> Result<(), ApiError> {
        let body = request::commit_status(self.page, self.settings);
        let path = self.path(&format!("statuses/{head}"));
        let seen = self.path(&format!("commits/{head}/status?per_page=100"));
        let already_there = async || {
            let answer = self.client.get(&seen).await?.value;
            let ours = |status: &&serde_json::Value| {
                ["context", "state", "description", "target_url"]
                    .iter()
                    .all(|key| status[key] == body[key])
            };
            Ok(answer["statuses"].as_array().into_iter().flatten().find(ours).map(|_| ()))
        };
        self.client.create(&path, &body, |_| Ok(()), already_there).await
    }

    async fn run_check(&self, head: &str, remarks: &[Annotation]) -> Result<(), ApiError> {
        let (first, further) = request::check_run(head, self.page, self.settings, remarks);
        let name = encoded(&self.settings.id.context());
        let seen = self.path(&format!("commits/{head}/check-runs?check_name={name}&per_page=100"));
        let already_there = async || {
            let answer = self.client.get(&seen).await?.value;
            let ours = |run: &&serde_json::Value| {
                first["external_id"].is_string() && run["external_id"] == first["external_id"]
            };
            let found = answer["check_runs"].as_array().into_iter().flatten().find(ours);
            Ok(found.and_then(|run| run["id"].as_u64()))
        };
        let id = |answer: client::Answer| Ok(answer.parse::<Created>()?.id);
        let id = self.client.create(&self.path("check-runs"), &first, id, already_there).await?;
        for body in further {
            self.client.patch(&self.path(&format!("check-runs/{id}")), &body).await?;
        }
        Ok(())
    }

    async fn comment(&self, notices: &mut Vec<String>) -> Result<(), ApiError> {
        let Some(number) = self.pull(notices).await? else { return Ok(()) };
        let living = self.living(number).await?;
        let before = living.iter().map(|comment| comment.id).max().unwrap_or(0);
        let id = self.settings.id.as_str();
        for step in comment::steps(id, &living, self.page, self.settings.comment) {
            match step {
                Step::Create { body } => self.create(number, before, &body).await?,
                Step::Edit { id, body } => match self.edit(id, &body).await {
                    Err(ApiError::Gone { .. }) => self.create(number, before, &body).await?,
                    edited => edited?,
                },
                // The newer comment stands: a fold that does not succeed is made up for at the next push.
                Step::Fold { id, body } => drop(self.edit(id, &body).await),
            }
        }
        Ok(())
    }

    async fn create(&self, number: u64, before: u64, body: &str) -> Result<(), ApiError> {
        let path = self.path(&format!("issues/{number}/comments"));
        let already_there = async || {
            let living = self.living(number).await?;
            Ok(living.iter().find(|comment| comment.id > before).map(|_| ()))
        };
        self.client.create(&path, &json!({ "body": body }), |_| Ok(()), already_there).await
    }

    async fn edit(&self, id: u64, body: &str) -> Result<(), ApiError> {
        let path = self.path(&format!("issues/comments/{id}"));
        self.client.patch(&path, &json!({ "body": body })).await
    }

    /// Our comments, from all pages. Whoever copies the marker into a comment of their own is not us.
    async fn living(&self, number: u64) -> Result<Vec<Comment>, ApiError> {
        let mut living = Vec::new();
        let mut ourselves = HashMap::new();
        for page in 1.. {
            let path = self.path(&format!("issues/{number}/comments?per_page={PAGE}&page={page}"));
            let answer = self.client.get(&path).await?;
            let is_last = !answer.has_next;
            for CommentAnswer { id, body, user } in answer.parse::<Vec<CommentAnswer>>()? {
                let (Some(body), Some(user)) = (body, user) else { continue };
                if comment::is_ours(&body, self.settings.id.as_str())
                    && is_author(&self.client, user, &mut ourselves).await?
                {
                    living.push(Comment { id, body });
                }
            }
            if is_last {
                break;
            }
        }
        Ok(living)
    }

    /// The pull request whose newest commit is the one that was judged.
    async fn pull(&self, notices: &mut Vec<String>) -> Result<Option<u64>, ApiError> {
        let candidates = match &self.event.pull {
            Pull::None => return Ok(None),
            Pull::Number(number) => {
                vec![
                    self.client
                        .get(&self.path(&format!("pulls/{number}")))
                        .await?
                        .parse::<PullAnswer>()?,
                ]
            }
            Pull::Branch { repository, branch } => {
                let owner = repository.split('/').next().unwrap_or_default();
                let head = encoded(&format!("{owner}:{branch}"));
                let path = self.path(&format!("pulls?state=open&head={head}&per_page={PAGE}"));
                let open = self.client.get(&path).await?.parse::<Vec<PullAnswer>>()?;
                open.into_iter().filter(|pull| is_in(&pull.head, repository)).collect()
            }
        };
        let here = candidates.into_iter().filter(|pull| is_in(&pull.base, &self.event.repository));
        let at_head = here.filter(|pull| Some(&pull.head.sha) == self.event.head.as_ref());
        let numbers: Vec<_> = at_head.map(|pull| pull.number).collect();
        match numbers.as_slice() {
            [number] => return Ok(Some(*number)),
            [] => notices.push(
                "no comment: no open pull request here stands at the commit that was measured"
                    .to_owned(),
            ),
            many => notices
                .push(format!("no comment: {} pull requests ask for the same branch", many.len())),
        }
        Ok(None)
    }

    fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{rest}", self.event.repository)
    }
}

/// A bot, or the account of the token; a workflow's own token may not ask who it is, and is a bot.
async fn is_author(
    client: &Client,
    user: User,
    known: &mut HashMap<String, bool>,
) -> Result<bool, ApiError> {
    if user.kind.as_deref() == Some("Bot") {
        return Ok(true);
    }
    if let Some(&known) = known.get(&user.login) {
        return Ok(known);
    }
    let is_us = match client.get("/user").await {
        Ok(answer) => answer.parse::<User>()?.login == user.login,
        Err(ApiError::Refused { .. } | ApiError::Gone { .. }) => false,
        Err(error) => return Err(error),
    };
    known.insert(user.login, is_us);
    Ok(is_us)
}

fn is_in(side: &Side, repository: &str) -> bool {
    side.repo.as_ref().is_some_and(|repo| repo.full_name.eq_ignore_ascii_case(repository))
}

fn unless_refused(
    sent: Result<(), ApiError>,
    what: &str,
    permission: &str,
    notices: &mut Vec<String>,
) -> Result<(), ApiError> {
    match sent {
        Err(ApiError::Refused { message, .. }) => {
            notices.push(format!("no {what}, see the step summary: {message}. The job lacks `{permission}`, or a fork's token is read-only"));
            Ok(())
        }
        sent => sent,
    }
}

/// For a query: everything but letters, digits and `-._~` as `%XX`.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn a_branch_name_cannot_add_to_a_query() {
        assert_eq!(encoded("me:a/b&state=all#ü"), "me%3Aa%2Fb%26state%3Dall%23%C3%BC");
    }
}
