//! The rate of requests at which targets must hold.

use super::{PolicyError, TargetConfig};
use crate::selection::IdPattern;
use crate::units::RequestRate;

/// The rates of requests at which targets are asked, by pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct AskedRates {
    rates: Vec<(IdPattern, RequestRate)>,
    /// Rates of a configuration that is not in force yet. They only count where there is no other.
    proposed: Vec<(IdPattern, RequestRate)>,
    /// Rate of the command line, which replaces all others.
    flag: Option<RequestRate>,
}

impl AskedRates {
    /// Returns the rates of these targets.
    ///
    /// Fails if a pattern is not valid.
    pub(super) fn from_targets(targets: &[TargetConfig]) -> Result<Self, PolicyError> {
        Ok(Self { rates: list_rates(targets)?, ..Self::default() })
    }

    /// Adds the rates of targets that are not in force yet.
    ///
    /// Fails if a pattern is not valid.
    pub(super) fn with_proposed(mut self, targets: &[TargetConfig]) -> Result<Self, PolicyError> {
        self.proposed = list_rates(targets)?;
        Ok(self)
    }

    /// Replaces all rates by that of the command line if there is one.
    pub(super) fn override_with_flag(mut self, rate: Option<RequestRate>) -> Self {
        self.flag = rate;
        self
    }

    /// Returns the rate for the benchmark `id`: the last that matches.
    pub(super) fn find(&self, id: &str) -> Option<RequestRate> {
        let last = |rates: &[(IdPattern, RequestRate)]| {
            rates.iter().rev().find(|(pattern, _)| pattern.matches(id)).map(|(_, rate)| *rate)
        };
        self.flag.or_else(|| last(&self.rates)).or_else(|| last(&self.proposed))
    }
}

fn list_rates(targets: &[TargetConfig]) -> Result<Vec<(IdPattern, RequestRate)>, PolicyError> {
    let with_rate = targets.iter().filter_map(|target| Some((target.bench.as_ref()?, target.at?)));
    with_rate.map(|(pattern, rate)| Ok((IdPattern::new(pattern)?, rate))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Config;

    #[test]
    fn the_last_rate_that_matches_counts_and_the_command_line_before_all() {
        let config = |text: &str| Config::from_toml(text).unwrap().target;
        let own = config(
            "[[target]]\nbench = \"**\"\np99 = \"1ms\"\nat = \"10/s\"\n\
             [[target]]\nbench = \"a\"\np99 = \"1ms\"\nat = \"20/s\"\n\
             [[target]]\nbench = \"a\"\nmean = \"1ms\"\n",
        );
        let proposed = config("[[target]]\nbench = \"a\"\np99 = \"1ms\"\nat = \"1/s\"\n");
        let find = |rates: &AskedRates, id: &str| rates.find(id).map(RequestRate::get);
        let rates = AskedRates::from_targets(&own).unwrap().with_proposed(&proposed).unwrap();
        assert_eq!(find(&rates, "a"), Some(20.0));
        assert_eq!(find(&rates, "b"), Some(10.0));
        let rates = rates.override_with_flag(RequestRate::new(5.0).ok());
        assert_eq!(find(&rates, "a"), Some(5.0));
        let rates = AskedRates::from_targets(&[]).unwrap().with_proposed(&proposed).unwrap();
        assert_eq!((find(&rates, "a"), find(&rates, "b")), (Some(1.0), None));
    }

    #[test]
    fn a_rate_without_its_unit_is_refused() {
        let text = "[[target]]\nbench = \"a\"\np99 = \"1ms\"\nat = \"100\"\n";
        let error = Config::from_toml(text).unwrap_err().to_string();
        assert!(error.contains("like `100/s`"), "{error}");
    }
}
