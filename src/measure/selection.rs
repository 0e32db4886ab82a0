//! Selects the benchmarks to measure, by patterns on their ids.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use thiserror::Error;

/// A pattern is not valid.
#[derive(Debug, Error)]
#[error("`{pattern}` is not a pattern")]
pub(crate) struct SelectionError {
    pattern: String,
    source: globset::Error,
}

/// Patterns of benchmark ids. Patterns with `!` exclude benchmarks, the others include them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    included: Option<GlobSet>,
    excluded: GlobSet,
}

impl Selection {
    /// Creates a selection from `patterns`.
    ///
    /// If no pattern includes benchmarks, every benchmark that is not excluded is selected. `*`
    /// matches within one part of an id, `**` matches across parts.
    ///
    /// # Errors
    ///
    /// Fails if a pattern is not valid.
    pub(crate) fn new(patterns: &[String]) -> Result<Self, SelectionError> {
        let (excluded_patterns, included): (Vec<&str>, Vec<&str>) =
            patterns.iter().map(String::as_str).partition(|pattern| pattern.starts_with('!'));
        let excluded: Vec<&str> = excluded_patterns.iter().map(|pattern| &pattern[1..]).collect();
        let included_set = (!included.is_empty()).then(|| build_glob_set(&included)).transpose()?;
        Ok(Self { included: included_set, excluded: self::build_glob_set(&excluded)? })
    }

    /// True if the benchmark `id` is selected.
    pub(crate) fn selects(&self, id: &str) -> bool {
        self.included.as_ref().is_none_or(|included| included.is_match(id))
            && !self.excluded.is_match(id)
    }

    /// True if every benchmark is selected, because there are no patterns.
    pub(crate) fn selects_all(&self) -> bool {
        self.included.is_none() && self.excluded.is_empty()
    }
}

fn build_glob_set(patterns: &[&str]) -> Result<GlobSet, SelectionError> {
    let refuse = |pattern: &str| {
        let pattern = pattern.to_owned();
        move |source| SelectionError { pattern, source }
    };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        set.add(glob.map_err(refuse(pattern))?);
    }
    set.build().map_err(refuse(&patterns.join(" ")))
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
        assert_eq!(error.to_string(), "`a[` is not a pattern");
    }
}
