//! A stand-in for GitHub. It holds comments, statuses, check runs, pull requests and artifacts in
//! memory, and checks every request against GitHub's own description of its API.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::openapi::Spec;

/// A false answer to a request.
pub(crate) enum Trouble {
    /// The request is not executed.
    Instead(ResponseTemplate),
    /// The request is executed, but the answer reports a failure.
    DoneBut(ResponseTemplate),
}

#[derive(Default)]
struct State {
    comments: BTreeMap<u64, Value>,
    issues: Vec<Value>,
    keeps_labels: bool,
    next_comment: u64,
    pulls: Vec<Value>,
    statuses: Vec<Value>,
    check_runs: Vec<Value>,
    artifacts: Vec<Value>,
    archive: Vec<u8>,
    archive_at: Option<String>,
    /// Method and end of the path, with the troubles of the matching requests in order.
    troubles: Vec<(&'static str, &'static str, VecDeque<Trouble>)>,
    read_only: bool,
    /// Login that GraphQL names as the token's; `None` if it refuses.
    viewer: Option<&'static str>,
    /// Login that `/user` names as the token's; `None` if it refuses.
    user: Option<&'static str>,
    base: String,
}

/// The account of a job's token.
pub(crate) const BOT: &str = "github-actions[bot]";

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

impl Respond for Fake {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let (method, path) = (request.method.as_str(), request.url.path());
        let trouble = state
            .troubles
            .iter_mut()
            .filter(|(verb, end, _)| *verb == method && path.ends_with(end))
            .find_map(|(_, _, queue)| queue.pop_front());
        match trouble {
            Some(Trouble::Instead(answer)) => answer,
            Some(Trouble::DoneBut(answer)) => {
                state.answer(request);
                answer
            }
            None => state.answer(request),
        }
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> ResponseTemplate {
        let path = request.url.path().trim_start_matches("/api/v3");
        let parts: Vec<_> = path.split('/').skip(1).collect();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let method = request.method.as_str();
        if is_query(request) {
            return match self.viewer {
                Some(login) => answer(200, &json!({ "data": { "viewer": { "login": login } } })),
                None => {
                    answer(403, &json!({ "message": "Resource not accessible by integration" }))
                }
            };
        }
        if self.read_only && method != "GET" {
            return answer(403, &json!({ "message": "Resource not accessible by integration" }));
        }
        match (method, parts.as_slice()) {
            ("GET", ["repos", _, _, "issues"]) => self.page_of(request, &self.issues),
            ("POST", ["repos", _, _, "issues"]) => {
                refuse_long(&body).unwrap_or_else(|| answer(201, &self.open_issue(&body)))
            }
            ("PATCH", ["repos", _, _, "issues", number]) => self.edit_issue(number, &body),
            ("GET", ["repos", _, _, "issues", _, "comments"]) => self.page_of_comments(request),
            ("POST", ["repos", _, _, "issues", _, "comments"]) => self.add_comment(&body),
            ("PATCH", ["repos", _, _, "issues", "comments", id]) => {
                if let Some(refusal) = refuse_long(&body) {
                    return refusal;
                }
                match self.comments.get_mut(&id.parse().unwrap()) {
                    Some(comment) => {
                        comment["body"] = body["body"].clone();
                        answer(200, comment)
                    }
                    None => answer(404, &json!({ "message": "Not Found" })),
                }
            }
            ("POST", ["repos", _, _, "statuses", _]) => {
                if let Some(refusal) = refuse_long(&body) {
                    return refusal;
                }
                self.statuses.push(body.clone());
                answer(201, &body)
            }
            ("GET", ["repos", _, _, "commits", _, "status"]) => {
                answer(200, &json!({ "statuses": self.statuses }))
            }
            ("POST", ["repos", _, _, "check-runs"]) => {
                if let Some(refusal) = refuse_output(&body["output"]) {
                    return refusal;
                }
                let mut run = body;
                run["id"] = json!(self.check_runs.len() + 1);
                self.check_runs.push(run.clone());
                answer(201, &run)
            }
            ("PATCH", ["repos", _, _, "check-runs", _]) => {
                refuse_output(&body["output"]).unwrap_or_else(|| answer(200, &json!({ "id": 1 })))
            }
            ("GET", ["repos", _, _, "commits", _, "check-runs"]) => {
                answer(200, &json!({ "check_runs": self.check_runs }))
            }
            ("GET", ["repos", _, _, "pulls"]) => answer(200, &json!(self.pulls)),
            ("GET", ["repos", _, _, "pulls", number]) => {
                match self.pulls.iter().find(|pull| pull["number"].to_string() == *number) {
                    Some(pull) => answer(200, pull),
                    None => answer(404, &json!({ "message": "Not Found" })),
                }
            }
            ("GET", ["repos", _, _, "actions", "runs", _, "artifacts"]) => {
                answer(200, &json!({ "artifacts": self.artifacts }))
            }
            ("GET", ["repos", _, _, "actions", "artifacts", _, "zip"]) => match &self.archive_at {
                Some(elsewhere) => {
                    ResponseTemplate::new(302).insert_header("location", elsewhere.as_str())
                }
                None => ResponseTemplate::new(200).set_body_bytes(self.archive.clone()),
            },
            ("GET", ["user"]) => match self.user {
                Some(login) => answer(200, &json!({ "login": login, "type": "User" })),
                None => {
                    answer(403, &json!({ "message": "Resource not accessible by integration" }))
                }
            },
            _ => {
                answer(404, &json!({ "message": format!("the stand-in knows no {method} {path}") }))
            }
        }
    }

