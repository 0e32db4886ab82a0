//! Single requests to GitHub: sending, waiting, retrying, and classifying the answers.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use octocrab::Octocrab;
use octocrab::service::middleware::retry::RetryConfig;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;

use crate::text::shorten;

/// Longest total wait for GitHub in one client, in seconds.
const PATIENCE_SECONDS: u64 = 90;
/// Number of attempts per request.
const MAX_ATTEMPTS: u32 = 4;
/// Longest answer that is read, in bytes; downloads have a limit of their own.
const ANSWER_LIMIT: usize = 16 << 20;
/// Longest message from an answer that is not JSON, in characters.
const MAX_MESSAGE_CHARS: usize = 200;
/// Number of writes that are sent without a pause.
///
/// GitHub asks for one second between writes, but accepts the few writes that every run makes.
const WRITES_AT_ONCE: u32 = 4;

/// Account of the token that GitHub gives to the jobs of a workflow.
const JOB_ACCOUNT: &str = "github-actions[bot]";

/// Address of GitHub's API and the token to use.
#[derive(Clone, Debug)]
pub(crate) struct ApiConnection {
    /// Value of `GITHUB_API_URL`.
    pub(crate) api_url: String,
    /// Value of `GITHUB_TOKEN`.
    pub(crate) token: ApiToken,
}

/// A secret token. It has no `Display`, and `Debug` hides it, so that no message can contain it.
#[derive(Clone)]
pub(crate) struct ApiToken(String);

impl From<String> for ApiToken {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why a request to GitHub failed.
#[derive(Debug, Error)]
pub(crate) enum ApiError {
    /// The token lacks the permission: status 403 without a time to wait.
    #[error("{request}: {message}")]
    Refused {
        /// Method and path.
        request: String,
        /// GitHub's words.
        message: String,
    },
    /// The target does not exist: status 404 or 410.
    #[error("{request}: {message}")]
    Gone {
        /// Method and path.
        request: String,
        /// GitHub's words.
        message: String,
    },
    /// A rate limit: status 403 or 429 with a time to wait.
    #[error("{request}: GitHub asks to wait {} s ({message})", wait.as_secs())]
    Limited {
        /// Method and path.
        request: String,
        /// GitHub's words.
        message: String,
        /// How long GitHub asks to wait.
        wait: Duration,
    },
    /// Status 5xx, a broken connection or a timeout. GitHub may have executed the request or not.
    #[error("{request}: {message}")]
    Uncertain {
        /// Method and path.
        request: String,
        /// What happened.
        message: String,
    },
    /// Any other status.
    #[error("{request}: status {status}: {message}")]
    Status {
        /// Method and path.
        request: String,
        /// HTTP status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// The answer is too long or does not have GitHub's format.
    #[error("{request}: unexpected response: {message}")]
    Answer {
        /// Method and path.
        request: String,
        /// What is wrong with the answer.
        message: String,
    },
    /// No request could be sent.
    #[error("failed to reach `{api_url}`: {message}")]
    Unusable {
        /// Address of the API.
        api_url: String,
        /// Why no request could be sent.
        message: String,
    },
}

/// A successful answer (status 2xx), parsed as JSON.
pub(super) struct ApiAnswer {
    request: String,
    pub(super) value: Value,
    pub(super) has_next: bool,
}

impl ApiAnswer {
    pub(super) fn parse<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        serde_json::from_value(self.value)
            .map_err(|error| ApiError::Answer { request: self.request, message: error.to_string() })
    }
}

#[derive(Clone, Copy)]
enum ApiRequest<'a> {
    Get,
    Post(&'a Value),
    Patch(&'a Value),
    /// A `POST` that changes nothing.
    Query(&'a Value),
}

/// Runs `future` to completion on this thread. Fails if the runtime cannot be built.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, ApiError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| ApiError::Unusable {
        api_url: "GitHub".to_owned(),
        message: error.to_string(),
    })?;
    Ok(runtime.block_on(future))
}

