//! Template filters that format typed values: durations, shares, ratios, counts, names.

use minijinja::{AutoEscape, Environment, State, Value};

use super::escape;
use crate::text::shorten;

/// Maximum length of a name in a line, in characters.
const NAME_WIDTH: usize = 72;
/// Maximum length of free text, in characters.
const PROSE_WIDTH: usize = 400;
/// Smallest p-value that is shown as a number; a smaller one is shown as `< 0.0001`.
const MIN_P: f64 = 0.0001;

pub(super) fn register_filters(environment: &mut Environment<'static>) {
    environment.add_filter("duration", format_duration);
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
    environment.add_filter("slowdown", |ratio: f64| format_signed_percent(ratio - 1.0));
    environment.add_filter("size_of_slowdown", |ratio: f64| fraction((ratio - 1.0).abs()));
    environment.add_filter("ratio", |ratio: f64| format_significant(ratio, 4));
    environment.add_filter("p_value", format_p_value);
    environment.add_filter("count", format_count);
    environment.add_filter("of", |noun: &str, number: usize| {
        format!("{} {noun}{}", format_count(number), if number == 1 { "" } else { "s" })
    });
    environment.add_filter("amount", format_amount);
    environment.add_filter("name", |name: &str| shorten(name, NAME_WIDTH));
    environment.add_filter("label", |state: &State<'_, '_>, text: &str| {
        escape_prose(state, text, NAME_WIDTH)
    });
    environment.add_filter("note", super::notes::describe_note_value);
    environment.add_filter("failure", super::notes::describe_failure_value);
    environment.add_filter("prose", |state: &State<'_, '_>, text: &str| {
        escape_prose(state, text, PROSE_WIDTH)
    });
    environment.add_filter("lines", escape_last_lines);
    environment.add_filter("day", |time: &str| time.chars().take(10).collect::<String>());
    environment.add_filter("short", |id: &str| id.chars().take(7).collect::<String>());
    environment.add_filter("right", |text: &str, width: usize| format!("{text:>width$}"));
}

fn choose_ansi_code(style: &str) -> &'static str {
    match style {
        "red" => "\u{1b}[1;31m",
        "green" => "\u{1b}[1;32m",
        "yellow" => "\u{1b}[1;33m",
        _ => "\u{1b}[0m",
    }
}

/// Formats nanoseconds with three significant digits and the largest unit that fits.
pub(super) fn format_duration(ns: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    // A value that would round up to four digits is shown in the next unit.
    const ROUNDS_UP: f64 = 0.9995;
    let reached = UNITS.iter().find(|(scale, _)| ns >= scale * ROUNDS_UP);
    let (scale, unit) = reached.unwrap_or(&UNITS[3]);
    format!("{} {unit}", format_significant(ns / scale, 3))
}

/// Formats nanoseconds for an axis: like [`format_duration`], without trailing zeros.
pub(super) fn format_duration_tick(ns: f64) -> String {
    let text = format_duration(ns);
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    let is_fraction = number.contains('.') && !number.contains('e');
    let number =
        if is_fraction { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number} {unit}")
}

/// Formats `value` with the given number of significant `digits`.
///
/// Numbers below 1e-4 or from 1e6 on are in scientific notation.
fn format_significant(value: f64, digits: u8) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let written = format!("{value:.*e}", usize::from(digits) - 1);
    let exponent = written.split('e').nth(1).and_then(|exponent| exponent.parse().ok());
    match exponent.unwrap_or(0i32) {
        exponent @ -4..=5 => {
            let decimals = (i32::from(digits) - 1 - exponent).max(0);
            format!("{value:.*}", usize::try_from(decimals).unwrap_or(0))
        }
        _ => written,
    }
}

/// Formats a share in percent: `5 %`, `3.1 %`, `0.04 %`.
pub(super) fn fraction(share: f64) -> String {
    let percent = share * 100.0;
    let text = if (0.95..1e6).contains(&percent) {
        format!("{percent:.1}")
    } else {
        format_significant(percent, if percent < 1.0 { 1 } else { 3 })
    };
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// Formats a difference in percent with its sign: `+18.4 %`, `−2.2 %`.
pub(super) fn format_signed_percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    let size = percent.abs();
    let digits = if size < 1e5 { format!("{size:.1}") } else { format_significant(size, 3) };
    let sign = match (digits.as_str(), percent < 0.0) {
        ("0.0", _) => "±",
        (_, true) => "−",
        (_, false) => "+",
    };
    format!("{sign}{digits} %")
}

/// Formats a ratio for an axis as a signed percentage, without a trailing `.0`.
pub(super) fn format_slowdown_tick(ratio: f64) -> String {
    if (ratio - 1.0).abs() < 1e-9 {
        "0".to_owned()
    } else {
        format_signed_percent(ratio - 1.0).replace(".0 ", " ")
    }
}

/// Formats a p-value with its relation sign. It is never shown as zero, because a p-value is an
/// upper bound on a probability.
fn format_p_value(p: f64) -> String {
    if p < MIN_P {
        return format!("< {MIN_P}");
    }
    format!("= {}", format_significant(p, 2))
}

/// Formats a number with commas between the thousands.
fn format_count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a large amount with an SI prefix: `1.20 M`.
fn format_amount(number: f64) -> String {
    const PREFIXES: [(f64, &str); 4] = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")];
    let reached = PREFIXES.iter().find(|(scale, _)| number >= *scale);
    let (scale, prefix) = reached.unwrap_or(&(1.0, ""));
    format!("{}{prefix}", format_significant(number / scale, 3))
}

/// Shortens text that is shown outside of `<code>`, and escapes it for Markdown.
///
/// GitHub mentions people and links issues even if `@` and `#` are entities. A word joiner after
/// them prevents it.
fn escape_prose(state: &State<'_, '_>, text: &str, width: usize) -> Value {
    const WORD_JOINER: &str = "&#8288;";
    let shown = shorten(text, width);
    if state.auto_escape() != AutoEscape::Custom(escape::MARKDOWN_ESCAPE) {
        return shown.into();
    }
    let mut escaped = String::new();
    let _ = escape::write_markdown(&mut escaped, &shown);
    for sign in ["&#64;", "&#35;"] {
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
