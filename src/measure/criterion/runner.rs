//! The program that Cargo's configuration names for starting benches: a runner.
//!
//! While perfgate builds the benches, Cargo starts perfgate in place of that runner. Later perfgate
//! starts the benches itself, through the user's runner.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Command;

use cargo_config2::{Config, PathAndArgs};

use super::environment::BenchEnvironment;
use crate::note::Note;

/// A program and its arguments, which start a bench. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BenchRunner(Vec<OsString>);

/// What Cargo's configuration sets for starting benches.
pub(super) struct RunnerConfig {
    /// The platforms that Cargo builds for, usually the host alone. Never empty.
    triples: Vec<String>,
    /// The user's runner; `None` if benches start without one.
    pub(super) runner: Option<BenchRunner>,
}

impl BenchRunner {
    /// Returns the command that starts `executable` through this runner.
    pub(super) fn build_command(&self, executable: &Path) -> Command {
        let mut command = Command::new(&self.0[0]);
        command.args(&self.0[1..]).arg(executable);
        command
    }

    /// Returns the program and its arguments.
    pub(super) fn words(&self) -> &[OsString] {
        &self.0
    }

    /// Returns the program and its arguments as one text for messages.
    pub(super) fn describe(&self) -> String {
        self.0.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}

impl From<PathAndArgs> for BenchRunner {
    fn from(configured: PathAndArgs) -> Self {
        Self([configured.path.into_os_string()].into_iter().chain(configured.args).collect())
    }
}

impl RunnerConfig {
    /// Reads Cargo's configuration as Cargo does in `folder`: files, environment variables,
    /// platforms and `cfg(…)`. Relative paths become absolute. If the configuration cannot be read,
    /// there is no runner, and a note with the cause.
    ///
    /// # Errors
    ///
    /// Fails if the current folder is not known or the compiler cannot be started.
    pub(super) fn read(folder: &Path) -> io::Result<(Self, Option<Note>)> {
        let folder = env::current_dir()?.join(folder);
        match Self::load(&folder) {
            Ok(runners) => Ok((runners, None)),
            Err(error) => {
                let rustc = Command::new("rustc").arg("-vV").current_dir(folder).output()?;
                let version = String::from_utf8_lossy(&rustc.stdout);
                let host = version.lines().find_map(|line| line.strip_prefix("host: "));
                let triples = vec![host.unwrap_or("host").to_owned()];
                let note = Note::RunnerUnknown { cause: error.to_string() };
                Ok((Self { triples, runner: None }, Some(note)))
            }
        }
    }

    fn load(folder: &Path) -> Result<Self, cargo_config2::Error> {
        let config = Config::load_with_cwd(folder)?;
        let targets = config.build_target_for_config::<_, &str>([])?;
        // With several platforms Cargo starts each bench once per platform; the first one counts.
        let runner = targets.first().map(|target| config.runner(target)).transpose()?.flatten();
        let triples = targets.iter().map(|target| target.triple().to_owned()).collect();
        Ok(Self { triples, runner: runner.map(BenchRunner::from) })
    }

    /// Makes `cargo` start `words` in place of each bench.
    ///
    /// # Errors
    ///
    /// Fails if the words cannot be written as TOML.
    pub(super) fn redirect(&self, cargo: &mut Command, words: &[&str]) -> io::Result<()> {
        for triple in &self.triples {
            // The variable replaces whatever the files contain, also text by a list, which cannot
            // be merged. But Cargo splits it at white space.
            if words.iter().any(|word| word.contains(char::is_whitespace)) {
                // A list of strings is written in the same way in TOML and in JSON.
                let list = serde_json::to_string(words)?;
                cargo.arg("--config").arg(format!("target.{triple}.runner={list}"));
                cargo.env_remove(name_runner_variable(triple));
            } else {
                cargo.env(name_runner_variable(triple), words.join(" "));
            }
        }
        Ok(())
    }

    /// Gives the variables of the runner in `environment` the values that they have for perfgate.
    pub(super) fn restore_variables(&self, environment: &mut BenchEnvironment) {
        for name in self.triples.iter().map(|triple| name_runner_variable(triple)) {
            let name = OsString::from(name);
            environment.variables.retain(|(other, _)| *other != name);
            let value = env::var_os(&name);
            environment.variables.extend(value.map(|value| (name, value)));
        }
    }
}

/// Returns the name of Cargo's environment variable for the runner of a platform.
fn name_runner_variable(triple: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace(['-', '.'], "_"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[track_caller]
    fn set(words: &[&str]) -> (Vec<String>, Vec<(String, Option<String>)>) {
        let triples = vec!["x86_64-unknown-linux-gnu".to_owned(), "thumbv8m.main-x".to_owned()];
        let config = RunnerConfig { triples, runner: None };
        let mut cargo = Command::new("cargo");
        config.redirect(&mut cargo, words).unwrap();
        let to_text = |text: &OsStr| text.to_string_lossy().into_owned();
        let variables = cargo.get_envs().map(|(name, value)| (to_text(name), value.map(to_text)));
        (cargo.get_args().map(to_text).collect(), variables.collect())
    }

    #[test]
    fn a_runner_is_set_by_variables_unless_its_words_have_spaces() {
        let (arguments, variables) = set(&["/bin/perfgate", "record", "/tmp/x"]);
        let value = Some("/bin/perfgate record /tmp/x".to_owned());
        let names =
            ["CARGO_TARGET_THUMBV8M_MAIN_X_RUNNER", "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER"];
        assert!(arguments.is_empty(), "{arguments:?}");
        assert_eq!(variables, names.map(|name| (name.to_owned(), value.clone())));
        let (arguments, variables) = set(&["/my tools/perfgate", "record"]);
        let list = r#"runner=["/my tools/perfgate","record"]"#;
        assert_eq!(arguments[1], format!("target.x86_64-unknown-linux-gnu.{list}"));
        assert_eq!(variables, names.map(|name| (name.to_owned(), None)));
    }
}
