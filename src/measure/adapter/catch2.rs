//! Catch2, versions 2 and 3: `--reporter xml`.

use std::collections::HashMap;

use roxmltree::{Document, Node};

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector, shorten_name};
use super::parse::{parse_number, read_text};

/// Deepest nesting of elements that is read.
const MAX_DEPTH: usize = 100;

/// Reads the mean of each benchmark, with its number of calls. Catch2 starts a test case again for
/// each of its sections. A benchmark outside of the sections is then measured several times, and has
/// several means in the same launch.
///
/// # Errors
///
/// Fails if the file is not what Catch2 writes.
pub(super) fn parse_catch2(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    check_depth(text)?;
    let document = Document::parse(text).map_err(|error| AdapterError::Xml(error.to_string()))?;
    let mut run = RunCollector::new("catch2");
    let version = document.root_element().attribute("catch2-version");
    run.add_condition("harness-version", version);
    let mut order: Vec<String> = Vec::new();
    let mut found: HashMap<String, Result<CatchMeans, &str>> = HashMap::new();
    for node in document.descendants().filter(|node| node.has_tag_name("BenchmarkResults")) {
        let name = format_path(node);
        let means = found.entry(name.clone()).or_insert_with(|| {
            order.push(name.clone());
            Ok(CatchMeans::default())
        });
        if let Some(failed) = find_child(node, "failed") {
            *means = Err(failed.attribute("message").unwrap_or("the benchmark threw an exception"));
        } else if let Ok(means) = means {
            means.add_node(&name, node)?;
        }
    }
    for name in order {
        match found.remove(&name) {
            Some(Ok(CatchMeans { times, calls })) => {
                run.add(0, AdapterEntry::of_batches(name, times, 1.0, Some(calls)))?;
            }
            Some(Err(message)) => run.add_failure(0, &name, message)?,
            None => {}
        }
    }
    run.finish()
}

/// The means of one benchmark, each with its number of calls.
#[derive(Default)]
struct CatchMeans {
    times: Vec<f64>,
    calls: Vec<f64>,
}

impl CatchMeans {
    fn add_node(&mut self, name: &str, node: Node<'_, '_>) -> Result<(), AdapterError> {
        let missing = || AdapterError::Missing { name: shorten_name(name), field: "mean" };
        let mean = find_child(node, "mean").ok_or_else(missing)?;
        self.times.push(read_number(name, mean, "value")?);
        self.calls
            .push(read_number(name, node, "samples")? * read_number(name, node, "iterations")?);
        Ok(())
    }
}

fn find_child<'a, 'input>(node: Node<'a, 'input>, tag: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(tag))
}

/// Fails if elements are nested more deeply than a test writes them: the parser is recursive.
fn check_depth(text: &str) -> Result<(), AdapterError> {
    let mut depth = 0_usize;
    for tag in text.split('<').skip(1) {
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !tag.starts_with(['?', '!'])
            && !tag.split('>').next().is_some_and(|tag| tag.ends_with('/'))
        {
            depth += 1;
        }
        if depth > MAX_DEPTH {
            let cause = format!("more than {MAX_DEPTH} elements inside each other");
            return Err(AdapterError::Line { line: 1, cause });
        }
    }
    Ok(())
}

/// Returns the names of the test case, its sections and the benchmark: `sums/inner/loop`.
fn format_path(node: Node<'_, '_>) -> String {
    let is_part = |node: &Node<'_, '_>| {
        ["TestCase", "Section", "BenchmarkResults"].iter().any(|tag| node.has_tag_name(*tag))
    };
    let mut names: Vec<&str> =
        node.ancestors().filter(is_part).filter_map(|node| node.attribute("name")).collect();
    names.reverse();
    names.join("/")
}

fn read_number(name: &str, node: Node<'_, '_>, field: &'static str) -> Result<f64, AdapterError> {
    let missing = || AdapterError::Missing { name: shorten_name(name), field };
    let text = node.attribute(field).ok_or_else(missing)?;
    let line = node.document().text_pos_at(node.range().start).row as usize;
    parse_number(text).map_err(|cause| AdapterError::Line { line, cause })
}
