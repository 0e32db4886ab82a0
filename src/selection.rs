//! Selects benchmarks by patterns on their ids.
//!
//! Patterns come from the command line, from `perfgate.toml` and from commit messages. All are read
//! here, so that a pattern means the same everywhere.

use globset::{GlobBuilder, GlobMatcher};
use thiserror::Error;

/// A pattern is not valid.
#[derive(Debug, Error)]
#[error("`{pattern}` is not a pattern: {why}")]
pub(crate) struct PatternError {
    pattern: String,
    why: globset::ErrorKind,
}

/// A glob pattern for the ids of benchmarks.
#[derive(Clone, Debug)]
pub(crate) struct IdPattern(GlobMatcher);

impl IdPattern {
    /// Reads a pattern. `*` matches within one part of an id, `**` matches across parts.
    ///
    /// # Errors
    ///
    /// Fails if the pattern is not valid.
    pub(crate) fn new(pattern: &str) -> Result<Self, PatternError> {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        glob.map(|glob| Self(glob.compile_matcher())).map_err(|error| PatternError {
            pattern: pattern.to_owned(),
            why: error.kind().clone(),
        })
    }

    /// Returns the pattern as the user wrote it.
    pub(crate) fn as_str(&self) -> &str {
        self.0.glob().glob()
    }

    /// True if the pattern matches the benchmark `id`.
    pub(crate) fn matches(&self, id: &str) -> bool {
        self.0.is_match(id)
    }
}

/// Returns the id of `ids` that is most like `pattern`, which matches none of them. Returns `None`
/// if there is no id.
pub(crate) fn find_nearest_id<'a>(pattern: &str, ids: &[&'a str]) -> Option<&'a str> {
    ids.iter().copied().min_by_key(|id| strsim::damerau_levenshtein(pattern, id))
}

/// Patterns of benchmark ids. Patterns with `!` exclude benchmarks, the others include them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    included: Vec<IdPattern>,
    excluded: Vec<IdPattern>,
}

impl Selection {
    /// Creates a selection from `patterns`.
    ///
    /// If no pattern includes benchmarks, every benchmark that is not excluded is selected. The
    /// patterns are those of [`IdPattern`].
    ///
    /// # Errors
    ///
    /// Fails if a pattern is not valid.
    pub(crate) fn new(patterns: &[String]) -> Result<Self, PatternError> {
        let mut selection = Self::default();
        for pattern in patterns {
            match pattern.strip_prefix('!') {
                Some(excluded) => selection.excluded.push(IdPattern::new(excluded)?),
                None => selection.included.push(IdPattern::new(pattern)?),
            }
        }
        Ok(selection)
    }

    /// True if the benchmark `id` is selected.
    pub(crate) fn selects(&self, id: &str) -> bool {
        let is_included =
            self.included.is_empty() || self.included.iter().any(|pattern| pattern.matches(id));
        is_included && !self.excluded.iter().any(|pattern| pattern.matches(id))
    }

    /// True if every benchmark is selected, because there are no patterns.
    pub(crate) fn selects_all(&self) -> bool {
        self.included.is_empty() && self.excluded.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn selected(patterns: &[&str], ids: &[&str]) -> String {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
        let selection = Selection::new(&patterns).unwrap();
        let selected = ids.iter().copied().filter(|id| selection.selects(id));
        selected.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn patterns_select_and_leave_out() {
        let ids = ["a", "a/b", "a/b/c", "d/b"];
        assert_eq!(selected(&[], &ids), "a a/b a/b/c d/b");
        assert_eq!(selected(&["a/**"], &ids), "a/b a/b/c");
        assert_eq!(selected(&["*"], &ids), "a");
        assert_eq!(selected(&["!a/**"], &ids), "a d/b");
        assert_eq!(selected(&["**", "!**/b"], &ids), "a a/b/c");
        assert_eq!(selected(&["d/b", "a"], &ids), "a d/b");
    }

    #[test]
    fn a_pattern_that_is_none_is_refused_by_name() {
        let error = Selection::new(&["a[".to_owned()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a[` is not a pattern: unclosed character class; missing ']'"
        );
    }
}
