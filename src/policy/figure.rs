//! What a target can limit, and how a limit is written: `p95 = "10ms"`, `peak-rss = "512MiB"`,
//! `throughput = "900/s"`, `max = { max_abs_error = 1e-4 }`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::{Amount, Nanos, Percent, Quantile};

/// Name of the metric that `peak-rss` limits.
pub(crate) const PEAK_RSS_METRIC: &str = "peak_rss_bytes";

/// Unit of a throughput that names none.
const DEFAULT_UNIT: &str = "elements";

/// End of the name of a throughput: `tokens/s`.
const RATE_SUFFIX: &str = "/s";

/// Units of bytes, with the number of bytes of each.
const BYTE_UNITS: [(&str, f64); 9] = [
    ("B", 1.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];

/// Units of energy, with the number of joules of each.
const ENERGY_UNITS: [(&str, f64); 4] = [("J", 1.0), ("mJ", 1e-3), ("kJ", 1e3), ("Wh", 3600.0)];

/// A time of a call that a target can limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Metric {
    /// Mean time of a call.
    Mean,
    /// Median of single calls.
    P50,
    /// 90th percentile of single calls.
    P90,
    /// 95th percentile of single calls.
    P95,
    /// 99th percentile of single calls.
    P99,
}

impl Metric {
    /// All times that a target can limit.
    pub(crate) const ALL: [Self; 5] = [Self::Mean, Self::P50, Self::P90, Self::P95, Self::P99];

    /// Returns the quantile of single calls that the metric stands for, or `None` for the mean.
    pub(crate) fn quantile(self) -> Option<Quantile> {
        let q = match self {
            Self::Mean => return None,
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
        };
        Some(Quantile::new(q).expect("each lies strictly between 0 and 1"))
    }

    /// Returns the name that files and flags use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
        }
    }
}

/// What a target limits. In files it is a text: `p95`, `tokens/s`, `peak_rss_bytes`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum TargetFigure {
    /// A time of a call.
    Time(Metric),
    /// Amount of this unit that is handled per second.
    Throughput(String),
    /// A metric that launches report, by name.
    Reported(String),
}

impl fmt::Display for TargetFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(metric) => f.write_str(metric.name()),
            Self::Throughput(unit) => write!(f, "{unit}{RATE_SUFFIX}"),
            Self::Reported(name) => f.write_str(name),
        }
    }
}

impl TryFrom<String> for TargetFigure {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(metric) = Metric::ALL.into_iter().find(|metric| metric.name() == text) {
            return Ok(Self::Time(metric));
        }
        let is_digit = |c: char| c.is_ascii_digit() || c == '.';
        let quantile = text.strip_prefix('p').filter(|rest| !rest.is_empty());
        if text.is_empty() || quantile.is_some_and(|rest| rest.chars().all(is_digit)) {
            return Err(format!("`{text}` is not a figure that a target can limit"));
        }
        Ok(match text.strip_suffix(RATE_SUFFIX) {
            Some(unit) => Self::Throughput(unit.to_owned()),
            None => Self::Reported(text),
        })
    }
}

impl From<TargetFigure> for String {
    fn from(figure: TargetFigure) -> Self {
        figure.to_string()
    }
}

impl TargetFigure {
    /// Returns the time of a call that the target limits, or `None` if it limits something else.
    pub(crate) fn time(&self) -> Option<Metric> {
        match self {
            Self::Time(metric) => Some(*metric),
            Self::Throughput(_) | Self::Reported(_) => None,
        }
    }
}

/// On which side of its limit a figure meets a target.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LimitSide {
    /// The figure may be at most as large as the limit.
    #[default]
    AtMost,
    /// The figure must be at least as large as the limit.
    AtLeast,
}

