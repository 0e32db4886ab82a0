//! Replays values of unchanged workloads on many machines of one type.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::{RecordingError, RecordingTable, ReplayPlan, parse_logarithm};
use crate::decision::Change;
use crate::evaluate::judge;
use crate::evaluate::tally::{AnswerTally, BenchmarkAnswer, RateCell};
use crate::policy::Policy;
use crate::run::{Run, Sampling};
use crate::stats::test::t;
use crate::verdict::BaselineEvidence;

/// Header line of a file with values of machines.
pub(crate) const MACHINES_HEAD: &str = "VM_id,t_min,value";

/// Number of values per side.
const VALUES_PER_SIDE: usize = 5;

/// Origin of the two sides, and how they are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MachineComparison {
    /// Consecutive values of one machine.
    SameMachine,
    /// Values of two machines.
    OtherMachine,
    /// Values of two machines, with the host's identity hidden from the decision.
    Undetected,
    /// Values of two machines, judged by Welch's test alone.
    Welch,
}

impl MachineComparison {
    const ALL: [Self; 4] = [Self::SameMachine, Self::OtherMachine, Self::Undetected, Self::Welch];

    fn name(self) -> &'static str {
        match self {
            Self::SameMachine => "files, 5 vs the next 5 of the same machine",
            Self::OtherMachine => "files, 5 vs 5 of another machine",
            Self::Undetected => "the same, if fingerprints agreed",
            Self::Welch => "the same, plain Welch p < 0.05",
        }
    }
}

/// Returns the rates on the values of machines; each benchmark is a suite of its own.
///
/// # Errors
///
/// Fails if a line has an unknown shape, or if there are fewer than two machines with enough
/// values.
pub(crate) fn evaluate_machines(
    table: &RecordingTable,
    replay: &ReplayPlan<'_>,
) -> Result<Vec<RateCell>, RecordingError> {
    let machines = read_machines(table)?;
    let mut cells = Vec::new();
    for comparison in MachineComparison::ALL {
        for effect in replay.effects.iter().copied() {
            for (name, policy) in replay.policies {
                cells.push(RateCell {
                    data: table.name().to_owned(),
                    effect,
                    policy: name.clone(),
                    given: comparison.name().to_owned(),
                    tally: replay_machines(&machines, comparison, effect, policy, replay),
                });
            }
        }
    }
    Ok(cells)
}

/// Returns the values of each machine in the order of time, as logarithms of durations.
fn read_machines(table: &RecordingTable) -> Result<Vec<Vec<f64>>, RecordingError> {
    // Rates are inverted, so that larger always means slower.
    let is_rate = ["Second", "_s__", "GB_sec"].iter().any(|unit| table.name().contains(unit));
    let sign = if is_rate { -1.0 } else { 1.0 };
    let mut machines: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (index, row) in table.rows::<3>().enumerate() {
        let [machine, _, value] = row?;
        let level =
            parse_logarithm(value).map_err(|why| table.build_shape_error(index + 1, why))?;
        machines.entry(machine).or_default().push(sign * level);
    }
    machines.retain(|_, values| values.len() >= 2 * VALUES_PER_SIDE);
    if machines.len() < 2 {
        return Err(table.build_too_little_error("fewer than two machines with ten values each"));
    }
    Ok(machines.into_values().collect())
}

fn replay_machines(
    machines: &[Vec<f64>],
    comparison: MachineComparison,
    effect: f64,
    policy: &Policy,
    replay: &ReplayPlan<'_>,
) -> AnswerTally {
    let mut tally = AnswerTally::default();
    let mut random = Pcg64::seed_from_u64(replay.seed);
    for _ in 0..replay.deals {
        // The baseline is a stretch of one machine. The candidate is the stretch after it on the
        // same machine, or the stretch at the same place on another one.
        let from = random.random_range(0..machines.len());
        let step = random.random_range(1..machines.len());
        let to = if comparison == MachineComparison::SameMachine {
            from
        } else {
            (from + step) % machines.len()
        };
        let last = machines[from].len().min(machines[to].len()) - 2 * VALUES_PER_SIDE;
        let start = random.random_range(0..=last);
        let next = if comparison == MachineComparison::SameMachine {
            start + VALUES_PER_SIDE
        } else {
            start
        };
        let baseline = &machines[from][start..start + VALUES_PER_SIDE];
        let candidate: Vec<f64> = machines[to][next..next + VALUES_PER_SIDE]
            .iter()
            .map(|level| level + effect.ln_1p())
            .collect();
        tally.add_suite(&judge_values(comparison, baseline, &candidate, policy));
    }
    tally
}

fn judge_values(
    comparison: MachineComparison,
    baseline: &[f64],
    candidate: &[f64],
    policy: &Policy,
) -> Vec<BenchmarkAnswer> {
    let candidate_machine =
        if comparison == MachineComparison::OtherMachine { "another" } else { "one" };
    match comparison {
        MachineComparison::Welch => {
            let is_slower = t::compute_welch_test(baseline, candidate)
                .is_ok_and(|test| test.difference > 0.0 && test.p_two_sided(0.0) < 0.05);
            let change = if is_slower { Change::Regressed } else { Change::Unchanged };
            vec![BenchmarkAnswer { change, rounds: 5 }]
        }
        MachineComparison::SameMachine
        | MachineComparison::OtherMachine
        | MachineComparison::Undetected => judge::decide_without_rounds(
            BaselineEvidence::File(&build_machine_run("one", baseline)),
            &build_machine_run(candidate_machine, candidate),
            policy,
        ),
    }
}

fn build_machine_run(machine: &str, levels: &[f64]) -> Run {
    let digests = levels.iter().map(|level| judge::compute_digest(&[*level]));
    judge::build_run(
        machine,
        vec![judge::build_benchmark("value".to_owned(), Sampling::Batch, None, digests)],
    )
}
