//! Advice for benchmarks of a command that all rounds left undecided: longer launches, if the
//! launches were short. A command chooses its number of calls itself; for benches perfgate does.

use super::looks;
use crate::decision::{Change, CheckStage, Judgement};
use crate::note::Note;
use crate::run::{LookHorizon, SampleSource, Sampling};
use crate::units::Nanos;

/// Length of a short launch: nanoseconds of calls. A shorter launch covers one moment of the
/// machine, so launches of the same program differ. METHODOLOGY, "Whole checks on a real machine",
/// reports what longer launches detect.
const SHORT_LAUNCH_NANOS: f64 = 1e8;

/// Advised length of a launch, in nanoseconds of calls.
const LONG_LAUNCH_NANOS: f64 = 2.5e8;

/// Returns one note about all benchmarks that longer launches may decide, or `None` if there
/// are none.
pub(super) fn suggest_longer_launches(
    judgements: &[Judgement],
    source: SampleSource,
    horizon: LookHorizon,
) -> Option<Note> {
    let suggested = judgements.iter().filter_map(|judgement| suggest_calls(judgement, horizon));
    if source != SampleSource::Command {
        return None;
    }
    let mut calls: Vec<f64> = suggested.collect();
    calls.sort_unstable_by(f64::total_cmp);
    let median_calls = *calls.get(calls.len() / 2)?;
    Some(Note::ShortLaunches {
        benchmarks: u32::try_from(calls.len()).unwrap_or(u32::MAX),
        limit: Nanos::new(SHORT_LAUNCH_NANOS).expect("a tenth of a second is a duration"),
        calls: round_to_one_digit(median_calls),
        has_calls_flag: false,
    })
}

/// Returns the number of calls that a longer launch would have. Returns `None` unless the benchmark
/// stayed undecided after the last look and its launches were short.
///
/// A launch of one call measures what happens once per process, such as a cold start. More calls
/// would measure something else, so it gets no advice.
fn suggest_calls(judgement: &Judgement, horizon: LookHorizon) -> Option<f64> {
    let candidate = judgement.candidate.as_ref()?;
    let rounds = judgement.launches.candidate;
    let is_undecided = judgement.change == Change::Inconclusive
        && judgement.stage == Some(CheckStage::Confirmed)
        && judgement.sampling == Some(Sampling::Call)
        && looks::find_next_look(None, horizon, rounds as usize).is_none();
    let has_single_calls = candidate.samples <= u64::from(rounds);
    let call_nanos = candidate.mean.point.get();
    let launch_nanos = call_nanos * candidate.samples as f64 / f64::from(rounds);
    (is_undecided && !has_single_calls && call_nanos > 0.0 && launch_nanos < SHORT_LAUNCH_NANOS)
        .then(|| LONG_LAUNCH_NANOS / call_nanos)
}

/// Returns `value` rounded to its first digit.
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
