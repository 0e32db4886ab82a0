//! Durations, ratios and ranges, validated when a value is built.
//!
//! Without NaN and negative zero, ordering is total and the rest of the code need not check again.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a number or a text is not a valid value of its unit.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum UnitError {
    /// The value is not finite, or outside the range of the unit.
    #[error("`{value}` is not {expected}")]
    OutOfRange {
        /// Value that was given.
        value: String,
        /// Description of the accepted values.
        expected: &'static str,
    },
    /// The text is not a duration.
    #[error("`{0}` is not a duration: write a number and its unit, like `10ms` or `1.5us`")]
    UnreadableDuration(String),
    /// The text is not a share in percent.
    #[error("`{0}` is not a share: write it in percent, like `3%`")]
    UnreadablePercent(String),
    /// The text is not a rate of requests.
    #[error("`{0}` is not a rate: write requests per second, like `100/s`")]
    UnreadableRate(String),
}

fn check_value(value: f64, is_valid: bool, expected: &'static str) -> Result<f64, UnitError> {
    // Adding zero turns -0.0 into 0.0, so that equality and order agree.
    if is_valid {
        Ok(value + 0.0)
    } else {
        Err(UnitError::OutOfRange { value: value.to_string(), expected })
    }
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident, $expected:literal, |$value:ident| $holds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub(crate) struct $name(f64);

        impl $name {
            #[doc = concat!("The value, which must be ", $expected, ".")]
            pub(crate) fn new($value: f64) -> Result<Self, UnitError> {
                check_value($value, $holds, $expected).map(Self)
            }

            /// Returns the bare number.
            pub(crate) fn get(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = UnitError;

            fn try_from(value: f64) -> Result<Self, UnitError> {
                Self::new(value)
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> f64 {
                value.0
            }
        }

        impl Eq for $name {}

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.0.total_cmp(&other.0)
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
    };
}

unit!(
    /// Nanoseconds for one call; finite and never negative.
    Nanos,
    "a finite number of nanoseconds, zero or more",
    |ns| ns.is_finite() && ns >= 0.0
);

unit!(
    /// A quantity in the unit that its name states, such as bytes, elements per second or
    /// nanoseconds; finite and never negative.
    Amount,
    "a finite number, zero or more",
    |amount| amount.is_finite() && amount >= 0.0
);

unit!(
    /// Candidate ÷ baseline, dimensionless. Above 1 the candidate is slower.
    Ratio,
    "a finite ratio above zero",
    |ratio| ratio.is_finite() && ratio > 0.0
);

unit!(
    /// A relative difference, such as a threshold: `0.03` is 3 %. Finite and never negative.
    Percent,
    "a finite share, zero or more",
    |share| share.is_finite() && share >= 0.0
);

unit!(
    /// A position in a distribution, strictly between 0 and 1.
    Quantile,
    "a quantile strictly between 0 and 1",
    |q| q > 0.0 && q < 1.0
);

unit!(
    /// Share of intervals of this kind that hold the true value, strictly between 0 and 1.
    Confidence,
    "a confidence strictly between 0 and 1, like 0.95",
    |confidence| confidence > 0.0 && confidence < 1.0
);

unit!(
    /// Requests per second; finite and above zero.
    RequestRate,
    "a finite number of requests per second above zero",
    |rate| rate.is_finite() && rate > 0.0
);

impl Confidence {
    /// Confidence of an interval for which the user has set none.
    pub(crate) const DEFAULT: Self = Self(0.95);
}

impl Percent {
    /// No difference at all.
    pub(crate) const NOTHING: Self = Self(0.0);
}

impl Amount {
    /// Returns this quantity, or the nearest end of the range if it is outside of it.
    pub(crate) fn saturate(amount: f64) -> Self {
        Nanos::saturate(amount).into()
    }
}

impl From<Nanos> for Amount {
    fn from(ns: Nanos) -> Self {
        Self(ns.0)
    }
}

impl Ratio {
    /// Returns the ratio with this natural logarithm. The result saturates at the ends of the range
    /// of a double.
    pub(crate) fn from_ln(ln: f64) -> Self {
        Self(ln.exp().clamp(f64::MIN_POSITIVE, f64::MAX))
    }
}

impl Nanos {
    /// Returns the duration of `ns` nanoseconds, or the longest one if `ns` is larger. A figure of
    /// durations is never negative, but its computation may round it below zero, which counts as
    /// zero.
    pub(crate) fn saturate(ns: f64) -> Self {
        let ns = if ns.is_nan() { f64::MAX } else { ns };
        Self(ns.clamp(0.0, f64::MAX) + 0.0)
    }

    /// Returns the natural logarithm.
    ///
    /// A zero, which a coarse clock can report, counts as a tenth of a nanosecond: less than any
    /// call takes, but still a number with a logarithm.
    pub(crate) fn ln(self) -> f64 {
        const MIN_NANOS: f64 = 0.1;
        self.0.max(MIN_NANOS).ln()
    }
}

impl FromStr for Nanos {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        const UNITS: [(&str, f64); 9] = [
            ("ns", 1.0),
            ("us", 1e3),
            ("µs", 1e3),
            ("μs", 1e3),
            ("ms", 1e6),
            ("s", 1e9),
            ("m", 60e9),
            ("min", 60e9),
            ("h", 3600e9),
        ];
        let refuse_duration = || UnitError::UnreadableDuration(text.to_owned());
        let split = text.find(char::is_alphabetic).ok_or_else(refuse_duration)?;
        let (number, unit) = text.split_at(split);
        let (_, scale) =
            UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refuse_duration)?;
        let number: f64 = number.trim().parse().map_err(|_| refuse_duration())?;
        Self::new(number * scale).map_err(|_| refuse_duration())
    }
}

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse_percent = || UnitError::UnreadablePercent(text.to_owned());
        let number = text.trim().strip_suffix('%').ok_or_else(refuse_percent)?;
        let percent: f64 = number.trim().parse().map_err(|_| refuse_percent())?;
        Self::new(percent / 100.0).map_err(|_| refuse_percent())
    }
}

