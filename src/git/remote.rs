//! Fetches and pushes one branch of another repository, through the user's own git.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::env;
use std::fmt;

use super::command::{GitCommand, hide_user_info};
use super::{CommitId, GitError, Repository};

/// Another repository: the name of a remote, an address or a path.
pub(crate) struct Remote<'a> {
    pub(super) repository: &'a Repository,
    pub(super) name: String,
    pub(super) url: String,
    pub(super) token: Option<GitToken>,
}

/// How a push ended, if the server did not refuse it for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushOutcome {
    /// The remote branch now is at the pushed commit.
    Done,
    /// Another process pushed first, or the server had a temporary problem: fetch and push again.
    TryAgain,
}

impl Repository {
    /// Returns the remote called `name`, or the repository at this address.
    ///
    /// Fails if git cannot resolve `name` to an address.
    pub(crate) fn open_remote(
        &self,
        name: &str,
        token: Option<GitToken>,
    ) -> Result<Remote<'_>, GitError> {
        let url = GitCommand::new(self.folder()).run(&["ls-remote", "--get-url", "--", name])?;
        let url = url.trim().to_owned();
        Ok(Remote { repository: self, name: name.to_owned(), url, token })
    }
}

impl Remote<'_> {
    /// Returns the name to show to users: addresses have their credentials replaced.
    pub(crate) fn display_name(&self) -> String {
        hide_user_info(&self.name)
    }

    fn prepare_git(&self) -> GitCommand<'_> {
        GitCommand::new(self.repository.folder()).with_token(self.token.as_ref(), &self.url)
    }

    /// Returns whether the name is an address or a configured remote. It is false for a name like
    /// `origin` if no such remote is configured.
    pub(crate) fn is_known(&self) -> bool {
        self.url != self.name || self.name.contains(['/', '\\', ':'])
    }

    /// Fetches `branch` into the reference `into` and returns its tip. Returns `None` if the remote
    /// has no such branch.
    ///
    /// In a shallow repository only the last commit is fetched. In a full clone the whole branch is
    /// fetched, because a depth limit would make the clone shallow.
    ///
    /// Fails with [`GitError::Refused`] or [`GitError::CommandFailed`] if the fetch fails.
    pub(crate) fn fetch(&self, branch: &str, into: &str) -> Result<Option<CommitId>, GitError> {
        let from = format!("refs/heads/{branch}");
        let refspec = format!("+{from}:{into}");
        let mut arguments = vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head"];
        arguments.extend(["--no-recurse-submodules", "--no-auto-maintenance"]);
        if self.repository.is_shallow() {
            arguments.push("--depth=1");
        }
        arguments.extend(["--", &self.name, &refspec]);
        let (_, error_output) = self.prepare_git().try_run(&arguments)?;
        let Some(message) = error_output else {
            return Ok(Some(self.repository.resolve_revision(into)?));
        };
        if is_reference_missing(&message, &format!("refs/heads/{branch}")) {
            return Ok(None);
        }
        Err(self.explain_failure("fetch", &message))
    }

    /// Pushes `commit` to `branch` if the remote branch is still at `expected`. `expected` is
    /// `None` if the remote branch must not exist yet.
    ///
    /// Fails with [`GitError::Refused`] or [`GitError::CommandFailed`] if a retry would not help.
    pub(crate) fn push(
        &self,
        commit: &CommitId,
        branch: &str,
        expected: Option<&CommitId>,
    ) -> Result<PushOutcome, GitError> {
        let into = format!("refs/heads/{branch}");
        let expected = expected.map_or("", CommitId::as_str);
        let lease = format!("--force-with-lease={into}:{expected}");
        let refspec = format!("{commit}:{into}");
        // `--no-verify`: the hooks of the user's clone check code, not baselines.
        let arguments =
            ["push", "--porcelain", "--no-verify", "--no-follow-tags", &lease, "--", &self.name];
        let mut arguments = arguments.to_vec();
        arguments.push(&refspec);
        let (_, error_output) = self.prepare_git().try_run(&arguments)?;
        match error_output {
            None => Ok(PushOutcome::Done),
            Some(message) if is_transient_message(&message) => Ok(PushOutcome::TryAgain),
            Some(message) => Err(self.explain_failure("push", &message)),
        }
    }

    /// Returns the commits that the tags of the remote name.
    ///
    /// Fails if the remote cannot be reached.
    pub(crate) fn list_tagged_commits(&self) -> Result<Vec<CommitId>, GitError> {
        let arguments = ["ls-remote", "--quiet", "--tags", "--", &self.name];
        let (listed, error_output) = self.prepare_git().try_run(&arguments)?;
        if let Some(message) = error_output {
            return Err(self.explain_failure("ls-remote", &message));
        }
        // The line of an annotated tag is followed by one with the commit that it names.
        let ids = listed.lines().filter_map(|line| line.split_whitespace().next());
        Ok(ids.filter_map(CommitId::parse).collect())
    }

    /// Returns whether the error of a failed fetch is temporary, so that a retry may succeed.
    pub(crate) fn is_transient(error: &GitError) -> bool {
        matches!(error, GitError::CommandFailed { message, .. } if is_transient_message(message))
    }

    pub(super) fn explain_failure(&self, command: &str, message: &str) -> GitError {
        let message = summarize_git_output(message);
        match find_refusal_help(&message) {
            Some(help) => GitError::Refused { remote: self.display_name(), message, help },
            None => GitError::CommandFailed { command: command.to_owned(), message },
        }
    }
}

