//! Where a program spent its instructions, as callgrind writes it: by address, and by call from one
//! function to another.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A function of a program or of a library that it loads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CodeFunction {
    /// Path of the program or library.
    pub(crate) object: Arc<str>,
    /// Mangled name of the symbol.
    pub(crate) symbol: Arc<str>,
}

/// An instruction in a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CodePlace {
    /// The function.
    pub(crate) function: CodeFunction,
    /// Address in the program or library.
    pub(crate) address: u64,
}

/// Calls from one instruction to one function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct EdgeCost {
    /// Number of calls.
    pub(crate) calls: f64,
    /// Instructions in the called function and in everything that it calls.
    pub(crate) instructions: f64,
}

/// The instructions of one start of a program, or of one call of a benchmark.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CallProfile {
    /// Number of executions of each instruction.
    pub(crate) own: BTreeMap<CodePlace, f64>,
    /// What each instruction called, with the cost.
    pub(crate) calls: BTreeMap<(CodePlace, CodeFunction), EdgeCost>,
    /// Number of events by callgrind's name, such as `Ir` for instructions.
    pub(crate) events: BTreeMap<String, f64>,
}

impl CallProfile {
    /// Returns the number of instructions.
    pub(crate) fn count_instructions(&self) -> f64 {
        self.own.values().sum()
    }

    /// Returns the sum of this profile and another one.
    #[must_use]
    pub(crate) fn add_other(mut self, other: Self) -> Self {
        for (place, count) in other.own {
            *self.own.entry(place).or_default() += count;
        }
        for (edge, cost) in other.calls {
            let sum = self.calls.entry(edge).or_default();
            sum.calls += cost.calls;
            sum.instructions += cost.instructions;
        }
        for (event, count) in other.events {
            *self.events.entry(event).or_default() += count;
        }
        self
    }

    /// Returns what one call costs if this profile has `calls` more calls than `fewer`.
    pub(crate) fn divide_difference(&self, fewer: &Self, calls: f64) -> Self {
        // Both profiles have what is not part of a call. The difference is that of the calls.
        let mut own = self.own.clone();
        for (place, count) in &fewer.own {
            *own.entry(place.clone()).or_default() -= count;
        }
        let mut edges = self.calls.clone();
        for (edge, cost) in &fewer.calls {
            let rest = edges.entry(edge.clone()).or_default();
            rest.calls -= cost.calls;
            rest.instructions -= cost.instructions;
        }
        let mut events = self.events.clone();
        for (event, count) in &fewer.events {
            *events.entry(event.clone()).or_default() -= count;
        }
        own.retain(|_, count| *count != 0.0);
        edges.retain(|_, cost| *cost != EdgeCost::default());
        for count in own.values_mut().chain(events.values_mut()) {
            *count /= calls;
        }
        for cost in edges.values_mut() {
            cost.calls /= calls;
            cost.instructions /= calls;
        }
        Self { own, calls: edges, events }
    }
}

/// Returns the command line of the process that a file of callgrind is about; `None` if it has none.
pub(crate) fn read_profiled_command(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix("cmd:")).map(str::trim)
}

/// Reads a file that callgrind wrote with an address in front of each cost. Returns `None` if it has
/// no total, because callgrind ended before it.
pub(crate) fn parse_call_profile(text: &str) -> Option<CallProfile> {
    let mut reader = ProfileReader::default();
    text.lines().for_each(|line| reader.take_line(line));
    reader.has_total.then_some(reader.profile)
}

/// The state while a file of callgrind is read. Names are written once, with a number that replaces
/// them afterwards.
#[derive(Default)]
struct ProfileReader {
    profile: CallProfile,
    objects: HashMap<String, Arc<str>>,
    symbols: HashMap<String, Arc<str>>,
    object: Arc<str>,
    symbol: Arc<str>,
    callee_object: Option<Arc<str>>,
    callee_symbol: Arc<str>,
    /// Number of calls whose cost is in the next line; `None` if it has the cost of an instruction.
    pending_calls: Option<f64>,
    event_names: Vec<String>,
    has_total: bool,
}

impl ProfileReader {
    fn take_line(&mut self, line: &str) {
        if line.starts_with("0x") {
            self.take_cost(line);
        } else if let Some((key, value)) = line.split_once('=') {
            match key {
                "ob" => self.object = intern_name(&mut self.objects, value),
                "fn" => self.symbol = intern_name(&mut self.symbols, value),
                "cob" => self.callee_object = Some(intern_name(&mut self.objects, value)),
                "cfn" => self.callee_symbol = intern_name(&mut self.symbols, value),
                "calls" => {
                    let count = value.split(' ').next().and_then(|count| count.parse().ok());
                    self.pending_calls = Some(count.unwrap_or_default());
                }
                _ => {}
            }
        } else if let Some(names) = line.strip_prefix("events:") {
            self.event_names = names.split_whitespace().map(str::to_owned).collect();
        } else if let Some(totals) = line.strip_prefix("totals:") {
            // Zeros at the end are left out.
            let totals = totals.split_whitespace().filter_map(|total| total.parse().ok());
            let names = self.event_names.iter().cloned();
            self.profile.events = names.zip(totals.chain(std::iter::repeat(0.0))).collect();
            self.has_total = true;
        }
    }

