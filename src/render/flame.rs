//! Flame graphs of the difference between both sides of an explained benchmark, as SVG.
//!
//! The width of a frame is its instructions in the candidate, with everything that it calls. Its
//! colour shows whether its own instructions are more than in the baseline (red) or fewer (blue).

use inferno::flamegraph::{Options, from_lines};
use minijinja::Value;

use crate::decision::{Decision, SideCounts, StackNode};
use crate::text::shorten;

/// Maximum number of frames that are drawn. A decision may have more if a stranger wrote it.
const MAX_FRAMES: usize = 1_000;
/// Maximum number of flame graphs of a decision.
const MAX_GRAPHS: usize = 20;
/// Maximum length of a function's name in a flame graph, in characters.
const FRAME_WIDTH: usize = 120;
/// Maximum length of a benchmark's id in a title, in characters.
const TITLE_WIDTH: usize = 100;
/// Maximum length of a benchmark's id in the name of a file, in characters.
const FILE_WIDTH: usize = 60;
/// Width of a drawing in its own units.
const WIDTH: usize = 1200;
/// Space on the left and on the right of the frames, which the library leaves.
const PADDING: usize = 10;
/// Height of a title with a subtitle, and of the line below the frames, which a page leaves out.
const TITLE_HEIGHT: usize = 60;
/// Height of the line below the frames.
const FOOT_HEIGHT: usize = 34;
/// How the part of a drawing begins that has the frames.
const FRAMES_MARK: &str = "<svg id=\"frames\"";

/// A flame graph as a file of its own, with scripts for zooming and searching.
pub(crate) struct FlameFile {
    /// Name of the file: letters, digits, dashes and the extension.
    pub(crate) name: String,
    /// Content of the file.
    pub(crate) svg: String,
}

/// Draws the difference of each explained benchmark of `decision`.
pub(crate) fn draw_flame_files(decision: &Decision) -> Vec<FlameFile> {
    let explained = decision.benchmarks.iter().filter_map(|judgement| {
        let explanation = judgement.explanation.as_ref()?;
        Some((&judgement.id, draw_difference(&judgement.id, &explanation.stacks)?))
    });
    let files = explained.take(MAX_GRAPHS).zip(1..).map(|((id, svg), number)| FlameFile {
        name: format!("{number}-{}.svg", make_file_name(id)),
        svg,
    });
    files.collect()
}

/// Returns the flame graph for an HTML page: the frames with their titles, without scripts and without
/// a style sheet. Returns `None` if there is nothing to draw.
pub(super) fn draw_on_page(stacks: &[StackNode]) -> Option<Value> {
    let svg = draw_difference("", stacks)?;
    let height: usize = find_between(&svg, "viewBox=\"0 0 1200 ", "\"")?.parse().ok()?;
    let frames = &svg[svg.find(FRAMES_MARK)?..svg.rfind("</svg>")?];
    let frames = &frames[frames.find('>')? + 1..];
    let shown = height.checked_sub(TITLE_HEIGHT + FOOT_HEIGHT)?;
    let inner = WIDTH - 2 * PADDING;
    let label = "flame graph of the difference";
    Some(Value::from_safe_string(format!(
        "<svg class=\"flame\" role=\"img\" aria-label=\"{label}\" \
         viewBox=\"0 {TITLE_HEIGHT} {WIDTH} {shown}\"><svg x=\"{PADDING}\" width=\"{inner}\">{frames}</svg>"
    )))
}

/// Returns what `text` has between the first `begin` and the next `end`.
fn find_between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    Some(rest.split_once(end)?.0)
}

/// Draws `stacks` as a file. Returns `None` if the candidate has no instructions in them.
fn draw_difference(id: &str, stacks: &[StackNode]) -> Option<String> {
    let mut lines = Vec::new();
    for node in stacks {
        list_lines(node, "", &mut lines);
    }
    let mut options = Options::default();
    options.title = format!("Difference of {}", shorten(id, TITLE_WIDTH));
    options.subtitle = Some(
        "Width: instructions of the candidate. Red: more of its own than in the baseline. Blue: fewer."
            .into(),
    );
    "instructions".clone_into(&mut options.count_name);
    options.image_width = Some(WIDTH);
    let mut svg = Vec::new();
    from_lines(&mut options, lines.iter().map(String::as_str), &mut svg).ok()?;
    String::from_utf8(svg).ok()
}