/// Messages of refusals that a retry does not change, each with the help that is shown for it. The
/// first that fits counts: GitHub reports a protected branch as a hook that declined.
const REFUSALS: [(&[&str], &str); 6] = [
    (
        &["denying non-fast-forward", "[remote rejected] (non-fast-forward)"],
        "the server lets nobody replace a branch, which a prune does: set receive.denyNonFastForwards to false in that repository, or keep baselines in another one: --data-repository REPOSITORY",
    ),
    (
        &["protected branch", "GH006", "GH013", "rule violations", "prohibited by ruleset"],
        "the branch is protected; exempt it in the repository's rules, or keep baselines in another repository: --data-repository REPOSITORY",
    ),
    (
        &["hook declined", "pre-receive hook"],
        "a hook of the server rejected the push; allow this branch there, or keep baselines in another repository: --data-repository REPOSITORY",
    ),
    (
        &[
            "Authentication failed",
            "could not read Username",
            "could not read Password",
            "error: 401",
        ],
        "give a token that is valid in PERFGATE_TOKEN, or run gh auth setup-git",
    ),
    (
        &[
            "error: 403",
            "Permission to",
            "Permission denied",
            "Write access to repository not granted",
            "not allowed to push",
        ],
        "the credentials may not write there; in a workflow: permissions: contents: write",
    ),
    (
        &["not found", "does not appear to be a git repository", "error: 404"],
        "name an existing remote or address: --data-repository REPOSITORY",
    ),
];

/// Returns whether `message` is git's answer to a fetch that the remote does not have `reference`.
pub(super) fn is_reference_missing(message: &str, reference: &str) -> bool {
    message.contains(&format!("couldn't find remote ref {reference}"))
}

fn find_refusal_help(message: &str) -> Option<&'static str> {
    let mut refusals = REFUSALS.iter();
    let found =
        refusals.find(|(phrases, _)| phrases.iter().any(|phrase| message.contains(*phrase)));
    found.map(|(_, help)| *help)
}

/// Returns whether a retry may succeed: another process was faster, a lock is held, or the server
/// had a temporary problem.
fn is_transient_message(message: &str) -> bool {
    const TRANSIENT: [&str; 17] = [
        "fetch first",
        "stale info",
        "cannot lock ref",
        "failed to update ref",
        "reference already exists",
        "incorrect old value",
        "remote ref updated since checkout",
        "Unable to create",
        "failed to lock",
        "error: 429",
        "error: 5",
        "HTTP 5",
        "early EOF",
        "hung up unexpectedly",
        "unexpected disconnect",
        "Connection reset",
        "timed out",
    ];
    find_refusal_help(message).is_none() && TRANSIENT.iter().any(|phrase| message.contains(phrase))
}

/// Joins the informative lines of git's output into one line.
fn summarize_git_output(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| {
        let chatter = ["To ", "Done", "hint:", "Pushing to", "error: failed to push some refs"];
        !line.is_empty() && !chatter.iter().any(|start| line.starts_with(start))
    });
    lines.map(|line| line.replace('\t', " ")).collect::<Vec<_>>().join("; ")
}

/// A token for a server over HTTP. Its value is never shown.
pub(crate) struct GitToken {
    secret: String,
    only_server: Option<String>,
}

