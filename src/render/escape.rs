//! Escaping of untrusted text for each output format.

use std::fmt::{self, Write};

use minijinja::{AutoEscape, Error, Output, State, Value, escape_formatter};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::text::{write_visible, write_visible_char};

pub(super) const TEXT_ESCAPE: &str = "text";
pub(super) const MARKDOWN_ESCAPE: &str = "markdown";
pub(super) const CSV_ESCAPE: &str = "csv";
pub(super) const XML_ESCAPE: &str = "xml";

/// The bytes that are encoded in an address, because an address cannot contain them.
const ADDRESS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'!')
    .add(b'"')
    .add(b'$')
    .add(b'\'')
    .add(b'(')
    .add(b')')
    .add(b'*')
    .add(b';')
    .add(b'<')
    .add(b'>')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Writes a value, escaped for the format of its template. Text that a filter marked as safe is not
/// escaped.
pub(super) fn write_escaped(
    out: &mut Output<'_>,
    state: &State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let escape = match state.auto_escape() {
        AutoEscape::Custom(TEXT_ESCAPE) => write_visible,
        AutoEscape::Custom(MARKDOWN_ESCAPE) => write_markdown,
        AutoEscape::Custom(CSV_ESCAPE) => write_csv,
        AutoEscape::Custom(XML_ESCAPE) => write_xml,
        _ if value.as_str().is_some() && !value.is_safe() => write_html,
        _ => return escape_formatter(out, state, value),
    };
    if value.is_undefined() {
        return escape_formatter(out, state, value);
    }
    let written = match value.as_str() {
        Some(text) if value.is_safe() => out.write_str(text),
        Some(text) => escape(out, text),
        None => escape(out, &value.to_string()),
    };
    written.map_err(Error::from)
}

/// Writes `text` for HTML content and attributes.
pub(super) fn write_html(out: &mut dyn Write, text: &str) -> fmt::Result {
    text.chars().try_for_each(|character| match character {
        '&' => out.write_str("&amp;"),
        '<' => out.write_str("&lt;"),
        '>' => out.write_str("&gt;"),
        '"' => out.write_str("&quot;"),
        '\'' => out.write_str("&#39;"),
        _ => write_visible_char(out, character),
    })
}

/// What keeps GitHub from making a link of a name. It leaves no trace in what a reader sees or
/// copies.
const LINK_BREAK: &str = "<!-- -->";

/// Writes `text` for Markdown, with all syntax characters as entities.
///
/// An entity cannot begin or end anything in Markdown, in HTML inside Markdown, or in a table. But
/// GitHub makes links of addresses without any markup, also inside `<code>`. A comment breaks them.
pub(super) fn write_markdown(out: &mut dyn Write, text: &str) -> fmt::Result {
    text.char_indices().try_for_each(|(place, character)| {
        match character {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '|' | '`' | '@' | '#' | '*' | '_' | '[' | ']' | '\\' | '~' | ':' | '!' | '"' | '\''
            | '$' => {
                write!(out, "&#{};", u32::from(character))
            }
            _ => write_visible_char(out, character),
        }?;
        let end = place + character.len_utf8();
        if begins_link(&text[..end], &text[end..]) { out.write_str(LINK_BREAK) } else { Ok(()) }
    })
}

/// Returns whether `before` and `after` together can be part of an address.
fn begins_link(before: &str, after: &str) -> bool {
    let ends_with = |word: &str| {
        let end = before.len().checked_sub(word.len()).and_then(|start| before.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    match after.chars().next() {
        Some('.') => ends_with("www"),
        Some('/') => ends_with(":") && after.starts_with("//"),
        Some(next) if next.is_alphanumeric() => ends_with("xmpp:") || is_mail(before),
        _ => false,
    }
}

/// Returns whether the text ends with the first part of a mail address: a name and `@`.
fn is_mail(text: &str) -> bool {
    text.strip_suffix('@').is_some_and(|name| name.ends_with(|last: char| last.is_alphanumeric()))
}

/// Escapes an address that stands between `<` and `>` in Markdown: bytes that an address cannot
/// contain are percent-encoded.
pub(super) fn escape_address(text: &str) -> String {
    utf8_percent_encode(text, ADDRESS).to_string()
}

/// Writes `text` for XML content and attributes.
pub(super) fn write_xml(out: &mut dyn Write, text: &str) -> fmt::Result {
    text.chars().try_for_each(|character| match character {
        // XML 1.0 does not allow these characters, not even as references.
        '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {
            out.write_char('\u{fffd}')
        }
        '\t' | '\n' | '\r' => write!(out, "&#{};", u32::from(character)),
        '&' => out.write_str("&amp;"),
        '<' => out.write_str("&lt;"),
        '>' => out.write_str("&gt;"),
        '"' => out.write_str("&quot;"),
        _ => out.write_char(character),
    })
}

/// Writes `text` as one CSV field.
///
/// Spreadsheets interpret a field that begins with one of these signs as a formula. A single quote
/// before it, which they do not show, prevents this.
fn write_csv(out: &mut dyn Write, text: &str) -> fmt::Result {
    let is_number = text.parse::<f64>().is_ok();
    let is_formula = !is_number && text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if is_formula { "'" } else { "" };
    if is_formula || text.contains([',', '"', '\n', '\r']) {
        write!(out, "\"{guard}{}\"", text.replace('"', "\"\""))
    } else {
        out.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{escape_address, write_markdown};

    #[test]
    fn a_name_makes_no_link() {
        let escape = |text: &str| {
            let mut out = String::new();
            write_markdown(&mut out, text).unwrap();
            out
        };
        assert_eq!(escape("www.evil.example"), "www<!-- -->.evil.example");
        assert_eq!(escape("see WWW.x"), "see WWW<!-- -->.x");
        assert_eq!(escape("https://x.y"), "https&#58;<!-- -->//x.y");
        assert_eq!(escape("@dhh a@b.c"), "&#64;dhh a&#64;<!-- -->b.c");
        assert_eq!(escape("xmpp:a"), "xmpp&#58;<!-- -->a");
        assert_eq!(escape("a: b @ c # d ü"), "a&#58; b &#64; c &#35; d ü");
    }

    #[test]
    fn an_address_keeps_its_parts_and_cannot_end_early() {
        assert_eq!(
            escape_address("https://a.b/c-d_e~?f=1&g=%20+,#h"),
            "https://a.b/c-d_e~?f=1&g=%20+,#h"
        );
        assert_eq!(
            escape_address("a<>b \"'`\\(c)[d]{e}|^@!$*;\n\u{7f}ü"),
            "a%3C%3Eb%20%22%27%60%5C%28c%29%5Bd%5D%7Be%7D%7C%5E%40%21%24%2A%3B%0A%7F%C3%BC"
        );
    }
}
