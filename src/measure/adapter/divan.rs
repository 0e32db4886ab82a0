//! divan: the table that `cargo bench` prints.

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{list_lines, parse_duration, parse_number, read_text};

/// Marks of the rows of the tree: each stands before the name of a row.
const BRANCHES: [&str; 2] = ["├─ ", "╰─ "];
/// Columns after the name: fastest, slowest, median, mean, samples, iters.
const COLUMNS: usize = 6;
/// What a row shows in place of times if the benchmark is not run.
const IGNORED: &str = "(ignored)";

/// Reads the mean of each benchmark, with its number of calls.
///
/// # Errors
///
/// Fails if a row of a benchmark has other columns than divan prints.
pub(super) fn parse_divan(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut run = RunCollector::new("divan");
    // Names of the rows above, from the outermost to the last one.
    let mut path: Vec<String> = Vec::new();
    for (line, content) in list_lines(text) {
        let refuse = |cause: String| AdapterError::Line { line, cause };
        let found = BRANCHES.iter().filter_map(|mark| content.find(mark)).min();
        let Some(branch) = found else {
            // The header of another bench target begins a new tree.
            if content.contains("fastest") && content.contains("│ slowest") {
                path.clear();
            }
            continue;
        };
        // Each level is three characters wide.
        let depth = content[..branch].chars().count() / 3;
        let row = content[branch..].chars().skip(3).collect::<String>();
        let (name, rest) = split_name(&row);
        path.truncate(depth);
        if path.len() < depth {
            return Err(refuse("a row is deeper than the one above it".to_owned()));
        }
        path.push(name.to_owned());
        let columns: Vec<&str> = rest.split('│').map(str::trim).collect();
        if columns.iter().all(|column| column.is_empty()) || columns[0] == IGNORED {
            continue;
        }
        let [_, _, median, mean, _, iterations] = columns[..] else {
            let count = columns.len();
            return Err(refuse(format!("{count} columns in place of {COLUMNS}")));
        };
        let median = parse_duration(median).map_err(refuse)?;
        let mean = parse_duration(mean).map_err(refuse)?;
        let calls = parse_number(iterations).map_err(refuse)?;
        let entry = AdapterEntry::of_mean(path.join("/"), mean, 1.0, Some(calls));
        run.add(0, entry.with_metric("median_ns", Some(median)))?;
    }
    run.finish()
}

/// Splits a row into the name and the columns. At least two blanks stand between them; a name may
/// have single ones.
fn split_name(row: &str) -> (&str, &str) {
    let first = row.find('│').unwrap_or(row.len());
    let (head, rest) = row.split_at(first);
    let split = head.trim_end().rfind("  ").or_else(|| head.find("  "));
    split.map_or((head.trim(), rest), |at| (head[..at].trim(), &row[at..]))
}