impl fmt::Debug for GitToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl GitToken {
    /// Reads `PERFGATE_TOKEN`, which may go to any server, or else `GITHUB_TOKEN`, which may go
    /// only to GitHub's server. Returns `None` if neither is set.
    pub(crate) fn from_environment() -> Option<Self> {
        let read = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
        if let Some(secret) = read("PERFGATE_TOKEN") {
            return Some(Self { secret, only_server: None });
        }
        let server = read("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
        read("GITHUB_TOKEN").map(|secret| Self { secret, only_server: parse_origin(&server) })
    }

    /// Returns the server of `url` if the token may be sent there: over TLS, or to this machine,
    /// and only to the server it belongs to. Returns `None` otherwise.
    pub(super) fn find_allowed_server(&self, url: &str) -> Option<String> {
        let server = parse_origin(url)?;
        let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let is_safe = server.starts_with("https://")
            || local.iter().any(|start| {
                server.strip_prefix(start).is_some_and(|rest| rest.starts_with([':', '/']))
            });
        let is_meant = self.only_server.as_ref().is_none_or(|only| *only == server);
        (is_safe && is_meant).then_some(server)
    }

    /// Returns the HTTP header that authorizes a request with this token.
    pub(super) fn authorization_header(&self) -> String {
        format!("Authorization: Basic {}", self.encode())
    }

    /// Replaces the token in `message`, both in plain text and in base64.
    pub(super) fn hide_in(&self, message: &str) -> String {
        message.replace(&self.secret, "***").replace(&self.encode(), "***")
    }

    fn encode(&self) -> String {
        BASE64_STANDARD.encode(format!("x-access-token:{}", self.secret).as_bytes())
    }
}

/// Converts `https://user@host:1/path` to `https://host:1/`. Returns `None` if the scheme is not
/// HTTP or HTTPS, or if there is no host.
fn parse_origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.to_ascii_lowercase();
    (matches!(&*scheme, "http" | "https") && !host.is_empty())
        .then(|| format!("{scheme}://{host}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_to_their_server_alone() {
        let any = GitToken { secret: "s".to_owned(), only_server: None };
        assert_eq!(
            any.find_allowed_server("https://me@Host:1/x.git").as_deref(),
            Some("https://host:1/")
        );
        assert_eq!(
            any.find_allowed_server("http://127.0.0.1:80/x").as_deref(),
            Some("http://127.0.0.1:80/")
        );
        for unsafe_place in ["http://host/x", "http://127.0.0.1.evil.example/x", "git@host:x", "/x"]
        {
            assert_eq!(any.find_allowed_server(unsafe_place), None, "{unsafe_place}");
        }
        let github =
            GitToken { secret: "s".to_owned(), only_server: parse_origin("https://github.com") };
        assert!(github.find_allowed_server("https://github.com/o/r").is_some());
        assert_eq!(github.find_allowed_server("https://github.com.evil.example/o/r"), None);
        assert_eq!(github.find_allowed_server("https://gitlab.com/o/r"), None);
    }

    #[test]
    fn tokens_are_hidden_in_either_form() {
        let token = GitToken { secret: "s3cret".to_owned(), only_server: None };
        let message = format!("{} and s3cret {token:?}", token.authorization_header());
        assert_eq!(token.hide_in(&message), "Authorization: Basic *** and *** Token");
    }

    #[test]
    fn lasting_refusals_are_told_from_passing_ones() {
        for passing in [
            "!\ta:b\t[rejected] (stale info)",
            "!\ta:b\t[remote rejected] (cannot lock ref 'refs/heads/x': is at 1 but expected 2)",
            "!\ta:b\t[remote rejected] (failed to update ref)",
            "!\ta:b\t[rejected] (fetch first)",
            "error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502",
        ] {
            assert!(is_transient_message(passing), "{passing}");
        }
        let protected = "!\ta:b\t[remote rejected] (protected branch hook declined)";
        assert!(find_refusal_help(protected).is_some_and(|help| help.contains("is protected")));
        for lasting in [
            "!\ta:b\t[remote rejected] (pre-receive hook declined)",
            "!\ta:b\t[remote rejected] (non-fast-forward)",
            "remote: error: denying non-fast-forward refs/heads/x (you should pull first)",
            "!\ta:b\t[remote rejected] (protected branch hook declined)",
            "remote: error: GH013: Repository rule violations found for refs/heads/x.",
            "fatal: unable to access 'https://h/': The requested URL returned error: 403",
            "fatal: Authentication failed for 'https://h/'",
            "fatal: could not read Username for 'https://h': terminal prompts disabled",
        ] {
            assert!(
                !is_transient_message(lasting) && find_refusal_help(lasting).is_some(),
                "{lasting}"
            );
        }
    }
}
