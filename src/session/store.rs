//! The store of baselines that a command names.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::error::CommandError;
use crate::cli::StoreArgs;
use crate::policy::Config;
use crate::store::{DEFAULT_STORE_URL, Store, StoreError};

/// The store of baselines of a command, which is opened when it is first needed, and at most once.
pub(crate) struct SessionStore {
    /// Address that the command line or the configuration names; `None` for the default store.
    url: Option<String>,
    /// Folder that relative paths start from: the current one if the command line names the store,
    /// else that of the configuration. A git store is in its repository.
    folder: PathBuf,
    opened: OnceCell<Store>,
}

impl SessionStore {
    /// Returns the store that the command line names, else the configuration at `config_path`, else
    /// the default store, without opening it. A git store is in the repository around `folder`. This
    /// is the one place that chooses the store of a command.
    ///
    /// # Errors
    ///
    /// Fails if the address is not that of a store, even if the command never opens it.
    pub(crate) fn resolve(
        args: &StoreArgs,
        config: &Config,
        config_path: &Path,
        folder: &Path,
    ) -> Result<Self> {
        let url = args.store.as_ref().or(config.store.url.as_ref()).cloned();
        if let Some(url) = &url {
            Store::check_url(url).map_err(CommandError::from)?;
        }
        // The same words name the same folder in every command that runs there.
        let is_folder = url.as_ref().is_some_and(|url| url.starts_with("dir:"));
        let folder = match config_path.parent() {
            _ if !is_folder => folder,
            Some(beside) if args.store.is_none() && !beside.as_os_str().is_empty() => beside,
            _ => Path::new("."),
        };
        Ok(Self { url, folder: folder.to_owned(), opened: OnceCell::new() })
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// Fails with [`StoreError::NoRepository`] if a git store is outside a repository, or if the
    /// store cannot be opened.
    pub(crate) fn open(&self) -> Result<&Store, StoreError> {
        if let Some(store) = self.opened.get() {
            return Ok(store);
        }
        let store = Store::open(self.url.as_deref().unwrap_or(DEFAULT_STORE_URL), &self.folder)?;
        Ok(self.opened.get_or_init(|| store))
    }

    /// Opens the store. Returns `None` outside a repository if no store is named.
    ///
    /// # Errors
    ///
    /// Fails if a named store or the repository cannot be opened.
    pub(crate) fn open_if_present(&self) -> Result<Option<&Store>> {
        match self.open() {
            Ok(store) => Ok(Some(store)),
            Err(StoreError::NoRepository { .. }) if self.url.is_none() => Ok(None),
            Err(error) => Err(CommandError::from(error).into()),
        }
    }
}
