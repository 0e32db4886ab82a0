//! The trend pages.