impl FromStr for RequestRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let refuse_rate = || UnitError::UnreadableRate(text.to_owned());
        let number = text.trim().strip_suffix("/s").ok_or_else(refuse_rate)?;
        let rate: f64 = number.trim().parse().map_err(|_| refuse_rate())?;
        Self::new(rate).map_err(|_| refuse_rate())
    }
}

impl fmt::Display for RequestRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl FromStr for Confidence {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        Self::new(text.parse().unwrap_or(f64::NAN)).map_err(|_| UnitError::OutOfRange {
            value: text.to_owned(),
            expected: "a confidence strictly between 0 and 1, like 0.95",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, ns: f64) {
        assert_eq!(text.parse::<Nanos>().map(Nanos::get), Ok(ns));
    }

    #[test]
    fn a_duration_needs_its_unit() {
        reads("10ms", 1e7);
        reads("1.5 s", 1.5e9);
        reads("10m", 600e9);
        reads("0.5µs", 500.0);
        for bad in ["10", "ms", "-1ms", "1e400s", "NaNms", "10 parsecs", "", "infs"] {
            assert!(bad.parse::<Nanos>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_share_needs_its_sign() {
        assert_eq!("0.5 %".parse::<Percent>().map(Percent::get), Ok(0.005));
        for bad in ["5", "-1%", "%", "nan%"] {
            assert!(bad.parse::<Percent>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rate_is_per_second() {
        let rate: RequestRate = "100/s".parse().unwrap();
        assert_eq!((rate.get(), rate.to_string()), (100.0, "100/s".to_owned()));
        assert_eq!(RequestRate::new(0.5).unwrap().to_string(), "0.5/s");
        for bad in ["100", "0/s", "-1/s", "/s", "inf/s", "NaN/s", "100/min", ""] {
            assert!(bad.parse::<RequestRate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_figure_outside_the_range_is_the_nearest_duration() {
        let saturate = |ns: f64| Nanos::saturate(ns).get();
        let saturated = [1.5, f64::INFINITY, f64::NAN, -1e-9].map(saturate).map(f64::to_bits);
        assert_eq!(saturated, [1.5, f64::MAX, f64::MAX, 0.0].map(f64::to_bits));
        assert!(saturate(-0.0).is_sign_positive());
    }

    #[test]
    fn negative_zero_is_zero() {
        assert_eq!(Nanos::new(-0.0).unwrap().cmp(&Nanos::new(0.0).unwrap()), Ordering::Equal);
    }

    #[test]
    fn a_sample_in_a_file_is_checked() {
        assert!(serde_json::from_str::<Nanos>("-1.0").is_err());
        assert!(serde_json::from_str::<Nanos>("1e999").is_err());
    }
}
