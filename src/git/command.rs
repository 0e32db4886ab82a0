//! Runs the user's own `git`, which has their filters, credentials and proxies.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{GitError, GitToken};
use crate::secrets::hide_secrets;

/// Variables that would point git to another repository than the one it is started in.
///
/// Hooks set them. The list is the output of `git rev-parse --local-env-vars` without the variables
/// that carry configuration.
const REPOSITORY_VARIABLES: [&str; 13] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Aborts a transfer that brings fewer bytes per second than the first number, for as many seconds
/// as the second.
const LOW_SPEED_LIMIT: (&str, &str) = ("1000", "30");

/// Setting that keeps git from running hooks.
const NO_HOOKS: &str = "core.hooksPath=/dev/null";

/// The user's git, started in one folder, without hooks and without perfgate's tokens.
pub(super) struct GitCommand<'a> {
    folder: &'a Path,
    config: Vec<(String, String)>,
    token: Option<&'a GitToken>,
    index: Option<&'a Path>,
}

impl<'a> GitCommand<'a> {
    pub(super) fn new(folder: &'a Path) -> Self {
        Self { folder, config: Vec::new(), token: None, index: None }
    }

    /// Authorizes the command with `token` at the server of `url` and nowhere else.
    pub(super) fn with_token(mut self, token: Option<&'a GitToken>, url: &str) -> Self {
        if let Some((token, server)) =
            token.and_then(|token| Some((token, token.find_allowed_server(url)?)))
        {
            let key = format!("http.{server}.extraheader");
            // The empty value drops the header that actions/checkout leaves behind: a server that
            // receives two such headers answers 400.
            self.config.push((key.clone(), String::new()));
            self.config.push((key, token.authorization_header()));
            self.token = Some(token);
        }
        self
    }

    /// Lets the command use the file `index` in place of the index of the repository.
    pub(super) fn with_index(mut self, index: &'a Path) -> Self {
        self.index = Some(index);
        self
    }

    /// Returns the standard output of the command.
    ///
    /// Fails with [`GitError::CommandFailed`] if it exits with an error, and with
    /// [`GitError::NoGit`] if `git` cannot be started.
    pub(super) fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<String, GitError> {
        let (output, error_output) = self.try_run(arguments)?;
        match error_output {
            None => Ok(output),
            Some(message) => {
                let words = arguments.iter().map(|word| word.as_ref().to_string_lossy());
                let command = words.filter(|word| !word.starts_with('-')).take(2);
                let command = command.collect::<Vec<_>>().join(" ");
                Err(GitError::CommandFailed { command, message })
            }
        }
    }

    /// Returns the standard output of the command and, if it failed, its error message without
    /// credentials.
    ///
    /// Fails with [`GitError::NoGit`] if `git` cannot be started.
    pub(super) fn try_run<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
    ) -> Result<(String, Option<String>), GitError> {
        let mut command = Command::new("git");
        for pointer in REPOSITORY_VARIABLES {
            command.env_remove(pointer);
        }
        hide_secrets(&mut command);
        // Hooks are code of whoever wrote to the clone, and a checkout for a measurement is not
        // what they are for.
        command.args(["-c", NO_HOOKS]);
        if let Some(index) = self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        // Pass configuration in the environment: other users of the machine can read arguments.
        let existing_count =
            std::env::var("GIT_CONFIG_COUNT").ok().and_then(|count| count.parse().ok());
        let first_index: usize = existing_count.unwrap_or(0);
        for (place, (key, value)) in self.config.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{}", first_index + place), key);
            command.env(format!("GIT_CONFIG_VALUE_{}", first_index + place), value);
        }
        if !self.config.is_empty() {
            command.env("GIT_CONFIG_COUNT", (first_index + self.config.len()).to_string());
        }
        for (name, value) in [
            ("GIT_HTTP_LOW_SPEED_LIMIT", LOW_SPEED_LIMIT.0),
            ("GIT_HTTP_LOW_SPEED_TIME", LOW_SPEED_LIMIT.1),
            // Nobody would see a question on the terminal, and git would wait for an answer.
            ("GIT_TERMINAL_PROMPT", "0"),
        ] {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        command.env("LC_ALL", "C").arg("-C").arg(self.folder).args(arguments);
        let output = command.stdin(Stdio::null()).output().map_err(GitError::NoGit)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error_output = (!output.status.success()).then(|| {
            let complaint = String::from_utf8_lossy(&output.stderr);
            self.hide_secrets(&format!("{}\n{}", text.trim(), complaint.trim()))
        });
        Ok((text, error_output))
    }

    fn hide_secrets(&self, message: &str) -> String {
        let mut clean = hide_user_info(message.trim());
        if let Some(token) = self.token {
            clean = token.hide_in(&clean);
        }
        clean
    }
}

/// Replaces user names and passwords in addresses: `https://user:secret@host` becomes
/// `https://***@host`.
pub(crate) fn hide_user_info(message: &str) -> String {
    let mut clean = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(place) = rest.find("://") {
        let (before, after) = rest.split_at(place + 3);
        clean.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/'\"".contains(c));
        let authority = &after[..end.unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => {
                clean.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_addresses_are_hidden() {
        let hidden =
            hide_user_info("fatal: 'https://me:s3cret@host/x' and ssh://git@h/y, no://h/a@b");
        assert_eq!(hidden, "fatal: 'https://***@host/x' and ssh://***@h/y, no://h/a@b");
    }
}