/// A client that retries temporary failures.
pub(super) struct ApiClient {
    github: Octocrab,
    /// Where the path `/graphql` is that of the GraphQL API.
    graphql: Octocrab,
    /// What is left of [`PATIENCE_SECONDS`].
    patience: Cell<Duration>,
    /// Number of writes so far.
    writes: Cell<u32>,
    /// Login of the token's account, once it was asked for.
    own_login: OnceCell<String>,
}

impl ApiClient {
    /// Creates a client. Fails if the address is not valid.
    ///
    /// Must be called inside `block_on`: octocrab starts a task that lives as long as the runtime.
    pub(super) fn new(connection: &ApiConnection) -> Result<Self, ApiError> {
        let rest_url = connection.api_url.trim_end_matches('/');
        let github = connect(connection, rest_url)?;
        // GitHub Enterprise has the REST API at `/api/v3`, and GraphQL at `/api/graphql`.
        let graphql = match rest_url.strip_suffix("/v3") {
            Some(above) => connect(connection, above)?,
            None => github.clone(),
        };
        Ok(Self {
            github,
            graphql,
            patience: Cell::new(Duration::from_secs(PATIENCE_SECONDS)),
            writes: Cell::new(0),
            own_login: OnceCell::new(),
        })
    }

    /// Returns the login of the account that the token acts for, and asks GitHub at most once.
    ///
    /// Fails if GitHub cannot be reached. A token that may not ask is taken for that of the job.
    pub(super) async fn find_own_login(&self) -> Result<&str, ApiError> {
        if self.own_login.get().is_none() {
            let login = match self.query_viewer().await? {
                Some(login) => login,
                None => self.read_user().await?.unwrap_or_else(|| JOB_ACCOUNT.to_owned()),
            };
            // Nobody else sets it: the client belongs to one task.
            let _ = self.own_login.set(login);
        }
        Ok(self.own_login.get().map_or(JOB_ACCOUNT, String::as_str))
    }

    /// Asks the GraphQL API whose token this is. It answers for every kind of token. Returns `None`
    /// if the server does not answer the question.
    async fn query_viewer(&self) -> Result<Option<String>, ApiError> {
        let query = json!({ "query": "query { viewer { login } }" });
        let answer = self.ask_repeatedly("/graphql", ApiRequest::Query(&query)).await;
        let login = |answer: ApiAnswer| {
            answer.value.pointer("/data/viewer/login").and_then(Value::as_str).map(str::to_owned)
        };
        answer_if_allowed(answer).map(|answer| answer.and_then(login))
    }

    /// Asks the REST API whose token this is, which a job's token may not ask. Returns `None` if
    /// GitHub refuses.
    async fn read_user(&self) -> Result<Option<String>, ApiError> {
        let login = |answer: ApiAnswer| answer.value["login"].as_str().map(str::to_owned);
        answer_if_allowed(self.get("/user").await).map(|answer| answer.and_then(login))
    }

