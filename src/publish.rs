//! Publishes results on GitHub: comment, commit status, step summary, annotations, check run,
//! issues.
//!
//! This is the last step of the flow. The content comes from decisions. The destination comes from
//! the event, never from a file that a pull request could have written.

#[cfg(feature = "github")]
pub(crate) mod artifact;
pub(crate) mod event;
pub(crate) mod limits;
pub(crate) mod outcome;
pub(crate) mod issues;
pub(crate) mod page;
pub(crate) mod comment;
pub(crate) mod source;
pub(crate) mod annotation;
pub(crate) mod summary;
pub(crate) mod request;
#[cfg(feature = "github")]
pub(crate) mod github;