/// Adds a line for `node` and for each frame below it, in the format of the library: the functions
/// from the outermost on, and the counts of both sides.
fn list_lines(node: &StackNode, above: &str, lines: &mut Vec<String>) {
    if lines.len() >= MAX_FRAMES {
        return;
    }
    let stack = format!("{above}{}", name_frame(&node.function));
    let SideCounts { baseline, candidate } = node.own;
    let [baseline, candidate] = [baseline, candidate].map(round_count);
    if baseline + candidate > 0.0 {
        lines.push(format!("{stack} {baseline:.0} {candidate:.0}"));
    }
    for callee in &node.callees {
        list_lines(callee, &format!("{stack};"), lines);
    }
}

/// Returns a count as a whole number that the library can add up.
fn round_count(count: f64) -> f64 {
    const LARGEST: f64 = 1e15;
    count.clamp(0.0, LARGEST).round()
}

/// Returns the name of a function in a stack, in which a semicolon separates functions, and a number
/// sign at the beginning makes a line a comment.
fn name_frame(function: &str) -> String {
    shorten(function, FRAME_WIDTH).replace(';', ",").replace('#', "\u{ff03}")
}

/// Returns `id` as a part of the name of a file.
fn make_file_name(id: &str) -> String {
    let plain = id.chars().take(FILE_WIDTH);
    let plain: String = plain.map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    plain.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(function: &str, own: [f64; 2], callees: Vec<StackNode>) -> StackNode {
        let own = SideCounts { baseline: own[0], candidate: own[1] };
        StackNode { function: function.to_owned(), own, callees }
    }

    fn draw(stacks: &[StackNode]) -> String {
        draw_on_page(stacks).unwrap().to_string()
    }

    #[test]
    fn a_frame_is_as_wide_as_its_instructions_and_red_if_it_has_more() {
        let inner = node("inner", [10.0, 30.0], Vec::new());
        let less = node("less", [20.0, 10.0], Vec::new());
        let page = draw(&[node("outer", [60.0, 60.0], vec![inner, less])]);
        assert!(page.contains("outer (100 instructions, 100.00%; 0.00%)"), "{page}");
        assert!(page.contains("inner (30 instructions, 30.00%; +20.00%)"), "{page}");
        assert!(page.contains("less (10 instructions, 10.00%; -10.00%)"), "{page}");
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        for forbidden in ["<script", "<style", "onload", "<?xml"] {
            assert!(!page.contains(forbidden), "{page}");
        }
    }

    #[test]
    fn a_hostile_name_is_text_and_one_frame() {
        let name = "</svg><script>alert(1)</script>; # \"'&\u{202e}\n 7 8";
        let stacks = [node(name, [1.0, 2.0], Vec::new())];
        let page = draw(&stacks);
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;") && page.contains("\\u{202e}\\n"), "{page}");
        let file = draw_difference(name, &stacks).unwrap();
        // The library has one script of its own.
        assert_eq!(file.matches("<script").count(), 1, "{file}");
        assert_eq!(page.matches("<title>").count(), 2, "{page}");
        assert_eq!(make_file_name("../a b/\"<x>"), "a-b---x");
        let hash = draw(&[node("# comment", [1.0, 2.0], Vec::new())]);
        assert!(hash.contains("comment"), "{hash}");
    }

    #[test]
    fn stacks_without_instructions_are_not_drawn() {
        assert!(draw_on_page(&[]).is_none());
        assert!(draw_on_page(&[node("gone", [5.0, 0.0], Vec::new())]).is_none());
        let many: Vec<_> =
            (0..5000).map(|at| node(&format!("f{at}"), [1.0, 1.0], Vec::new())).collect();
        assert!(draw(&many).matches("<title>").count() <= MAX_FRAMES + 1);
    }
}
