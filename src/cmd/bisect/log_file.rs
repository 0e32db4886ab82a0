//! The log of a search as a file.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::bisect::{BisectLog, BisectRequest, LogError, SearchLog};
use crate::files;
use crate::session::{CommandError, print};

/// The log and its file, which is written after every step.
pub(super) struct LogFile {
    path: PathBuf,
    log: BisectLog,
}

impl LogFile {
    /// Takes up the log at `path` if it is of the same `request`. Begins a new one otherwise, or if
    /// `is_restart`.
    ///
    /// # Errors
    ///
    /// Fails if there is a file that cannot be read or is not a log.
    pub(super) fn open(path: &Path, request: BisectRequest, is_restart: bool) -> Result<Self> {
        let begin = |request| Self { path: path.to_owned(), log: BisectLog::new(request) };
        if is_restart {
            return Ok(begin(request));
        }
        let json = match files::read_plain_file(path) {
            Ok(json) => json,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(begin(request)),
            Err(error) => return Err(explain_log_error(path, &error.into())),
        };
        let log =
            BisectLog::from_json(&json).map_err(|error| explain_log_error(path, &error.into()))?;
        if log.request != request {
            print::print_note(&format!(
                "`{}` is the log of another search, and is replaced",
                path.display()
            ));
            return Ok(begin(request));
        }
        print::print_note(&format!("going on with the search in `{}`", path.display()));
        Ok(Self { path: path.to_owned(), log })
    }

    /// Returns the search at this depth between two commits, as far as it is logged. A logged search
    /// between others, and all that follow it, are dropped.
    pub(super) fn take_up(&mut self, depth: usize, good: &str, bad: &str) -> &mut SearchLog {
        let searches = &mut self.log.searches;
        let is_same = |search: &SearchLog| search.good == good && search.bad == bad;
        if !searches.get(depth).is_some_and(is_same) {
            searches.truncate(depth);
            searches.push(SearchLog::new(good.to_owned(), bad.to_owned()));
        }
        let last = depth.min(searches.len() - 1);
        &mut searches[last]
    }

    /// Returns the search at this depth, which was taken up.
    pub(super) fn search_at(&mut self, depth: usize) -> &mut SearchLog {
        &mut self.log.searches[depth]
    }

    /// Returns the error that what is logged contradicts the history.
    pub(super) fn explain_contradiction(&self, error: LogError) -> anyhow::Error {
        explain_log_error(&self.path, &error.into())
    }

    /// Writes the log.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub(super) fn write(&self) -> Result<()> {
        let json = serde_json::to_vec_pretty(&self.log)?;
        files::write_atomically(&self.path, &json)
            .with_context(|| format!("failed to write `{}`", self.path.display()))
    }
}

fn explain_log_error(path: &Path, error: &anyhow::Error) -> anyhow::Error {
    CommandError::new_usage(format!("failed to go on with the log `{}`: {error}", path.display()))
        .with_help("--restart begins again, and --log names another file")
        .into()
}