impl LimitSide {
    /// Returns whether this is the usual side, which files leave out.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(crate) fn is_at_most(&self) -> bool {
        *self == Self::AtMost
    }

    /// Returns the stricter one of two limits.
    pub(crate) fn choose_stricter(self, one: Amount, other: Amount) -> Amount {
        match self {
            Self::AtMost => one.min(other),
            Self::AtLeast => one.max(other),
        }
    }
}

/// One limit that a target sets for a benchmark.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetLimit {
    /// What is limited.
    pub(crate) figure: TargetFigure,
    /// On which side of the limit the figure must be.
    pub(crate) side: LimitSide,
    /// The limit, in the unit of the figure: nanoseconds, bytes, amounts per second.
    pub(crate) value: Amount,
    /// Name of the target. `None` if it has none.
    pub(crate) name: Option<String>,
}

impl TargetLimit {
    /// Builds a limit without a name on a time of a call.
    pub(crate) fn from_time(metric: Metric, limit: Nanos) -> Self {
        Self {
            figure: TargetFigure::Time(metric),
            side: LimitSide::AtMost,
            value: limit.into(),
            name: None,
        }
    }
}

/// A limit as `perfgate.toml` has it: a number, or a text with a unit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum LimitText {
    /// A number in the unit of the figure.
    Number(f64),
    /// A number with its unit.
    Text(String),
}

impl LimitText {
    /// Returns the limit of the metric `name`, whose unit is the end of its name.
    ///
    /// # Errors
    ///
    /// Fails with the reason if the text is not a number with a unit of the metric.
    pub(crate) fn parse(&self, name: &str) -> Result<Amount, String> {
        let text = match self {
            Self::Number(number) => {
                return Amount::new(*number).map_err(|error| error.to_string());
            }
            Self::Text(text) => text.trim(),
        };
        if let Ok(number) = text.parse::<f64>() {
            return Amount::new(number).map_err(|error| error.to_string());
        }
        let parsed = match MetricUnit::from_name(name) {
            MetricUnit::Nanoseconds => text.parse::<Nanos>().ok().map(Amount::from),
            MetricUnit::Bytes => parse_with_units(text, &BYTE_UNITS),
            MetricUnit::Joules => parse_with_units(text, &ENERGY_UNITS),
            MetricUnit::Ratio => {
                let share = text.parse::<Percent>().ok();
                share.and_then(|share| Amount::new(share.get()).ok())
            }
            MetricUnit::Count => None,
        };
        let example = MetricUnit::from_name(name).show_example();
        parsed.ok_or_else(|| format!("`{text}` is not a limit of `{name}`: write {example}"))
    }
}

/// What a metric is measured in, which is the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricUnit {
    /// `_bytes`.
    Bytes,
    /// `_ns`.
    Nanoseconds,
    /// `_joules`.
    Joules,
    /// `_ratio`: a share.
    Ratio,
    /// Any other end: a number without a unit.
    Count,
}

impl MetricUnit {
    /// Returns the unit of the metric `name`.
    pub(crate) fn from_name(name: &str) -> Self {
        const SUFFIXES: [(&str, MetricUnit); 4] = [
            ("_bytes", MetricUnit::Bytes),
            ("_ns", MetricUnit::Nanoseconds),
            ("_joules", MetricUnit::Joules),
            ("_ratio", MetricUnit::Ratio),
        ];
        let found = SUFFIXES.iter().find(|(suffix, _)| name.ends_with(suffix));
        found.map_or(Self::Count, |(_, unit)| *unit)
    }

    fn show_example(self) -> &'static str {
        match self {
            Self::Bytes => "bytes as a number, or a text like \"512MiB\"",
            Self::Nanoseconds => "nanoseconds as a number, or a text like \"10ms\"",
            Self::Joules => "joules as a number, or a text like \"1.5J\"",
            Self::Ratio => "a share as a number, or a text like \"5%\"",
            Self::Count => "a number",
        }
    }
}

