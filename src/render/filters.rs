//! Template filters: numbers, notes, names and free text, each escaped for its format.

use minijinja::{AutoEscape, Environment, Error, State, Value};
use serde::Deserialize;

use super::numbers::{
    format_amount, format_count, format_duration, format_p_value, format_quantity,
    format_signed_amount, format_signed_percent, format_significant, format_wait, fraction,
};
use super::{escape, notes};
use crate::text::shorten;

/// Maximum length of a name in a line, in characters.
const NAME_WIDTH: usize = 72;
/// Maximum length of free text, in characters.
const PROSE_WIDTH: usize = 400;

pub(super) fn register_filters(environment: &mut Environment<'static>) {
    environment.add_filter("duration", format_duration);
    environment.add_filter("wait", format_wait);
    environment.add_filter(
        "or_nothing",
        |value: Value| {
            if value.is_none() { Value::from("") } else { value }
        },
    );
    environment.add_filter("seconds", |ns: f64| format!("{:.9}", ns / 1e9));
    environment.add_filter("link", |address: &str| {
        Value::from_safe_string(escape::escape_address(address))
    });
    environment.add_filter("ansi", |style: &str| {
        Value::from_safe_string(choose_ansi_code(style).to_owned())
    });
    environment.add_filter("share", fraction);
    environment.add_filter("signed_share", format_signed_percent);
    environment.add_filter("slowdown", |ratio: f64| format_signed_percent(ratio - 1.0));
    environment.add_filter("size_of_slowdown", |ratio: f64| fraction((ratio - 1.0).abs()));
    environment.add_filter("ratio", |ratio: f64| format_significant(ratio, 4));
    environment.add_filter("p_value", format_p_value);
    environment.add_filter("count", format_count);
    environment.add_filter("of", |noun: &str, number: usize| {
        format!("{} {noun}{}", format_count(number), if number == 1 { "" } else { "s" })
    });
    environment.add_filter("amount", format_amount);
    environment.add_filter("signed_amount", format_signed_amount);
    environment.add_filter("rates", join_rates);
    environment.add_filter("quantity", format_quantity);
    environment.add_filter("cost", |cost: f64| format_significant(cost, 3));
    environment.add_filter("name", |name: &str| shorten(name, NAME_WIDTH));
    environment.add_filter("label", |state: &State<'_, '_>, text: &str| {
        escape_prose(state, text, NAME_WIDTH)
    });
    environment.add_filter("note", notes::describe_note_value);
    environment.add_filter("failure", notes::describe_failure_value);
    environment.add_filter("prose", |state: &State<'_, '_>, text: &str| {
        escape_prose(state, text, PROSE_WIDTH)
    });
    environment.add_filter("lines", escape_last_lines);
    environment.add_filter("day", |time: &str| time.chars().take(10).collect::<String>());
    environment.add_filter("short", |id: &str| id.chars().take(7).collect::<String>());
    environment.add_filter("right", |text: &str, width: usize| format!("{text:>width$}"));
}

/// Returns the amounts per second as one text, so that a spreadsheet gets them as one cell.
///
/// Fails if the value is not a list of amounts with their units.
fn join_rates(rates: Value) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct UnitRate {
        unit: String,
        per_second: f64,
    }
    let rates: Vec<UnitRate> = Deserialize::deserialize(rates)?;
    let texts = rates.iter().map(|rate| format!("{} {}/s", rate.per_second, rate.unit));
    Ok(texts.collect::<Vec<_>>().join("; "))
}

fn choose_ansi_code(style: &str) -> &'static str {
    match style {
        "red" => "\u{1b}[1;31m",
        "green" => "\u{1b}[1;32m",
        "grey" => "\u{1b}[1;90m",
        _ => "\u{1b}[0m",
    }
}

/// Shortens text that is shown outside of `<code>`, and escapes it for Markdown.
///
/// GitHub mentions people and links issues even if `@` and `#` are entities, and issues after
/// `GH-`. A word joiner after them prevents it.
fn escape_prose(state: &State<'_, '_>, text: &str, width: usize) -> Value {
    const WORD_JOINER: &str = "&#8288;";
    let shown = shorten(text, width);
    if state.auto_escape() != AutoEscape::Custom(escape::MARKDOWN_ESCAPE) {
        return shown.into();
    }
    let mut escaped = String::new();
    let _ = escape::write_markdown(&mut escaped, &shown);
    for sign in ["&#64;", "&#35;", "GH-"] {
        escaped = escaped.replace(sign, &format!("{sign}{WORD_JOINER}"));
    }
    Value::from_safe_string(escaped)
}

/// Returns the last 40 lines of an output, each shortened and escaped for HTML.
fn escape_last_lines(text: &str) -> Value {
    const MOST: usize = 40;
    let lines: Vec<&str> = text.lines().collect();
    let kept = &lines[lines.len().saturating_sub(MOST)..];
    let mut page = String::new();
    for line in kept {
        let _ = escape::write_html(&mut page, &shorten(line, PROSE_WIDTH));
        page.push('\n');
    }
    Value::from_safe_string(page)
}
