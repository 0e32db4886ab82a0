//! Finds the line that declares a benchmark, by the benchmark's name in the sources of the benches.

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

/// Returns the only line that contains the benchmark's id, or the longest possible beginning of the
/// id, as a string literal.
///
/// Criterion builds an id from the names of group, function and parameter, so that the beginning is
/// the group. Returns `None` if no beginning is on exactly one line: a wrong line is worse than no
/// line.
pub(crate) fn locate_benchmark(id: &str, sources: &[SourceFile]) -> Option<SourceLocation> {
    let ends = id.match_indices('/').map(|(end, _)| end).chain([id.len()]);
    let mut beginnings: Vec<_> = ends.map(|end| &id[..end]).collect();
    beginnings.reverse();
    beginnings.into_iter().filter(|name| !name.is_empty()).find_map(|name| {
        let literal = format!("\"{name}\"");
        let mut places = sources.iter().flat_map(|file| find_lines_with(file, &literal));
        places.next().filter(|_| places.next().is_none())
    })
}

/// Returns the lines of `file` that contain `literal` outside of comment lines.
fn find_lines_with(file: &SourceFile, literal: &str) -> impl Iterator<Item = SourceLocation> {
    let code =
        (1..).zip(file.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.filter(move |(_, line)| line.contains(literal))
        .map(|(line, _)| SourceLocation { path: file.path.clone(), line })
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
        let place = locate_benchmark(id, &files());
        assert_eq!(place.as_ref().map(|place| (place.path.as_str(), place.line)), expected);
    }

    #[test]
    fn a_benchmark_is_found_by_the_longest_part_of_its_id() {
        located("graph/batch/32", Some(("benches/a.rs", 3)));
        located("graph/batch", Some(("benches/a.rs", 3)));
        located("t/x", Some(("benches/b.rs", 3)));
    }

    #[test]
    fn what_stands_nowhere_or_twice_has_no_line() {
        located("twice", None);
        located("graph", None);
        located("other/batch/32", None);
    }
}
