//! Selects benchmarks by patterns on their ids.
//!
//! Patterns come from the command line, from `perfgate.toml` and from commit messages. All are read
//! here, so that a pattern means the same everywhere.

use globset::{GlobBuilder, GlobMatcher};
use thiserror::Error;

/// Maximum number of ids that are named as similar to a pattern.
const MAX_NEAREST: usize = 3;

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

    /// True if the pattern matches the benchmark `id`.
    pub(crate) fn matches(&self, id: &str) -> bool {
        self.0.is_match(id)
    }
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

    /// Returns the `ids` that are most similar to the patterns, the most similar first.
    ///
    /// A pattern is compared with the stretches of an id that have as many parts.
    pub(crate) fn find_nearest_ids<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Vec<String> {
        let patterns: Vec<&str> =
            self.included.iter().map(|pattern| pattern.0.glob().glob()).collect();
        let distance = |id: &str| {
            patterns.iter().map(|pattern| measure_distance(pattern, id)).min().unwrap_or(0)
        };
        let mut ranked: Vec<(usize, &str)> = ids.map(|id| (distance(id), id)).collect();
        ranked.sort_unstable();
        ranked.dedup();
        ranked.into_iter().take(MAX_NEAREST).map(|(_, id)| id.to_owned()).collect()
    }

    /// True if every benchmark is selected, because there are no patterns.
    pub(crate) fn selects_all(&self) -> bool {
        self.included.is_empty() && self.excluded.is_empty()
    }
}

/// Returns how many letters of the pattern differ from an id. Parts of the pattern that match
/// anything are left out.
fn measure_distance(pattern: &str, id: &str) -> usize {
    let literal = pattern.trim_matches(['*', '/']);
    let parts: Vec<&str> = id.split('/').collect();
    let length = (literal.matches('/').count() + 1).min(parts.len());
    let stretches = parts.windows(length).map(|stretch| stretch.join("/"));
    stretches.map(|stretch| strsim::damerau_levenshtein(literal, &stretch)).min().unwrap_or(0)
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
    fn the_ids_nearest_to_a_pattern_are_named() {
        let nearest = |pattern: &str| {
            let ids = ["order/sort/10", "order/sort/20", "order/shuffled/10", "sum", "fold"];
            Selection::new(&[pattern.to_owned()]).unwrap().find_nearest_ids(ids.into_iter())
        };
        assert_eq!(nearest("shuffle/**")[0], "order/shuffled/10");
        assert_eq!(nearest("order/shuffle/**")[0], "order/shuffled/10");
        assert_eq!(nearest("order/sort/1")[..2], ["order/sort/10", "order/sort/20"]);
        assert_eq!(nearest("!**"), ["fold", "order/shuffled/10", "order/sort/10"]);
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
