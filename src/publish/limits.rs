//! The limits of GitHub on what is sent to it. GitHub counts bytes, so all of them are in bytes.

/// Limit on the body of a comment or an issue, and on the summary of a check run.
pub(crate) const BODY_LIMIT: usize = 65_535;
/// Limit on the description of a commit status.
pub(crate) const DESCRIPTION_LIMIT: usize = 140;
/// Limit on the title of an issue, a check run or an annotation.
pub(crate) const TITLE_LIMIT: usize = 255;
/// Limit on a step summary. GitHub drops a longer summary completely.
pub(crate) const SUMMARY_LIMIT: usize = 1 << 20;
/// Limit on the number of annotations in one request.
pub(crate) const ANNOTATIONS_PER_REQUEST: usize = 50;
/// Limit on the number of requests with annotations for one check run. GitHub wants a second between
/// writes, and nobody reads the two-hundredth annotation.
pub(crate) const ANNOTATION_REQUESTS: usize = 4;
/// Limit on the message of an annotation. GitHub takes 64 KiB and shows a few lines.
pub(crate) const MESSAGE_LIMIT: usize = 4 << 10;
