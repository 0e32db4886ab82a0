//! Values of unchanged workloads on many machines of one type.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::{RecordingError, Replay, Table, logarithm};
use crate::evaluate::judge;
use crate::evaluate::tally::{Answer, Cell, Tally};
use crate::policy::Policy;
use crate::run::{Run, Sampling};
use crate::stats::welch;
use crate::verdict::{Baseline, Change};

/// Columns of the values of machines.
pub(crate) const MACHINES_HEAD: &str = "VM_id,t_min,value";

/// Values of one side.
const VALUES: usize = 5;

/// Where the two sides come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    SameMachine,
    OtherMachine,
    /// The same, with the host's identity hidden from the decision.
    Undetected,
    /// The same, by Welch's test alone.
    Welch,
}

impl Put {
    const ALL: [Self; 4] = [Self::SameMachine, Self::OtherMachine, Self::Undetected, Self::Welch];

    fn name(self) -> &'static str {
        match self {
            Self::SameMachine => "files, 5 v the next 5 of the same machine",
            Self::OtherMachine => "files, 5 v 5 of another machine",
            Self::Undetected => "the same, if fingerprints agreed",
            Self::Welch => "the same, plain Welch p < .05",
        }
    }
}

/// The rates on the values of machines, each benchmark a suite of its own.
pub(crate) fn machines(table: &Table, replay: &Replay<'_>) -> Result<Vec<Cell>, RecordingError> {
    let machines = read(table)?;
    let mut cells = Vec::new();
    for put in Put::ALL {
        for effect in replay.effects.iter().copied() {
            for (name, policy) in replay.policies {
                cells.push(Cell {
                    data: table.name().to_owned(),
                    effect,
                    policy: name.clone(),
                    given: put.name().to_owned(),
                    tally: replay_machines(&machines, put, effect, policy, replay),
                });
            }
        }
    }
    Ok(cells)
}

/// Values of each machine in the order of time, as logarithms of durations.
fn read(table: &Table) -> Result<Vec<Vec<f64>>, RecordingError> {
    // Rates are inverted, so that larger is slower everywhere.
    let is_rate = ["Second", "_s__", "GB_sec"].iter().any(|unit| table.name().contains(unit));
    let sign = if is_rate { -1.0 } else { 1.0 };
    let mut machines: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (index, row) in table.rows::<3>().enumerate() {
        let [machine, _, value] = row?;
        let level = logarithm(value).map_err(|why| table.shape(index + 1, why))?;
        machines.entry(machine).or_default().push(sign * level);
    }
    machines.retain(|_, values| values.len() >= 2 * VALUES);
    if machines.len() < 2 {
        return Err(table.too_little("fewer than two machines with ten values each"));
    }
    Ok(machines.into_values().collect())
}

fn replay_machines(
    machines: &[Vec<f64>],
    put: Put,
    effect: f64,
    policy: &Policy,
    replay: &Replay<'_>,
) -> Tally {
    let mut tally = Tally::default();
    let mut random = Pcg64::seed_from_u64(replay.seed);
    for _ in 0..replay.deals {
        let from = random.random_range(0..machines.len());
        let step = random.random_range(1..machines.len());
        let to = if put == Put::SameMachine { from } else { (from + step) % machines.len() };
        let last = machines[from].len().min(machines[to].len()) - 2 * VALUES;
        let start = random.random_range(0..=last);
        let next = if put == Put::SameMachine { start + VALUES } else { start };
        let baseline = &machines[from][start..start + VALUES];
        let candidate: Vec<f64> =
            machines[to][next..next + VALUES].iter().map(|level| level + effect.ln_1p()).collect();
        tally.add(&answers(put, baseline, &candidate, policy));
    }
    tally
}

fn answers(put: Put, baseline: &[f64], candidate: &[f64], policy: &Policy) -> Vec<Answer> {
    let other = if put == Put::OtherMachine { "another" } else { "one" };
    match put {
        Put::Welch => {
            let is_slower = welch::welch(baseline, candidate)
                .is_ok_and(|test| test.difference > 0.0 && test.p_two_sided(0.0) < 0.05);
            let change = if is_slower { Change::Regressed } else { Change::Unchanged };
            vec![Answer { change, rounds: 5 }]
        }
        Put::SameMachine | Put::OtherMachine | Put::Undetected => {
            judge::as_it_is(Baseline::File(&run("one", baseline)), &run(other, candidate), policy)
        }
    }
}

fn run(machine: &str, levels: &[f64]) -> Run {
    let digests = levels.iter().map(|level| judge::digest(&[*level]));
    judge::run(machine, vec![judge::benchmark("value".to_owned(), Sampling::Batch, None, digests)])
}
