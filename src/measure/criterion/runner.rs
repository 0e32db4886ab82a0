//! The program that Cargo's configuration names for starting benches: a runner.
//!
//! While perfgate builds the benches, Cargo starts perfgate in place of that runner. Later perfgate
//! starts the benches itself, through the user's runner.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_config2::{Config, PathAndArgs, ResolveOptions};
use tempfile::TempDir;

use super::environment::{BenchEnvironment, RECORDS_VARIABLE};
use crate::note::Note;
use crate::process::Interrupt;
use crate::secrets::{hide_secrets, list_secret_variables};

/// Name of the command of perfgate that records the environment of a bench.
const RECORD_COMMAND: &str = "record-environment";

/// A folder for links whose path has no spaces, whatever the user's folders are called.
const PLAIN_FOLDER: &str = "/tmp";

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

/// What Cargo starts in place of each bench: perfgate, which records the environment of the bench.
pub(super) struct RecorderProgram<'a> {
    /// Path of perfgate. It has no spaces, because Cargo splits the variable of a runner there.
    path: PathBuf,
    /// Folder of the records.
    records: &'a Path,
    /// The folder of the link to perfgate, if one is needed.
    _link_folder: Option<TempDir>,
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

impl<'a> RecorderProgram<'a> {
    /// Makes sure that `program` has a path without spaces, with a link if its own path has some.
    ///
    /// # Errors
    ///
    /// Fails if no folder without spaces can be created for the link.
    pub(super) fn place(
        program: &Path,
        records: &'a Path,
        interrupt: &Interrupt,
    ) -> io::Result<Self> {
        if is_one_word(program) {
            return Ok(Self { path: program.to_owned(), records, _link_folder: None });
        }
        let mut folder = interrupt.create_temporary_folder()?;
        if !is_one_word(folder.path()) {
            folder = tempfile::tempdir_in(PLAIN_FOLDER)?;
            interrupt.guard_folder(folder.path());
        }
        let path = folder.path().join("perfgate");
        symlink(program, &path)?;
        Ok(Self { path, records, _link_folder: Some(folder) })
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
        let config = Config::load_with_cwd(&folder);
        let configured = config.as_ref().ok().map(|config| Command::from(config.rustc()));
        let host = match configured.and_then(|rustc| query_host_triple(rustc, &folder).ok()) {
            Some(Some(host)) => Some(host),
            _ => query_host_triple(Command::new("rustc"), &folder)?,
        };
        let host = host.unwrap_or_else(|| "host".to_owned());
        match config.and_then(|config| Self::resolve(&config, &folder, &host)) {
            Ok(runners) => Ok((runners, None)),
            Err(error) => {
                let note = Note::RunnerUnknown { cause: error.to_string() };
                Ok((Self { triples: vec![host], runner: None }, Some(note)))
            }
        }
    }

    /// Reads the configuration of `folder` again, for builds on the platform `host`. `config` names
    /// the compiler, which may be a program of the commit: it starts without secrets.
    fn resolve(config: &Config, folder: &Path, host: &str) -> Result<Self, cargo_config2::Error> {
        let rustc = without_secrets(config.rustc());
        let options = ResolveOptions::default().rustc(rustc).host_triple(host);
        let config = Config::load_with_options(folder, options)?;
        let targets = config.build_target_for_config::<_, &str>([])?;
        // With several platforms Cargo starts each bench once per platform; the first one counts.
        let runner = targets.first().map(|target| config.runner(target)).transpose()?.flatten();
        let triples = targets.iter().map(|target| target.triple().to_owned()).collect();
        Ok(Self { triples, runner: runner.map(BenchRunner::from) })
    }

    /// Makes `cargo` start `recorder` in place of each bench.
    pub(super) fn redirect(&self, cargo: &mut Command, recorder: &RecorderProgram<'_>) {
        cargo.env(RECORDS_VARIABLE, recorder.records);
        let mut words = recorder.path.clone().into_os_string();
        words.push(" ");
        words.push(RECORD_COMMAND);
        for triple in &self.triples {
            // The variable replaces whatever the files contain. A `--config` argument does not: Cargo
            // cannot merge a text with a list.
            cargo.env(name_runner_variable(triple), &words);
        }
    }

    /// Gives the variables that [`RunnerConfig::redirect`] sets the values in `environment` that
    /// they have for perfgate.
    pub(super) fn restore_variables(&self, environment: &mut BenchEnvironment) {
        let names = self.triples.iter().map(|triple| name_runner_variable(triple));
        for name in names.chain([RECORDS_VARIABLE.to_owned()]) {
            let name = OsString::from(name);
            environment.variables.retain(|(other, _)| *other != name);
            let value = env::var_os(&name);
            environment.variables.extend(value.map(|value| (name, value)));
        }
    }
}

/// Returns whether Cargo reads `path` as a single word in the variable of a runner.
fn is_one_word(path: &Path) -> bool {
    path.to_str().is_some_and(|path| !path.contains(char::is_whitespace))
}

/// Returns the platform that the compiler `rustc` in `folder` builds for by default, or `None` if
/// it names none.
///
/// # Errors
///
/// Fails if the compiler cannot be started.
fn query_host_triple(mut rustc: Command, folder: &Path) -> io::Result<Option<String>> {
    hide_secrets(&mut rustc);
    let output = rustc.arg("-vV").current_dir(folder).output()?;
    let version = String::from_utf8_lossy(&output.stdout);
    Ok(version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned))
}

/// Returns a program that starts `program` without tokens and the command files of a workflow.
fn without_secrets(program: &PathAndArgs) -> PathAndArgs {
    let mut command = PathAndArgs::new("env");
    for name in list_secret_variables() {
        command.arg("-u").arg(name);
    }
    // `env` itself would read a path that contains `=` as a variable.
    command.arg("sh").arg("-c").arg("exec \"$@\"").arg("sh").arg(&program.path);
    program.args.iter().fold(&mut command, |command, word| command.arg(word)).clone()
}

/// Returns the name of Cargo's environment variable for the runner of a platform.
fn name_runner_variable(triple: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", triple.to_uppercase().replace(['-', '.'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_is_set_by_variables_that_cargo_does_not_split() {
        let place = tempfile::tempdir().unwrap();
        let records = place.path().join("my records");
        let triples = vec!["x86_64-unknown-linux-gnu".to_owned(), "thumbv8m.main-x".to_owned()];
        let config = RunnerConfig { triples, runner: None };
        for program in ["/bin/perfgate", "/my tools/perfgate"] {
            let interrupt = Interrupt::default();
            let recorder =
                RecorderProgram::place(Path::new(program), &records, &interrupt).unwrap();
            let mut cargo = Command::new("cargo");
            config.redirect(&mut cargo, &recorder);
            assert_eq!(cargo.get_args().count(), 0);
            let mut variables = cargo.get_envs();
            for name in [
                "CARGO_TARGET_THUMBV8M_MAIN_X_RUNNER",
                "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER",
            ] {
                let (found, value) = variables.next().unwrap();
                assert_eq!(found, name);
                let words: Vec<_> = value.unwrap().to_str().unwrap().split_whitespace().collect();
                assert_eq!(words[1..], [RECORD_COMMAND]);
                let named = std::fs::read_link(words[0]).unwrap_or_else(|_| words[0].into());
                assert_eq!(named, Path::new(program));
            }
            assert_eq!(
                variables.next(),
                Some((RECORDS_VARIABLE.as_ref(), Some(records.as_os_str())))
            );
        }
    }
}
