//! How a service was loaded, as conditions of a measurement.

use std::collections::BTreeMap;

use crate::units::RequestRate;

/// Name of the condition that states when the next request is sent: on schedule, or after an answer.
const PACING_KEY: &str = "load";
/// Name of the condition that states from which moment a latency counts.
const LATENCY_KEY: &str = "latency-from";
/// Name of the condition with the rate of requests that was asked for.
const RATE_KEY: &str = "rate";
/// Name of the condition with the largest number of requests at a time.
const CONCURRENCY_KEY: &str = "concurrency";
/// Name of the metric with the rate of requests that was reached, per second.
pub(crate) const RATE_METRIC: &str = "requests_per_second";
/// Name of the metric with the number of requests that were not sent or given up.
pub(crate) const DROPPED_METRIC: &str = "dropped_requests";
/// Value of a condition that the output of a load generator does not state.
const UNKNOWN_CONDITION: &str = "unknown";

/// When a load generator sends the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LoadPacing {
    /// On schedule, whether or not answers have come.
    Open,
    /// When an answer has come, so that a slow service gets fewer requests.
    Closed,
    /// Nobody states it.
    #[default]
    Unknown,
}

/// The moment from which the latency of a request counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LatencyOrigin {
    /// When the schedule asked for the request, so that its wait for a free connection counts.
    IntendedStart,
    /// When the request was sent.
    Sent,
    /// Nobody states it.
    #[default]
    Unknown,
}

/// How a service was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LoadShape {
    /// When the next request is sent.
    pub(crate) pacing: LoadPacing,
    /// The moment from which a latency counts.
    pub(crate) origin: LatencyOrigin,
    /// Rate of requests that was asked for; `None` if there is none, or nobody states it.
    pub(crate) rate: Option<RequestRate>,
    /// Largest number of requests at a time; `None` if there is no limit, or nobody states it.
    pub(crate) concurrency: Option<f64>,
}

impl LoadPacing {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Unknown => UNKNOWN_CONDITION,
        }
    }
}

impl LatencyOrigin {
    fn name(self) -> &'static str {
        match self {
            Self::IntendedStart => "intended-start",
            Self::Sent => "sent",
            Self::Unknown => UNKNOWN_CONDITION,
        }
    }
}

impl LoadShape {
    /// Returns the shape that these conditions describe. What is missing or has another value is not
    /// known.
    pub(crate) fn from_conditions(conditions: &BTreeMap<&str, &str>) -> Self {
        let get = |key: &str| conditions.get(key).copied();
        let pacings = [LoadPacing::Open, LoadPacing::Closed];
        let origins = [LatencyOrigin::IntendedStart, LatencyOrigin::Sent];
        let pacing = pacings.into_iter().find(|pacing| get(PACING_KEY) == Some(pacing.name()));
        let origin = origins.into_iter().find(|origin| get(LATENCY_KEY) == Some(origin.name()));
        Self {
            pacing: pacing.unwrap_or_default(),
            origin: origin.unwrap_or_default(),
            rate: get(RATE_KEY).and_then(|rate| rate.parse().ok()),
            concurrency: get(CONCURRENCY_KEY).and_then(|count| count.parse().ok()),
        }
    }

    /// Returns the conditions that describe the shape.
    pub(crate) fn to_conditions(self) -> BTreeMap<String, String> {
        let known = [
            (PACING_KEY, Some(self.pacing.name().to_owned())),
            (LATENCY_KEY, Some(self.origin.name().to_owned())),
            (RATE_KEY, self.rate.map(|rate| rate.to_string())),
            (CONCURRENCY_KEY, self.concurrency.map(|count| count.to_string())),
        ];
        let known = known.into_iter();
        known.filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

/// Adds `stated` to `conditions` where these lack a condition, or state that it is unknown.
pub(crate) fn fill_unknown_conditions(
    conditions: &mut BTreeMap<String, String>,
    stated: &BTreeMap<String, String>,
) {
    for (key, value) in stated {
        let own = conditions.entry(key.clone()).or_insert_with(|| value.clone());
        if own == UNKNOWN_CONDITION {
            own.clone_from(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::borrow_conditions;

    #[test]
    fn a_shape_is_read_back_from_its_conditions() {
        for shape in [
            LoadShape::default(),
            LoadShape {
                pacing: LoadPacing::Open,
                origin: LatencyOrigin::IntendedStart,
                rate: RequestRate::new(0.25).ok(),
                concurrency: Some(8.0),
            },
            LoadShape {
                pacing: LoadPacing::Closed,
                origin: LatencyOrigin::Sent,
                ..LoadShape::default()
            },
        ] {
            let conditions = shape.to_conditions();
            assert_eq!(LoadShape::from_conditions(&borrow_conditions(&conditions)), shape);
        }
        let other = [("load", "wild"), ("rate", "fast"), ("concurrency", "many")].into();
        assert_eq!(LoadShape::from_conditions(&other), LoadShape::default());
    }

    #[test]
    fn what_is_stated_fills_what_is_unknown_and_nothing_else() {
        let own = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let mut conditions = own(&[("load", "unknown"), ("latency-from", "sent")]);
        let stated = own(&[("load", "open"), ("latency-from", "intended-start"), ("rate", "5/s")]);
        fill_unknown_conditions(&mut conditions, &stated);
        let expected = own(&[("load", "open"), ("latency-from", "sent"), ("rate", "5/s")]);
        assert_eq!(conditions, expected);
    }
}
