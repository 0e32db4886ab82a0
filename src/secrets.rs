//! What the processes that perfgate starts must not see of its environment.

use std::env;
use std::ffi::OsString;
use std::process::Command;

/// Tokens, and the files through which a step of a workflow changes later steps.
const SECRET_VARIABLES: [&str; 7] = [
    "GITHUB_TOKEN",
    "PERFGATE_TOKEN",
    "GITHUB_ENV",
    "GITHUB_PATH",
    "GITHUB_OUTPUT",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
];

/// Start of the names of all variables that give access to GitHub's services for a job: its cache,
/// its artifacts, its identity.
const SECRET_PREFIX: &str = "ACTIONS_";

/// Removes tokens and the command files of the workflow from the environment of `command`.
///
/// Build scripts, benches and git hooks run code of the change that is judged.
pub(crate) fn hide_secrets(command: &mut Command) {
    for name in list_secret_variables() {
        command.env_remove(name);
    }
}

/// Returns the names of the variables that are hidden.
pub(crate) fn list_secret_variables() -> impl Iterator<Item = OsString> {
    let services = env::vars_os().map(|(name, _)| name);
    let services = services.filter(|name| name.to_string_lossy().starts_with(SECRET_PREFIX));
    SECRET_VARIABLES.into_iter().map(OsString::from).chain(services)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_the_files_of_a_workflow_are_hidden() {
        let mut command = Command::new("true");
        command.env("GITHUB_TOKEN", "secret").env("GITHUB_SHA", "kept");
        hide_secrets(&mut command);
        let left: Vec<_> = command.get_envs().filter(|(_, value)| value.is_some()).collect();
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(left[0].0, "GITHUB_SHA");
    }
}
