//! Finds the line that declares a benchmark, by the benchmark's name in the sources of the benches.

use std::collections::HashMap;

/// Source file of a bench.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Path from the repository's root, with `/` as separator.
    pub(crate) path: String,
    /// Content of the file.
    pub(crate) text: String,
}

/// A line in a source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceLocation {
    /// Path from the repository's root, with `/` as separator.
    pub(crate) path: String,
    /// Line number, from 1.
    pub(crate) line: u32,
}

/// The string literals of the sources, each with its line. Thousands of benchmarks are looked up, so
/// the sources are read once.
pub(crate) struct SourceIndex<'a> {
    /// The place of each literal; `None` if it is on more than one line.
    places: HashMap<&'a str, Option<(&'a str, u32)>>,
}

impl<'a> SourceIndex<'a> {
    /// Reads the literals of `sources`, outside of comment lines.
    pub(crate) fn new(sources: &'a [SourceFile]) -> Self {
        let mut places: HashMap<&'a str, Option<(&'a str, u32)>> = HashMap::new();
        for file in sources {
            let lines = (1..).zip(file.text.lines());
            for (line, text) in lines.filter(|(_, line)| !line.trim_start().starts_with("//")) {
                let place = (file.path.as_str(), line);
                for literal in list_literals(text) {
                    let known = places.entry(literal).or_insert(Some(place));
                    known.take_if(|known| *known != place);
                }
            }
        }
        Self { places }
    }

    /// Returns the only line that contains the benchmark's id, or the longest possible beginning of
    /// the id, as a string literal.
    ///
    /// Criterion builds an id from the names of group, function and parameter, so that the beginning
    /// is the group. Returns `None` if no beginning is on exactly one line: a wrong line is worse
    /// than no line.
    pub(crate) fn locate_benchmark(&self, id: &str) -> Option<SourceLocation> {
        let ends = id.rmatch_indices('/').map(|(end, _)| end);
        let mut beginnings = [id.len()]
            .into_iter()
            .chain(ends)
            .map(|end| &id[..end])
            .filter(|name| !name.is_empty());
        let (path, line) = beginnings.find_map(|name| self.places.get(name).copied().flatten())?;
        Some(SourceLocation { path: path.to_owned(), line })
    }
}

/// Returns what stands between quotes on a line. What stands between two literals is in it too, and
/// does no harm.
fn list_literals(line: &str) -> impl Iterator<Item = &str> {
    let mut parts = line.split('"').skip(1).peekable();
    std::iter::from_fn(move || {
        let part = parts.next()?;
        // The last part has no quote at its end.
        parts.peek().map(|_| part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<SourceFile> {
        let file =
            |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        vec![
            file(
                "benches/a.rs",
                "// \"graph/batch\"\nfn x() {\n  c.benchmark_group(\"graph/batch\");\n}",
            ),
            file(
                "benches/b.rs",
                "c.bench_function(\"twice\");\nc.bench_function(\"twice\");\ng(\"t\")",
            ),
        ]
    }

    #[track_caller]
    fn located(id: &str, expected: Option<(&str, u32)>) {
        let files = files();
        let place = SourceIndex::new(&files).locate_benchmark(id);
        assert_eq!(place.as_ref().map(|place| (place.path.as_str(), place.line)), expected);
    }

    #[test]
    fn a_benchmark_is_found_by_the_longest_part_of_its_id() {
        located("graph/batch/32", Some(("benches/a.rs", 3)));
        located("graph/batch", Some(("benches/a.rs", 3)));
        located("t/x", Some(("benches/b.rs", 3)));
        located("/t", None);
    }

    #[test]
    fn what_stands_nowhere_or_twice_has_no_line() {
        located("twice", None);
        located("graph", None);
        located("other/batch/32", None);
    }
}
