//! Numbers in words and charts: durations, shares, ratios, p-values, counts and amounts.

use crate::policy::{MetricUnit, TargetFigure};

/// Smallest p-value that is shown as a number; a smaller one is shown as `< 0.0001`.
const MIN_P: f64 = 0.0001;

/// Formats nanoseconds with three significant digits and the largest unit that fits.
pub(crate) fn format_duration(ns: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    // A value that would round up to four digits is shown in the next unit.
    const ROUNDS_UP: f64 = 0.9995;
    let reached = UNITS.iter().find(|(scale, _)| ns >= scale * ROUNDS_UP);
    let (scale, unit) = reached.unwrap_or(&UNITS[3]);
    format!("{} {unit}", format_significant(ns / scale, 3))
}

/// Formats nanoseconds as a time to wait: in seconds below two minutes, then in minutes.
pub(super) fn format_wait(ns: f64) -> String {
    const LEAST_MINUTES: f64 = 2.0;
    let seconds = ns / 1e9;
    if seconds < LEAST_MINUTES * 60.0 {
        format!("{} s", seconds.ceil())
    } else {
        format!("{} min", (seconds / 60.0).ceil())
    }
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
pub(super) fn format_significant(value: f64, digits: u8) -> String {
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
pub(super) fn format_p_value(p: f64) -> String {
    if p < MIN_P {
        return format!("< {MIN_P}");
    }
    format!("= {}", format_significant(p, 2))
}

/// Formats a number with commas between the thousands.
pub(super) fn format_count(number: usize) -> String {
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

/// Formats a change of an amount with its sign and an SI prefix: `+1.20 M`, `−35.0`.
pub(super) fn format_signed_amount(number: f64) -> String {
    let sign = if number < 0.0 { '−' } else { '+' };
    format!("{sign}{}", format_amount(number.abs()))
}

/// Formats a large amount with an SI prefix: `1.20 M`.
pub(super) fn format_amount(number: f64) -> String {
    const PREFIXES: [(f64, &str); 4] = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")];
    let reached = PREFIXES.iter().find(|(scale, _)| number >= *scale);
    let (scale, prefix) = reached.unwrap_or(&(1.0, ""));
    format!("{}{prefix}", format_significant(number / scale, 3))
}

/// Formats an amount in the unit of `figure`: a time of a call, a throughput such as `tokens/s`, or a
/// metric whose unit is the end of its name.
pub(super) fn format_quantity(value: f64, figure: &str) -> String {
    match TargetFigure::try_from(figure.to_owned()) {
        Ok(TargetFigure::Time(_)) => format_duration(value),
        Ok(TargetFigure::Throughput(unit)) => format!("{} {unit}/s", format_amount(value)),
        Ok(TargetFigure::Reported(name)) | Err(name) => match MetricUnit::from_name(&name) {
            MetricUnit::Nanoseconds => format_duration(value),
            MetricUnit::Bytes => format_bytes(value),
            MetricUnit::Joules => format!("{} J", format_significant(value, 3)),
            MetricUnit::Ratio | MetricUnit::Count => format_plain(value),
        },
    }
}

/// Formats a number of bytes with three significant digits and the largest unit that fits.
fn format_bytes(bytes: f64) -> String {
    const UNITS: [(f64, &str); 4] = [
        (1_099_511_627_776.0, "TiB"),
        (1_073_741_824.0, "GiB"),
        (1_048_576.0, "MiB"),
        (1024.0, "KiB"),
    ];
    match UNITS.iter().find(|(scale, _)| bytes >= *scale) {
        Some((scale, unit)) => format!("{} {unit}", format_significant(bytes / scale, 3)),
        None => format!("{} B", format_plain(bytes)),
    }
}

/// Formats a number without a unit. Whole numbers keep all of their digits up to a million.
fn format_plain(number: f64) -> String {
    const LARGEST_WHOLE: f64 = 1e6;
    if number.fract() == 0.0 && (0.0..=LARGEST_WHOLE).contains(&number) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number of at most a million"
        )]
        return format_count(number as usize);
    }
    if number >= LARGEST_WHOLE { format_amount(number) } else { format_significant(number, 4) }
}

#[cfg(test)]
mod tests {
    use super::format_quantity;

    #[test]
    fn the_unit_of_a_quantity_is_the_end_of_its_name() {
        for (value, name, shown) in [
            (536_870_912.0, "peak_rss_bytes", "512 MiB"),
            (12.0, "allocated_bytes", "12 B"),
            (12.0, "allocations", "12"),
            (1e-6, "max_abs_error", "1.000e-6"),
            (0.05, "miss_ratio", "0.05000"),
            (1500.0, "tokens/s", "1.50 k tokens/s"),
            (1e7, "p95", "10.0 ms"),
            (1e7, "cold_start_ns", "10.0 ms"),
            (0.25, "energy_joules", "0.250 J"),
        ] {
            assert_eq!(format_quantity(value, name), shown);
        }
    }
}
