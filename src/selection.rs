//! Selects benchmarks by patterns on their ids.
//!
//! Patterns come from the command line, from `perfgate.toml` and from commit messages. All are read
//! here, so that a pattern means the same everywhere.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

use crate::text::cut_text;

/// Maximum number of ids that are named as similar to a pattern.
const MAX_NEAREST: usize = 3;

/// Longest pattern in bytes. Longer ones are mistakes or attacks, and reading nested braces takes
/// stack.
const MAX_PATTERN_BYTES: usize = 2000;

/// Number of bytes of a pattern that a message shows.
const MAX_SHOWN_BYTES: usize = 60;

/// A pattern is not valid.
#[derive(Debug, Error)]
#[error("`{shown}` is not a pattern: {why}")]
pub(crate) struct PatternError {
    /// The pattern, cut to a length that a message can show.
    shown: String,
    why: String,
}

/// A glob pattern for the ids of benchmarks.
#[derive(Clone, Debug)]
pub(crate) struct IdPattern {
    text: String,
    matcher: GlobSet,
}

impl IdPattern {
    /// Reads a pattern. `*` matches within one part of an id, `**` matches across parts.
    ///
    /// # Errors
    ///
    /// Fails if the pattern is not valid, is too long, or is nested too deeply to be compiled.
    pub(crate) fn new(pattern: &str) -> Result<Self, PatternError> {
        let refuse = |why: String| PatternError { shown: cut_text(pattern, MAX_SHOWN_BYTES), why };
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(refuse(format!("it is longer than {MAX_PATTERN_BYTES} bytes")));
        }
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob = glob.map_err(|error| refuse(error.kind().to_string()))?;
        // A set reports what cannot be compiled; a single matcher would panic.
        let set = GlobSetBuilder::new().add(glob).build();
        let matcher = set.map_err(|_| refuse("it is too complex".to_owned()))?;
        Ok(Self { text: pattern.to_owned(), matcher })
    }

    /// Returns the pattern as the user wrote it.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// True if the pattern has characters that stand for others.
    pub(crate) fn is_glob(&self) -> bool {
        self.text.contains(['*', '?', '[', '{', '\\'])
    }

    /// True if the pattern matches the benchmark `id`, or is this id.
    pub(crate) fn matches(&self, id: &str) -> bool {
        self.text == id || self.matcher.is_match(id)
    }
}

/// Returns the id of `ids` that is most like `pattern`, which matches none of them. Returns `None`
/// if there is no id.
pub(crate) fn find_nearest_id<'a>(pattern: &str, ids: &[&'a str]) -> Option<&'a str> {
    ids.iter().copied().min_by_key(|id| measure_distance(pattern, id))
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
        let distance = |id: &str| {
            let distances = self.included.iter().map(|one| measure_distance(one.as_str(), id));
            distances.min().unwrap_or(0)
        };
        let mut ranked: Vec<(usize, &str)> = ids.map(|id| (distance(id), id)).collect();
        ranked.sort_unstable();
        ranked.dedup();
        ranked.into_iter().take(MAX_NEAREST).map(|(_, id)| id.to_owned()).collect()
    }

    /// Returns the patterns as they are written on a command line.
    pub(crate) fn list_patterns(&self) -> Vec<String> {
        let excluded = self.excluded.iter().map(|pattern| format!("!{}", pattern.as_str()));
        let included = self.included.iter().map(|pattern| pattern.as_str().to_owned());
        included.chain(excluded).collect()
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
    fn an_exact_id_with_brackets_matches_itself() {
        let ids = ["sort[10]", "sort1", "map{k}", "mapk", "what?"];
        assert_eq!(selected(&["sort[10]"], &ids), "sort[10] sort1");
        assert_eq!(selected(&["map{k}"], &ids), "map{k} mapk");
        assert_eq!(selected(&["!sort[10]", "!what?"], &ids), "map{k} mapk");
    }

    #[test]
    fn braces_nested_260_deep_are_refused_and_do_not_panic() {
        let nested = format!("{}a{}", "{".repeat(260), "}".repeat(260));
        let message = IdPattern::new(&nested).unwrap_err().to_string();
        assert!(message.ends_with("…` is not a pattern: it is too complex"), "{message}");
        let message = IdPattern::new(&"{".repeat(1_000_000)).unwrap_err().to_string();
        assert!(message.ends_with("it is longer than 2000 bytes"), "{message}");
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
