//! What publishing achieved. Each kind of publication is tried, whatever happened to the others.

/// The outcome of all kinds of publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PublishOutcome {
    /// What the user should know: what GitHub refused, with the permission that the job lacks, and
    /// why something was not written.
    pub(crate) notices: Vec<String>,
    /// What failed for another reason than a refusal: the kind of publication, and why it failed.
    pub(crate) failures: Vec<String>,
}

impl PublishOutcome {
    /// Adds the failure of one kind of publication, if `tried` is one.
    pub(crate) fn note_failure<T, E: std::fmt::Display>(
        &mut self,
        kind: &str,
        tried: Result<T, E>,
    ) -> Option<T> {
        tried.map_err(|error| self.failures.push(format!("{kind}: {error}"))).ok()
    }

    /// Adds the notices and the failures of `other`.
    pub(crate) fn extend(&mut self, other: Self) {
        self.notices.extend(other.notices);
        self.failures.extend(other.failures);
    }
}
