//! What may decide what all rounds left undecided: longer launches, where they were short.

use super::{Change, CheckStage, Judgement, looks};
use crate::run::{SampleSource, Sampling};

/// Nanoseconds of calls; a shorter launch takes in one moment of the machine, so that launches of the same
/// program differ. METHODOLOGY, "Whole checks on a real machine", has what longer ones see.
const SHORT_LAUNCH_NANOS: f64 = 1e8;

/// What a launch should last instead.
const LONG_LAUNCH_NANOS: f64 = 2.5e8;

/// One sentence about all benchmarks that longer launches may decide.
pub(super) fn suggest_longer_launches(
    judgements: &[Judgement],
    source: SampleSource,
) -> Option<String> {
    let mut calls: Vec<f64> = judgements.iter().filter_map(suggest_calls).collect();
    calls.sort_unstable_by(f64::total_cmp);
    let median_calls = *calls.get(calls.len() / 2)?;
    let stayed = match calls.len() {
        1 => "1 benchmark stayed".to_owned(),
        count => format!("{count} benchmarks stayed"),
    };
    // A command decides itself how often it calls.
    let flag = if source == SampleSource::Criterion { " (`--calls`)" } else { "" };
    Some(format!(
        "{stayed} undecided in launches of less than {} ms, which see only a moment of the machine: \
         about {} calls a launch{flag} may decide more",
        SHORT_LAUNCH_NANOS / 1e6,
        round_to_one_digit(median_calls)
    ))
}

/// None unless its launches were short and there were as many as there will ever be.
fn suggest_calls(judgement: &Judgement) -> Option<f64> {
    let candidate = judgement.candidate.as_ref()?;
    let rounds = judgement.launches.candidate;
    let is_undecided = judgement.change == Change::Inconclusive
        && judgement.stage == Some(CheckStage::Confirmed)
        && judgement.sampling == Some(Sampling::Call)
        && looks::find_next_look(None, rounds as usize).is_none();
    let call_nanos = candidate.mean.point.get();
    let launch_nanos = call_nanos * candidate.samples as f64 / f64::from(rounds);
    (is_undecided && call_nanos > 0.0 && launch_nanos < SHORT_LAUNCH_NANOS)
        .then(|| LONG_LAUNCH_NANOS / call_nanos)
}

/// `value` rounded to its first digit.
fn round_to_one_digit(value: f64) -> f64 {
    let unit = 10.0_f64.powf(value.log10().floor());
    (value / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::round_to_one_digit;

    #[test]
    fn a_number_to_type_has_one_digit_and_zeros() {
        let said =
            [1.2, 9.6, 10_417.0, 26_000.0].map(|value| round_to_one_digit(value).to_string());
        assert_eq!(said, ["1", "10", "10000", "30000"]);
    }
}