    fn add_comment(&mut self, body: &Value) -> ResponseTemplate {
        let text = body["body"].as_str().unwrap();
        if let Some(refusal) = refuse_long(body) {
            return refusal;
        }
        self.next_comment += 1;
        let author = self.user.unwrap_or(BOT);
        let comment = comment(self.next_comment, text, author, "Bot");
        self.comments.insert(self.next_comment, comment.clone());
        answer(201, &comment)
    }

    fn edit_issue(&mut self, number: &str, body: &Value) -> ResponseTemplate {
        let is_it = |issue: &&mut Value| issue["number"].to_string() == number;
        let Some(issue) = self.issues.iter_mut().find(is_it) else {
            return answer(404, &json!({ "message": "Not Found" }));
        };
        if let Some(refusal) = refuse_long(body) {
            return refusal;
        }
        for (key, value) in body.as_object().unwrap() {
            issue[key] = value.clone();
        }
        answer(200, issue)
    }

    fn open_issue(&mut self, body: &Value) -> Value {
        let label = |name: &Value| json!({ "name": name });
        let labels: Vec<_> = body["labels"].as_array().unwrap().iter().map(label).collect();
        let issue = json!({
            "number": self.issues.len() + 1, "state": "open", "title": body["title"], "body": body["body"],
            "labels": if self.keeps_labels { labels } else { Vec::new() },
            "user": { "login": BOT, "type": "Bot" },
        });
        self.issues.push(issue.clone());
        issue
    }

    fn page_of_comments(&self, request: &Request) -> ResponseTemplate {
        let all: Vec<_> = self.comments.values().cloned().collect();
        self.page_of(request, &all)
    }

    /// Returns one page of `all`, with GitHub's `Link` to the next page.
    fn page_of(&self, request: &Request, all: &[Value]) -> ResponseTemplate {
        let query: BTreeMap<_, _> = request.url.query_pairs().into_owned().collect();
        let page: usize = query.get("page").map_or(1, |page| page.parse().unwrap());
        let size: usize = query.get("per_page").map_or(30, |size| size.parse().unwrap());
        let begin = ((page - 1) * size).min(all.len());
        let end = (begin + size).min(all.len());
        let response = answer(200, &json!(all[begin..end]));
        if end == all.len() {
            return response;
        }
        let path = request.url.path();
        let next = format!("<{}{path}?per_page={size}&page={}>; rel=\"next\"", self.base, page + 1);
        response.insert_header("link", next.as_str())
    }
}

/// Returns whether the request is the GraphQL query for the token's account, which is beside the
/// REST API on GitHub Enterprise.
fn is_query(request: &Request) -> bool {
    let is_asked = || request.body == br#"{"query":"query { viewer { login } }"}"#;
    matches!(request.url.path(), "/graphql" | "/api/graphql") && is_asked()
}

