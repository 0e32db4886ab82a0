//! What may decide what all rounds left undecided: longer launches, where they were short.

use super::{Change, Judgement, Stage, looks};
use crate::run::{Sampling, Source};

/// Nanoseconds of calls; a shorter launch takes in one moment of the machine, so that launches of the same
/// program differ. METHODOLOGY, "Whole checks on a real machine", has what longer ones see.
const SHORT: f64 = 1e8;

/// What a launch should last instead.
const LONG: f64 = 2.5e8;

/// One sentence about all benchmarks that longer launches may decide.
pub(super) fn complaint(judgements: &[Judgement], source: Source) -> Option<String> {
    let mut calls: Vec<f64> = judgements.iter().filter_map(calls_to_outlast_a_moment).collect();
    calls.sort_unstable_by(f64::total_cmp);
    let typical = *calls.get(calls.len() / 2)?;
    let stayed = match calls.len() {
        1 => "1 benchmark stayed".to_owned(),
        count => format!("{count} benchmarks stayed"),
    };
    // A command decides itself how often it calls.
    let flag = if source == Source::Criterion { " (`--calls`)" } else { "" };
    Some(format!(
        "{stayed} undecided in launches of less than {} ms, which see only a moment of the machine: \
         about {} calls a launch{flag} may decide more",
        SHORT / 1e6,
        one_digit(typical)
    ))
}

/// None unless its launches were short and there were as many as there will ever be.
fn calls_to_outlast_a_moment(judgement: &Judgement) -> Option<f64> {
    let side = judgement.candidate.as_ref()?;
    let rounds = judgement.launches.candidate;
    let is_undecided = judgement.change == Change::Inconclusive
        && judgement.stage == Some(Stage::Confirmed)
        && judgement.sampling == Some(Sampling::Call)
        && looks::next_look(None, rounds as usize).is_none();
    let call = side.mean.point.get();
    let launch = call * side.samples as f64 / f64::from(rounds);
    (is_undecided && call > 0.0 && launch < SHORT).then(|| LONG / call)
}

/// `value` rounded to its first digit.
fn one_digit(value: f64) -> f64 {
    let unit = 10.0_f64.powf(value.log10().floor());
    (value / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::one_digit;

    #[test]
    fn a_number_to_type_has_one_digit_and_zeros() {
        let said = [1.2, 9.6, 10_417.0, 26_000.0].map(|value| one_digit(value).to_string());
        assert_eq!(said, ["1", "10", "10000", "30000"]);
    }
}
