//! Publishing through GitHub's API. No other module sends requests to GitHub.
//!
//! A permanent refusal becomes a notice. A temporary failure is retried. A `POST` is retried only
//! after a check that GitHub did not accept the first one.

mod client;
pub(crate) mod issues;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;

use client::{ApiClient, block_on};
pub(crate) use client::{ApiConnection, ApiError};

use crate::publish::annotation::Annotation;
use crate::publish::artifact::{self, ArtifactContent, ArtifactError};
use crate::publish::comment::{self, CommentPolicy, CommentStep, StickyComment};
use crate::publish::event::{PullReference, WorkflowEvent};
use crate::publish::outcome::PublishOutcome;
use crate::publish::page::PublishPage;
use crate::publish::request::{self, PublishSettings};

/// Number of comments, issues or pull requests that are requested per page.
const PAGE_SIZE: usize = 100;

/// The bytes that are encoded in a value of a query: all except letters, digits and `-._~`.
const QUERY_VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why the decision in an artifact could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// GitHub did not deliver the artifact.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The content of the artifact was rejected.
    #[error("artifact `{name}`: {source}")]
    Artifact {
        /// The artifact's name.
        name: String,
        /// Why the content was rejected.
        source: ArtifactError,
    },
    /// The workflow run has no artifact of this name, or the artifact has expired.
    #[error("the run that started this workflow has no artifact `{0}`")]
    Missing(String),
    /// The artifact belongs to another commit or is too long.
    #[error("artifact `{name}` {reason}")]
    Unfit {
        /// The artifact's name.
        name: String,
        /// What is wrong with the artifact.
        reason: String,
    },
}

#[derive(Deserialize)]
struct CommentAnswer {
    id: u64,
    body: Option<String>,
    user: Option<AnswerUser>,
}

#[derive(Deserialize)]
struct AnswerUser {
    login: String,
}

#[derive(Deserialize)]
struct PullAnswer {
    number: u64,
    head: PullSide,
    base: PullSide,
}

#[derive(Deserialize)]
struct PullSide {
    sha: String,
    repo: Option<PullRepository>,
}

#[derive(Deserialize)]
struct PullRepository {
    full_name: String,
}

#[derive(Deserialize)]
struct ArtifactList {
    artifacts: Vec<ArtifactEntry>,
}

#[derive(Deserialize)]
struct ArtifactEntry {
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
struct CreatedAnswer {
    id: u64,
}

/// Writes the commit status, the check run and the comment.
///
/// Tries each of them, whatever happened to the others. Fails if no request can be sent at all.
pub(crate) fn publish_page(
    connection: &ApiConnection,
    event: &WorkflowEvent,
    page: &PublishPage,
    settings: &PublishSettings,
    annotations: &[Annotation],
) -> Result<PublishOutcome, ApiError> {
    block_on(async {
        let client = ApiClient::new(connection)?;
        let publication = Publication { client, event, page, settings };
        let mut outcome = PublishOutcome::default();
        if let Some(head) = &event.head {
            let sent = publication.set_status(head).await;
            outcome.note_refusal(sent, "commit status", "statuses: write");
            if settings.check_run {
                let sent = publication.create_check_run(head, annotations).await;
                outcome.note_refusal(sent, "check run", "checks: write");
            }
        }
        if settings.comment != CommentPolicy::Never {
            let sent = publication.update_comment(&mut outcome.notices).await;
            outcome.note_refusal(sent, "comment", "pull-requests: write");
        }
        Ok(outcome)
    })?
}

/// Downloads what the artifacts `names` of the workflow run `run` hold, in the same order.
///
/// Fails if an artifact is missing, belongs to another commit than the event, is too long or is
/// rejected by [`artifact::read_artifact`].
pub(crate) fn fetch_artifacts(
    connection: &ApiConnection,
    event: &WorkflowEvent,
    run: u64,
    names: &[String],
) -> Result<Vec<ArtifactContent>, FetchError> {
    block_on(async {
        let client = ApiClient::new(connection)?;
        let mut contents = Vec::with_capacity(names.len());
        for name in names {
            let archive = download_archive(&client, event, run, name).await?;
            let to_artifact_error = |source| FetchError::Artifact { name: name.clone(), source };
            contents.push(artifact::read_artifact(&archive).map_err(to_artifact_error)?);
        }
        Ok(contents)
    })?
}

async fn download_archive(
    client: &ApiClient,
    event: &WorkflowEvent,
    run: u64,
    name: &str,
) -> Result<Vec<u8>, FetchError> {
    let repository = &event.repository;
    let path = format!(
        "/repos/{repository}/actions/runs/{run}/artifacts?per_page=100&name={}",
        encode_query(name)
    );
    let listed: ArtifactList = client.get(&path).await?.parse()?;
    let same_name =
        listed.artifacts.into_iter().filter(|entry| entry.name == name && !entry.expired);
    // A repeated run uploads again under the same name. The latest upload counts.
    let Some(artifact) = same_name.max_by_key(|entry| entry.id) else {
        return Err(FetchError::Missing(name.to_owned()));
    };
    let to_unfit_error = |reason: String| FetchError::Unfit { name: name.to_owned(), reason };
    let head = artifact.workflow_run.and_then(|run| run.head_sha);
    if head.is_some() && head != event.head {
        return Err(to_unfit_error("belongs to another commit than the event".to_owned()));
    }
    if artifact.size_in_bytes > artifact::ARCHIVE_LIMIT as u64 {
        return Err(to_unfit_error(format!(
            "has {} bytes: upload `decision.json` and the reports alone",
            artifact.size_in_bytes
        )));
    }
    let path = format!("/repos/{repository}/actions/artifacts/{}/zip", artifact.id);
    Ok(client.download(&path, artifact::ARCHIVE_LIMIT).await?)
}

struct Publication<'a> {
    client: ApiClient,
    event: &'a WorkflowEvent,
    page: &'a PublishPage,
    settings: &'a PublishSettings,
}

