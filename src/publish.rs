//! What leaves for GitHub: comment, commit status, step summary, annotations, check run.
//!
//! The last step of the flow. What is said comes from decisions; where it goes comes from the event,
//! never from a file that a pull request could have written.

pub mod annotation;
#[cfg(feature = "github")]
pub mod artifact;
pub mod comment;
pub mod event;
#[cfg(feature = "github")]
pub mod github;
pub mod issues;
pub mod page;
pub mod request;
pub mod source;
pub mod summary;