/// The texts that GitHub limits, each with its limit in bytes.
const TEXT_LIMITS: [(&str, usize); 7] = [
    ("body", 65_535),
    ("summary", 65_535),
    ("text", 65_535),
    ("message", 65_535),
    ("title", 255),
    ("description", 140),
    ("context", 255),
];

/// Number of annotations that GitHub takes in one request.
const MAX_ANNOTATIONS: usize = 50;

/// Returns GitHub's refusal if there is too much in the output of a check run.
fn refuse_output(output: &Value) -> Option<ResponseTemplate> {
    let annotations = output["annotations"].as_array().map_or(&[][..], Vec::as_slice);
    if annotations.len() > MAX_ANNOTATIONS {
        return Some(answer(
            422,
            &json!({ "message": "Invalid request. More than 50 annotations." }),
        ));
    }
    annotations.iter().find_map(refuse_long).or_else(|| refuse_long(output))
}

/// Returns GitHub's refusal if a text of `body` is too long. GitHub counts bytes.
fn refuse_long(body: &Value) -> Option<ResponseTemplate> {
    let is_long = |name: &str, limit| body[name].as_str().is_some_and(|text| text.len() > limit);
    let (name, _) = TEXT_LIMITS.into_iter().find(|(name, limit)| is_long(name, *limit))?;
    let errors = json!([{ "message": format!("{name} is too long") }]);
    Some(answer(422, &json!({ "message": "Validation Failed", "errors": errors })))
}