/// Returns the amount of a text such as `512MiB`, or `None` if its unit is not one of `units`.
fn parse_with_units(text: &str, units: &[(&str, f64)]) -> Option<Amount> {
    let split = text.find(char::is_alphabetic)?;
    let (number, unit) = text.split_at(split);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    Amount::new(number.trim().parse::<f64>().ok()? * scale).ok()
}

/// A limit on a throughput: `900/s`, `900 tokens/s`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RateLimit {
    /// What is counted.
    pub(crate) unit: String,
    /// The least amount per second.
    pub(crate) per_second: Amount,
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("`{text}` is not a throughput: write it like \"900/s\" or \"900 tokens/s\"");
        let amount = text.trim().strip_suffix(RATE_SUFFIX).ok_or_else(refuse)?;
        let split = amount.find(|c: char| c.is_alphabetic() && c != 'e' && c != 'E');
        // `e` may belong to a number, as in `1e6/s`, or begin a unit, as in `5 elements/s`.
        let (number, unit) = match amount.split_once(' ') {
            Some((number, unit)) => (number, unit.trim()),
            None => amount.split_at(split.unwrap_or(amount.len())),
        };
        let number: f64 = number.trim().parse().map_err(|_| refuse())?;
        let per_second = Amount::new(number).map_err(|_| refuse())?;
        let unit = if unit.is_empty() { DEFAULT_UNIT } else { unit };
        Ok(Self { unit: unit.to_owned(), per_second })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parses(name: &str, text: &str, value: f64) {
        let parsed = LimitText::Text(text.to_owned()).parse(name);
        assert_eq!(parsed.map(Amount::get), Ok(value));
    }

    #[test]
    fn the_unit_of_a_limit_is_the_end_of_the_metrics_name() {
        parses("peak_rss_bytes", "512MiB", 536_870_912.0);
        parses("allocated_bytes", "1.5 kB", 1500.0);
        parses("cold_start_ns", "10ms", 1e7);
        parses("energy_joules", "20mJ", 0.02);
        parses("top1_disagreement_ratio", "5%", 0.05);
        parses("allocations", "12", 12.0);
        for (name, text) in [
            ("peak_rss_bytes", "512"),
            ("peak_rss_bytes", "10ms"),
            ("allocations", "12B"),
            ("cold_start_ns", "10"),
        ] {
            let parsed = LimitText::Text(text.to_owned()).parse(name);
            // A bare number is an amount in the unit of the metric.
            assert_eq!(parsed.is_ok(), text.parse::<f64>().is_ok(), "{name} {text}: {parsed:?}");
        }
        assert!(LimitText::Number(-1.0).parse("allocations").is_err());
        assert!(LimitText::Number(f64::NAN).parse("allocations").is_err());
    }

    #[test]
    fn a_throughput_counts_elements_unless_it_names_something_else() {
        let parse =
            |text: &str| text.parse::<RateLimit>().map(|rate| (rate.unit, rate.per_second.get()));
        assert_eq!(parse("900/s"), Ok(("elements".to_owned(), 900.0)));
        assert_eq!(parse("1.5e3 tokens/s"), Ok(("tokens".to_owned(), 1500.0)));
        assert_eq!(parse("20tokens/s"), Ok(("tokens".to_owned(), 20.0)));
        for bad in ["900", "/s", "tokens/s", "-3/s", "900/min"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_figure_of_a_file_is_one_of_three_kinds() {
        for (text, figure) in [
            ("p95", TargetFigure::Time(Metric::P95)),
            ("tokens/s", TargetFigure::Throughput("tokens".to_owned())),
            ("peak_rss_bytes", TargetFigure::Reported("peak_rss_bytes".to_owned())),
        ] {
            assert_eq!(TargetFigure::try_from(text.to_owned()).as_ref(), Ok(&figure));
            assert_eq!(figure.to_string(), text);
        }
        assert!(TargetFigure::try_from("p42".to_owned()).is_err());
    }
}
