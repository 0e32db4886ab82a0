//! Untrusted text: characters that would deceive a reader, and cutting to a length.
//!
//! The rules of one output format, such as HTML or Markdown, are not here but in `render`. Hex,
//! base64 and percent-encoding are those of the crates of these names.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Returns whether a terminal or a browser would interpret the character, hide it, or show
/// something else for it.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Writes a character, spelled out if a terminal or a browser would interpret or hide it.
///
/// # Errors
///
/// Fails if `out` does.
pub(crate) fn write_visible_char(out: &mut dyn Write, character: char) -> fmt::Result {
    if is_invisible(character) {
        write!(out, "{}", character.escape_default())
    } else {
        out.write_char(character)
    }
}

/// Writes `text` with escape sequences, line ends and bidirectional marks spelled out.
///
/// # Errors
///
/// Fails if `out` does.
pub(crate) fn write_visible(out: &mut dyn Write, text: &str) -> fmt::Result {
    text.chars().try_for_each(|character| write_visible_char(out, character))
}

/// Returns `text` with escape sequences, line ends and bidirectional marks spelled out, cut in the
/// middle to at most `width` characters.
///
/// Both ends stay, because they identify a name.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    let mut shown = String::new();
    write_visible(&mut shown, text).expect("a string takes everything");
    let characters = shown.chars().count();
    if characters <= width {
        return shown;
    }
    let tail = (width - 1) / 2;
    let head = width - 1 - tail;
    let end = shown.chars().skip(characters - tail);
    shown.chars().take(head).chain(['…']).chain(end).collect()
}

/// Cuts `text` at its end to at most `limit` bytes, which must be room for the `…` that ends a cut
/// text.
pub(crate) fn cut_text(text: &str, limit: usize) -> String {
    const ELLIPSIS: &str = "…";
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub(ELLIPSIS.len()));
    text[..end].to_owned() + ELLIPSIS
}

/// Returns the word of `known` that `word` may be a misspelling of: the most similar one, if at most
/// two fifths of its letters differ. Returns `None` if no word is that similar.
pub(crate) fn find_near_word<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let distances = known.into_iter().map(|one| (strsim::damerau_levenshtein(word, one), one));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    let length = word.chars().count().max(nearest.chars().count());
    (5 * distance <= 2 * length).then_some(nearest)
}

/// Returns text of several lines in which each character that a terminal or a browser would
/// interpret or hide is replaced by `U+FFFD`. Line feeds and tabs stay.
pub(crate) fn replace_invisible(text: &str) -> String {
    let characters = text.chars().map(|character| match character {
        '\n' | '\t' => character,
        _ if is_invisible(character) => char::REPLACEMENT_CHARACTER,
        _ => character,
    });
    characters.collect()
}

/// Returns lines of a log in which nothing is a workflow command.
///
/// GitHub's runner obeys `::command::` at the start of a line, after white space, and `##[command]`
/// anywhere in it. A backslash breaks both and shows that they were there.
pub(crate) fn disarm_commands(text: &str) -> Cow<'_, str> {
    if !text.contains("::") && !text.contains("##[") {
        return Cow::Borrowed(text);
    }
    let mut disarmed = String::with_capacity(text.len() + 1);
    for line in text.split_inclusive(['\n', '\r']) {
        let command = line.trim_start();
        let (indent, command) = line.split_at(line.len() - command.len());
        disarmed.push_str(indent);
        if command.starts_with("::") {
            disarmed.push('\\');
        }
        disarmed.push_str(&command.replace("##[", "##\\["));
    }
    Cow::Owned(disarmed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_log_is_a_workflow_command() {
        assert_eq!(
            disarm_commands("a\n::set-output name=x::y\r\t ::stop-commands::z\nb::c"),
            "a\n\\::set-output name=x::y\r\t \\::stop-commands::z\nb::c"
        );
        assert_eq!(disarm_commands("x ##[add-mask]y"), "x ##\\[add-mask]y");
        assert!(matches!(disarm_commands("plain: text"), Cow::Borrowed("plain: text")));
    }

    #[test]
    fn a_long_text_is_cut_and_shows_it() {
        assert_eq!(cut_text("abcdefg", 6), "abc…");
        assert_eq!(cut_text("äöüß", 8), "äöüß");
        assert_eq!(cut_text("äöüß", 7), "äö…");
        assert_eq!(cut_text("äöüß", 6), "ä…");
    }

    #[test]
    fn a_misspelled_word_is_recognized_and_another_word_is_not() {
        let known = ["measure", "gate", "target", "bench", "store"];
        assert_eq!(find_near_word("measurement", known), Some("measure"));
        assert_eq!(find_near_word("tagret", known), Some("target"));
        assert_eq!(find_near_word("foo", known), None);
        assert_eq!(find_near_word("foo", []), None);
    }

    #[test]
    fn a_long_name_keeps_both_ends_and_a_hostile_one_is_spelled_out() {
        assert_eq!(shorten("abcdefgh", 5), "ab…gh");
        assert_eq!(shorten("äöüß", 4), "äöüß");
        assert_eq!(shorten("a\u{202e}b\n", 40), "a\\u{202e}b\\n");
    }

    #[test]
    fn hidden_characters_of_an_output_are_replaced_and_its_lines_stay() {
        assert_eq!(
            replace_invisible("a\u{1b}[31m\r\tb\u{202e}\nc"),
            "a\u{fffd}[31m\u{fffd}\tb\u{fffd}\nc"
        );
    }
}
