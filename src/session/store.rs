//! The store of baselines that a command names.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::error::CommandError;
use crate::store::{DEFAULT_STORE_URL, Store, StoreError};

/// The store of baselines of a command, which is opened when it is first needed, and at most once.
pub(crate) struct SessionStore {
    /// Address that the command line or the configuration names; `None` for the default store.
    url: Option<String>,
    /// Folder that relative paths start from. A git store is in its repository.
    folder: PathBuf,
    opened: OnceCell<Store>,
}

impl SessionStore {
    /// Returns the store at `url`, or the default store if it is `None`, without opening it.
    pub(crate) fn new(url: Option<&str>, folder: &Path) -> Self {
        Self { url: url.map(str::to_owned), folder: folder.to_owned(), opened: OnceCell::new() }
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