impl Publication<'_> {
    async fn set_status(&self, head: &str) -> Result<(), ApiError> {
        let body = request::build_commit_status(self.page, self.settings);
        let path = self.build_path(&format!("statuses/{head}"));
        let list_path = self.build_path(&format!("commits/{head}/status?per_page=100"));
        let find_existing = async || {
            let answer = self.client.get(&list_path).await?.value;
            let is_ours = |status: &&serde_json::Value| {
                ["context", "state", "description", "target_url"]
                    .iter()
                    .all(|key| status[key] == body[key])
            };
            Ok(answer["statuses"].as_array().into_iter().flatten().find(is_ours).map(|_| ()))
        };
        self.client.create(&path, &body, |_| Ok(()), find_existing).await
    }

    async fn create_check_run(
        &self,
        head: &str,
        annotations: &[Annotation],
    ) -> Result<(), ApiError> {
        let (first, further) =
            request::build_check_run(head, self.page, self.settings, annotations);
        let name = encode_query(&self.settings.id.context());
        let list_path =
            self.build_path(&format!("commits/{head}/check-runs?check_name={name}&per_page=100"));
        let find_existing = async || {
            let answer = self.client.get(&list_path).await?.value;
            let is_ours = |run: &&serde_json::Value| {
                first["external_id"].is_string() && run["external_id"] == first["external_id"]
            };
            let found = answer["check_runs"].as_array().into_iter().flatten().find(is_ours);
            Ok(found.and_then(|run| run["id"].as_u64()))
        };
        let id = |answer: client::ApiAnswer| Ok(answer.parse::<CreatedAnswer>()?.id);
        let id =
            self.client.create(&self.build_path("check-runs"), &first, id, find_existing).await?;
        for body in further {
            self.client.patch(&self.build_path(&format!("check-runs/{id}")), &body).await?;
        }
        Ok(())
    }

    async fn update_comment(&self, notices: &mut Vec<String>) -> Result<(), ApiError> {
        let Some(number) = self.find_pull(notices).await? else { return Ok(()) };
        let comments = self.comments(number).await?;
        let before = comments.iter().map(|comment| comment.id).max().unwrap_or(0);
        let id = self.settings.id.as_str();
        for step in comment::plan_comment_steps(id, &comments, self.page, self.settings.comment) {
            match step {
                CommentStep::Create { body } => self.create_comment(number, before, &body).await?,
                CommentStep::Edit { id, body } => match self.edit_comment(id, &body).await {
                    Err(ApiError::Gone { .. }) => {
                        self.create_comment(number, before, &body).await?;
                    }
                    edited => edited?,
                },
                // A failure to fold is ignored: the newer comment is in place, and the next push
                // folds again.
                CommentStep::Fold { id, body } => drop(self.edit_comment(id, &body).await),
            }
        }
        Ok(())
    }

    async fn create_comment(&self, number: u64, before: u64, body: &str) -> Result<(), ApiError> {
        let path = self.build_path(&format!("issues/{number}/comments"));
        let find_existing = async || {
            let comments = self.comments(number).await?;
            Ok(comments.iter().find(|comment| comment.id > before).map(|_| ()))
        };
        self.client.create(&path, &json!({ "body": body }), |_| Ok(()), find_existing).await
    }

    async fn edit_comment(&self, id: u64, body: &str) -> Result<(), ApiError> {
        let path = self.build_path(&format!("issues/comments/{id}"));
        self.client.patch(&path, &json!({ "body": body })).await
    }

    /// Returns the comments of perfgate with this id, from all pages.
    ///
    /// A comment counts only if the token's own account wrote it. Anybody can copy the marker, and a
    /// bot may repeat what somebody else wrote.
    async fn comments(&self, number: u64) -> Result<Vec<StickyComment>, ApiError> {
        let mut living = Vec::new();
        for page in 1.. {
            let path = self
                .build_path(&format!("issues/{number}/comments?per_page={PAGE_SIZE}&page={page}"));
            let answer = self.client.get(&path).await?;
            let is_last = !answer.has_next;
            for CommentAnswer { id, body, user } in answer.parse::<Vec<CommentAnswer>>()? {
                let (Some(body), Some(user)) = (body, user) else { continue };
                if comment::is_own_comment(&body, self.settings.id.as_str())
                    && self.client.find_own_login().await? == user.login
                {
                    living.push(StickyComment { id, body });
                }
            }
            if is_last {
                break;
            }
        }
        Ok(living)
    }

    /// Returns the number of the pull request whose newest commit is the commit that was judged.
    ///
    /// Returns `None` if the event is not about a pull request. Also returns `None`, with a notice,
    /// if no pull request or more than one matches.
    async fn find_pull(&self, notices: &mut Vec<String>) -> Result<Option<u64>, ApiError> {
        let candidates = match &self.event.pull {
            PullReference::None => return Ok(None),
            PullReference::Number(number) => {
                vec![
                    self.client
                        .get(&self.build_path(&format!("pulls/{number}")))
                        .await?
                        .parse::<PullAnswer>()?,
                ]
            }
            PullReference::Branch { repository, branch } => {
                let owner = repository.split('/').next().unwrap_or_default();
                let head = encode_query(&format!("{owner}:{branch}"));
                let path =
                    self.build_path(&format!("pulls?state=open&head={head}&per_page={PAGE_SIZE}"));
                let open = self.client.get(&path).await?.parse::<Vec<PullAnswer>>()?;
                open.into_iter().filter(|pull| is_in_repository(&pull.head, repository)).collect()
            }
        };
        let here = candidates
            .into_iter()
            .filter(|pull| is_in_repository(&pull.base, &self.event.repository));
        let at_head = here.filter(|pull| Some(&pull.head.sha) == self.event.head.as_ref());
        let numbers: Vec<_> = at_head.map(|pull| pull.number).collect();
        match numbers.as_slice() {
            [number] => return Ok(Some(*number)),
            [] => notices.push(
                "no comment: no open pull request of this repository is at the measured commit"
                    .to_owned(),
            ),
            many => notices.push(format!(
                "no comment: {} open pull requests have the same head branch",
                many.len()
            )),
        }
        Ok(None)
    }

    fn build_path(&self, suffix: &str) -> String {
        format!("/repos/{}/{suffix}", self.event.repository)
    }
}

fn is_in_repository(side: &PullSide, repository: &str) -> bool {
    side.repo.as_ref().is_some_and(|repo| repo.full_name.eq_ignore_ascii_case(repository))
}

impl PublishOutcome {
    /// Adds a notice if GitHub refused `sent`, which needs `permission`, and a failure if it failed
    /// in another way. Returns whether GitHub refused it.
    fn note_refusal(&mut self, sent: Result<(), ApiError>, kind: &str, permission: &str) -> bool {
        let Err(ApiError::Refused { message, .. }) = sent else {
            self.note_failure(kind, sent);
            return false;
        };
        self.notices.push(format!("no {kind}, see the step summary: {message}. The job lacks `{permission}`, or a fork's token is read-only"));
        true
    }
}

/// Returns `text` as one value of a query, with all bytes percent-encoded that mean something in a
/// query.
fn encode_query(text: &str) -> String {
    utf8_percent_encode(text, QUERY_VALUE).to_string()
}

#[cfg(test)]
mod tests {
    use super::encode_query;

    #[test]
    fn a_branch_name_cannot_add_to_a_query() {
        assert_eq!(encode_query("me:a/b&state=all#ü"), "me%3Aa%2Fb%26state%3Dall%23%C3%BC");
    }
}