    pub(super) async fn get(&self, path: &str) -> Result<ApiAnswer, ApiError> {
        self.ask_repeatedly(path, ApiRequest::Get).await
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<(), ApiError> {
        self.ask_repeatedly(path, ApiRequest::Patch(body)).await.map(drop)
    }

    /// Sends a `POST` and returns what `parse_created` reads from the answer.
    ///
    /// After a temporary failure, `find_existing` checks whether GitHub has executed the request
    /// after all. Only if it finds nothing, the request is sent again.
    pub(super) async fn create<T>(
        &self,
        path: &str,
        body: &Value,
        parse_created: impl Fn(ApiAnswer) -> Result<T, ApiError>,
        find_existing: impl AsyncFn() -> Result<Option<T>, ApiError>,
    ) -> Result<T, ApiError> {
        for attempt in 1.. {
            let error = match self.ask(path, ApiRequest::Post(body)).await {
                Ok(answer) => return parse_created(answer),
                Err(error) => error,
            };
            self.wait_after(error, attempt).await?;
            if let Some(existing) = find_existing().await? {
                return Ok(existing);
            }
        }
        unreachable!("waiting ends with an error after the last attempt")
    }

    /// Returns the content at `path`, following redirections. Fails if it is longer than `limit`
    /// bytes.
    pub(super) async fn download(&self, path: &str, limit: usize) -> Result<Vec<u8>, ApiError> {
        for attempt in 1.. {
            match self.receive(path, ApiRequest::Get, limit).await {
                Ok(ReceivedBody { bytes, .. }) => return Ok(bytes),
                Err(error) => self.wait_after(error, attempt).await?,
            }
        }
        unreachable!("waiting ends with an error after the last attempt")
    }

    async fn ask_repeatedly(
        &self,
        path: &str,
        request: ApiRequest<'_>,
    ) -> Result<ApiAnswer, ApiError> {
        for attempt in 1.. {
            match self.ask(path, request).await {
                Err(error) => self.wait_after(error, attempt).await?,
                answered => return answered,
            }
        }
        unreachable!("waiting ends with an error after the last attempt")
    }

    /// Waits before the next attempt.
    ///
    /// Returns `error` if waiting does not help, if this was the last attempt, or if the wait is
    /// longer than what is left of the total.
    async fn wait_after(&self, error: ApiError, attempt: u32) -> Result<(), ApiError> {
        let wait = match &error {
            ApiError::Limited { wait, .. } => *wait,
            ApiError::Uncertain { .. } => Duration::from_millis(250) * 2_u32.pow(attempt.min(4)),
            _ => return Err(error),
        };
        match self.patience.get().checked_sub(wait) {
            Some(left) if attempt < MAX_ATTEMPTS => {
                self.patience.set(left);
                tokio::time::sleep(wait).await;
                Ok(())
            }
            _ => Err(error),
        }
    }

    async fn ask(&self, path: &str, request: ApiRequest<'_>) -> Result<ApiAnswer, ApiError> {
        if matches!(request, ApiRequest::Post(_) | ApiRequest::Patch(_)) {
            self.writes.set(self.writes.get() + 1);
            if self.writes.get() > WRITES_AT_ONCE {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        let ReceivedBody { name, bytes, has_next } =
            self.receive(path, request, ANSWER_LIMIT).await?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(ApiAnswer { request: name, value, has_next }),
            Err(error) => Err(ApiError::Answer { request: name, message: error.to_string() }),
        }
    }

    async fn receive(
        &self,
        path: &str,
        request: ApiRequest<'_>,
        limit: usize,
    ) -> Result<ReceivedBody, ApiError> {
        let (method, answer) = match request {
            ApiRequest::Get => ("GET", self.github._get(path).await),
            ApiRequest::Post(body) => ("POST", self.github._post(path, Some(body)).await),
            ApiRequest::Query(body) => ("POST", self.graphql._post(path, Some(body)).await),
            ApiRequest::Patch(body) => ("PATCH", self.github._patch(path, Some(body)).await),
        };
        let name = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let uncertain = |message: String| ApiError::Uncertain { request: name.clone(), message };
        let answer = answer.map_err(|error| uncertain(describe_innermost(&error)))?;
        let status = answer.status().as_u16();
        let header = |key: &str| {
            answer.headers().get(key).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let has_next = header("link").is_some_and(|link| link.contains("rel=\"next\""));
        let limits = RateLimit {
            retry_after: header("retry-after"),
            remaining: header("x-ratelimit-remaining"),
            reset: header("x-ratelimit-reset"),
        };
        let bytes = match Limited::new(answer.into_body(), limit).collect().await {
            Ok(body) => body.to_bytes().to_vec(),
            Err(error) if error.is::<LengthLimitError>() => {
                let message = format!("longer than {limit} bytes");
                return Err(ApiError::Answer { request: name, message });
            }
            Err(error) => return Err(uncertain(error.to_string())),
        };
        match status {
            200..=299 => Ok(ReceivedBody { name, bytes, has_next }),
            _ => Err(build_api_error(name, status, extract_message(&bytes), &limits)),
        }
    }
}

/// Returns a client for the API at `base`. Fails if the address is not valid.
fn connect(connection: &ApiConnection, base: &str) -> Result<Octocrab, ApiError> {
    let unusable = |error: octocrab::Error| ApiError::Unusable {
        api_url: connection.api_url.clone(),
        message: describe_innermost(&error),
    };
    Octocrab::builder()
        .base_uri(base)
        .map_err(unusable)?
        .personal_token(connection.token.0.clone())
        .set_connect_timeout(Some(Duration::from_secs(10)))
        .set_read_timeout(Some(Duration::from_secs(30)))
        .add_retry_config(RetryConfig::None)
        .build()
        .map_err(unusable)
}

/// Returns `None` in place of an answer that GitHub refuses or does not have.
fn answer_if_allowed(answer: Result<ApiAnswer, ApiError>) -> Result<Option<ApiAnswer>, ApiError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(
            ApiError::Refused { .. }
            | ApiError::Gone { .. }
            | ApiError::Status { .. }
            | ApiError::Answer { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

struct ReceivedBody {
    name: String,
    bytes: Vec<u8>,
    has_next: bool,
}

struct RateLimit {
    retry_after: Option<String>,
    remaining: Option<String>,
    reset: Option<String>,
}

impl RateLimit {
    /// Returns how long GitHub asks to wait, or `None` if there is no limit.
    ///
    /// `now` is in seconds since 1970.
    fn compute_wait(&self, message: &str, now: u64) -> Option<Duration> {
        let seconds =
            |text: &Option<String>| text.as_ref().and_then(|text| text.trim().parse::<u64>().ok());
        if let Some(wait) = seconds(&self.retry_after) {
            return Some(Duration::from_secs(wait));
        }
        if self.remaining.as_deref() == Some("0") {
            return seconds(&self.reset)
                .map(|reset| Duration::from_secs(reset.saturating_sub(now) + 1));
        }
        // A secondary limit without a time. GitHub's documentation asks for at least one minute.
        message.contains("secondary rate limit").then_some(Duration::from_mins(1))
    }
}

fn build_api_error(request: String, status: u16, message: String, limits: &RateLimit) -> ApiError {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match (status, limits.compute_wait(&message, now)) {
        (403 | 429, Some(wait)) => ApiError::Limited { request, message, wait },
        (403, None) => ApiError::Refused { request, message },
        (404 | 410, _) => ApiError::Gone { request, message },
        (500.., _) => {
            ApiError::Uncertain { request, message: format!("status {status}: {message}") }
        }
        _ => ApiError::Status { request, status, message },
    }
}

/// Returns GitHub's `message` and the messages of its `errors`.
///
/// If the answer is not JSON, returns it in one line of at most [`MAX_MESSAGE_CHARS`] characters.
fn extract_message(bytes: &[u8]) -> String {
    let Ok(answer) = serde_json::from_slice::<Value>(bytes) else {
        return shorten(&String::from_utf8_lossy(bytes), MAX_MESSAGE_CHARS);
    };
    let details = answer["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|detail| detail["message"].as_str());
    let words: Vec<_> = answer["message"].as_str().into_iter().chain(details).collect();
    words.join(": ")
}

/// Returns the message of the innermost cause. The outer errors only report that there is a cause.
fn describe_innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(
        retry_after: Option<&str>,
        remaining: Option<&str>,
        reset: Option<&str>,
    ) -> RateLimit {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        RateLimit {
            retry_after: owned(retry_after),
            remaining: owned(remaining),
            reset: owned(reset),
        }
    }

    #[track_caller]
    fn waits(limits: &RateLimit, message: &str, seconds: Option<u64>) {
        assert_eq!(limits.compute_wait(message, 1000), seconds.map(Duration::from_secs));
    }

    #[test]
    fn a_wait_is_taken_from_where_github_says_it() {
        waits(&limits(Some("7"), Some("0"), Some("1100")), "", Some(7));
        waits(&limits(None, Some("0"), Some("1100")), "", Some(101));
        waits(&limits(None, Some("12"), Some("1100")), "", None);
        waits(&limits(None, None, None), "You have exceeded a secondary rate limit", Some(60));
        waits(&limits(None, None, None), "Resource not accessible by integration", None);
    }

    #[test]
    fn a_token_shows_itself_nowhere() {
        let connection = ApiConnection {
            api_url: "https://x".to_owned(),
            token: "ghs_secret".to_owned().into(),
        };
        assert!(!format!("{connection:?}").contains("secret"));
    }
}