    /// Takes a line with an address and a cost. After a line with calls, it is the cost of these.
    fn take_cost(&mut self, line: &str) {
        let pending = self.pending_calls.take();
        let callee_object = self.callee_object.take().filter(|_| pending.is_some());
        let mut words = line.split(' ');
        let address = words.next().and_then(|word| word.strip_prefix("0x"));
        let address: Option<u64> = address.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let cost: Option<f64> = words.next().and_then(|word| word.parse().ok());
        let (Some(address), Some(cost)) = (address, cost) else { return };
        let function = CodeFunction { object: self.object.clone(), symbol: self.symbol.clone() };
        let place = CodePlace { function, address };
        let Some(calls) = pending else {
            *self.profile.own.entry(place).or_default() += cost;
            return;
        };
        let callee = CodeFunction {
            object: callee_object.unwrap_or_else(|| self.object.clone()),
            symbol: self.callee_symbol.clone(),
        };
        let sum = self.profile.calls.entry((place, callee)).or_default();
        sum.calls += calls;
        sum.instructions += cost;
    }
}

/// Returns the name that `value` holds or refers to: `(7) name` defines it, and `(7)` repeats it.
fn intern_name(known: &mut HashMap<String, Arc<str>>, value: &str) -> Arc<str> {
    let Some((number, name)) = value.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
        return value.into();
    };
    if let Some(name) = name.strip_prefix(' ') {
        known.insert(number.to_owned(), name.into());
    }
    known.get(number).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of what valgrind 3.19 wrote with `--tool=callgrind --dump-instr=yes --dump-line=no
    /// --compress-pos=no --demangle=no`, with fewer functions.
    const WRITTEN: &str = "\
# callgrind format
version: 1
positions: instr
events: Ir

ob=(7) /bench
fl=(1) src/lib.rs
fn=(2) outer
0x10 4
fi=(3) src/inlined.rs
0x14 300
cob=(8) /libc
cfi=(9) ???
cfn=(3) malloc
calls=2 0x99
0x14 80
cfn=(4) mix
calls=300 0x40
0x18 9000

fn=(4)
0x40 9000

ob=(8)
fn=(3)
0x99 80

totals: 9384
";

    #[test]
    fn costs_belong_to_the_function_and_calls_to_the_called_one() {
        let profile = parse_call_profile(WRITTEN).unwrap();
        let own = profile.own.iter().map(|(place, count)| {
            let CodeFunction { object, symbol } = &place.function;
            (&**object, &**symbol, place.address, *count)
        });
        let expected = [
            ("/bench", "mix", 0x40, 9000.0),
            ("/bench", "outer", 0x10, 4.0),
            ("/bench", "outer", 0x14, 300.0),
            ("/libc", "malloc", 0x99, 80.0),
        ];
        assert_eq!(own.collect::<Vec<_>>(), expected);
        let calls = profile.calls.iter().map(|((from, to), cost)| {
            (from.address, &*to.object, &*to.symbol, cost.calls, cost.instructions)
        });
        let expected =
            [(0x14, "/libc", "malloc", 2.0, 80.0), (0x18, "/bench", "mix", 300.0, 9000.0)];
        assert_eq!(calls.collect::<Vec<_>>(), expected);
        assert!((profile.events["Ir"] - profile.count_instructions()).abs() < 1e-9);
    }

    #[test]
    fn a_file_without_a_total_is_not_complete() {
        assert_eq!(parse_call_profile("version: 1\nevents: Ir\nfn=(1) a\n0x1 5\n"), None);
        assert!(parse_call_profile("").is_none());
    }

    #[test]
    fn what_two_starts_have_in_common_is_not_part_of_a_call() {
        let parse = |own: u32, calls: u32| {
            let text = format!(
                "events: Ir\nob=(1) /b\nfn=(1) setup\n0x1 70\nfn=(2) work\n0x2 {own}\n\
                 cfn=(3) inner\ncalls={calls} 0x3\n0x2 {own}\n\ntotals: {}\n",
                own + 70
            );
            parse_call_profile(&text).unwrap()
        };
        let call = parse(3000, 60).divide_difference(&parse(1000, 20), 20.0);
        assert_eq!(call.own.into_values().collect::<Vec<_>>(), [100.0]);
        let cost = EdgeCost { calls: 2.0, instructions: 100.0 };
        assert_eq!(call.calls.into_values().collect::<Vec<_>>(), [cost]);
        assert!((call.events["Ir"] - 100.0).abs() < 1e-9);
    }
}