pub(crate) fn answer(status: u16, body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

pub(crate) fn comment(id: u64, body: &str, login: &str, kind: &str) -> Value {
    json!({ "id": id, "body": body, "user": { "login": login, "type": kind } })
}

/// The server with the files of the workflow.
pub(crate) struct GitHub {
    runtime: tokio::runtime::Runtime,
    server: MockServer,
    fake: Fake,
    folder: tempfile::TempDir,
    prefix: &'static str,
}

/// The workflow's own token, which must not appear in any output.
pub(crate) const TOKEN: &str = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";

impl GitHub {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let fake = Fake::default();
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(any()).respond_with(fake.clone()).mount(&server).await;
            server
        });
        fake.0.lock().unwrap().base = server.uri();
        fake.0.lock().unwrap().next_comment = 1000;
        fake.0.lock().unwrap().keeps_labels = true;
        fake.0.lock().unwrap().viewer = Some(BOT);
        Self { runtime, server, fake, folder: tempfile::tempdir().unwrap(), prefix: "" }
    }

    /// Serves the API under `/api/v3`, like GitHub Enterprise.
    pub(crate) fn enterprise() -> Self {
        Self { prefix: "/api/v3", ..Self::new() }
    }

    /// Lets the server name these accounts as the token's: by GraphQL, and by `/user`.
    pub(crate) fn with_account(
        self,
        viewer: Option<&'static str>,
        user: Option<&'static str>,
    ) -> Self {
        self.state(|state| (state.viewer, state.user) = (viewer, user));
        self
    }

    fn state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.fake.0.lock().unwrap())
    }

    /// Adds the open pull request of the event fixtures.
    pub(crate) fn with_pull(
        self,
        number: u64,
        head: &str,
        head_repository: &str,
        base_repository: &str,
    ) -> Self {
        let repo = |name: &str| json!({ "full_name": name });
        let pull = json!({
            "number": number,
            "head": { "sha": head, "repo": repo(head_repository) },
            "base": { "sha": "b".repeat(40), "repo": repo(base_repository) },
        });
        self.state(|state| state.pulls.push(pull));
        self
    }

    pub(crate) fn with_comment(self, id: u64, body: &str, login: &str, kind: &str) -> Self {
        self.state(|state| state.comments.insert(id, comment(id, body, login, kind)));
        self
    }

    pub(crate) fn with_artifact(self, name: &str, head: &str, archive: Vec<u8>) -> Self {
        let size = archive.len();
        self.state(|state| {
            state.archive = archive;
            state.artifacts.push(json!({
                "id": 5, "name": name, "size_in_bytes": size, "expired": false, "workflow_run": { "head_sha": head },
            }));
        });
        self
    }

    /// Redirects the download of the artifact to another server, as GitHub does.
    pub(crate) fn with_archive_at(self, address: String) -> Self {
        self.state(|state| state.archive_at = Some(address));
        self
    }

    pub(crate) fn with_claimed_size(self, size: u64) -> Self {
        self.state(|state| state.artifacts[0]["size_in_bytes"] = json!(size));
        self
    }

    pub(crate) fn read_only(self) -> Self {
        self.state(|state| state.read_only = true);
        self
    }

    pub(crate) fn with_trouble(
        self,
        method: &'static str,
        path: &'static str,
        troubles: Vec<Trouble>,
    ) -> Self {
        self.state(|state| state.troubles.push((method, path, troubles.into())));
        self
    }

    pub(crate) fn comments(&self) -> Vec<(u64, String)> {
        self.state(|state| {
            let text = |comment: &Value| comment["body"].as_str().unwrap().to_owned();
            state.comments.iter().map(|(id, comment)| (*id, text(comment))).collect()
        })
    }

    pub(crate) fn with_issue(self, issue: Value) -> Self {
        self.state(|state| state.issues.push(issue));
        self
    }

    pub(crate) fn without_labels(self) -> Self {
        self.state(|state| state.keeps_labels = false);
        self
    }

    pub(crate) fn issues(&self) -> Vec<Value> {
        self.state(|state| state.issues.clone())
    }

    pub(crate) fn statuses(&self) -> Vec<Value> {
        self.state(|state| state.statuses.clone())
    }

    pub(crate) fn uri(&self) -> String {
        self.server.uri()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.runtime.block_on(self.server.received_requests()).unwrap()
    }

    /// Returns method and path of every request that was neither a `GET` nor a query.
    pub(crate) fn writes(&self) -> Vec<String> {
        let is_write = |request: &Request| request.method.as_str() != "GET" && !is_query(request);
        let writes = self.requests().into_iter().filter(is_write);
        writes.map(|request| format!("{} {}", request.method, request.url.path())).collect()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn summary(&self) -> String {
        std::fs::read_to_string(self.file("summary")).unwrap_or_default()
    }

    /// Runs `perfgate publish` like a workflow step of this event, and checks every request.
    pub(crate) fn publish(&self, event: &str, arguments: &[&str]) -> Output {
        self.run(&mut self.command(event, arguments))
    }

    /// Runs `command` and checks every request.
    pub(crate) fn run(&self, command: &mut Command) -> Output {
        let output = command.output().unwrap();
        let spec = Spec::load();
        for request in self.requests().iter().filter(|request| !is_query(request)) {
            let path =
                request.url.path().strip_prefix(self.prefix).expect("every path is below the base");
            spec.check(request, path)
                .unwrap_or_else(|wrong| panic!("{} {}: {wrong}", request.method, request.url));
            assert_eq!(
                request.headers["authorization"].to_str().unwrap(),
                format!("Bearer {TOKEN}")
            );
        }
        let said = format!("{output:?}{}", self.summary());
        assert!(!said.contains(TOKEN), "the token was printed: {said}");
        output
    }

    pub(crate) fn command(&self, event: &str, arguments: &[&str]) -> Command {
        let name = event.split(['_', '.']).next().unwrap();
        let name = match name {
            "push" | "schedule" => name.to_owned(),
            _ => event.split('_').take(2).collect::<Vec<_>>().join("_"),
        };
        let mut command = perfgate();
        command
            .args(["publish"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("GITHUB_EVENT_NAME", name)
            .env("GITHUB_EVENT_PATH", root().join(format!("fixtures/github/events/{event}.json")))
            .env("GITHUB_API_URL", format!("{}{}", self.server.uri(), self.prefix))
            .env("GITHUB_TOKEN", TOKEN)
            .env("GITHUB_STEP_SUMMARY", self.file("summary"))
            .env("GITHUB_OUTPUT", self.file("output"))
            .env("GITHUB_WORKSPACE", self.folder.path())
            .env("GITHUB_RUN_ID", "77");
        command
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn decision(name: &str) -> String {
    root().join(format!("fixtures/decisions/{name}.json")).to_str().unwrap().to_owned()
}

/// Returns the perfgate command without the variables of a workflow that runs the tests.
pub(crate) fn perfgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_perfgate"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let is_ours =
            ["GITHUB_", "RUNNER_", "PERFGATE_"].iter().any(|prefix| name.starts_with(prefix));
        if is_ours || name == "CI" || name == "NO_COLOR" {
            command.env_remove(name);
        }
    }
    command
}
