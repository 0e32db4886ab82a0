//! Where the added instructions of a regressed benchmark are, as callgrind counts them.
//!
//! It explains a judgement and changes nothing in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::InstructionCounts;
use crate::run::deserialize_or_default;

/// Where the added instructions of one benchmark are. All numbers are per call of the
/// benchmark, or per process depending on [`Explanation::scope`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Explanation {
    /// What the instructions explain.
    pub(crate) cause: ExplainedCause,
    /// What the numbers are of.
    #[serde(default, skip_serializing_if = "ExplainedScope::is_call")]
    pub(crate) scope: ExplainedScope,
    /// Instructions of a call.
    pub(crate) instructions: InstructionCounts,
    /// The functions whose instructions changed most, the most added first. Code of the standard
    /// library and of libraries without line tables belongs to the function that called it.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) functions: Vec<FunctionChange>,
    /// The source lines whose instructions changed most, the most added first.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) lines: Vec<LineChange>,
    /// The functions of the standard library and of libraries without line tables whose own
    /// instructions changed most. These are also part of the functions that called them.
    #[serde(default, deserialize_with = "deserialize_or_default")]
    pub(crate) standard: Vec<FunctionChange>,
    /// Events of a simulated processor by callgrind's name, such as `D1mr`. Empty if instructions
    /// explain the time, because nothing was simulated then.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) events: BTreeMap<String, SideCounts>,
    /// Events of this machine's processor and system by the names of `perf stat`, such as
    /// `page-faults`. Empty if instructions explain the time, or if nothing could be counted.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) hardware: BTreeMap<String, SideCounts>,
    /// The call stacks of both sides from their outermost functions on, for a flame graph. Inlined
    /// functions count as called. Small ones are left out, and belong to the function that calls them.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) stacks: Vec<StackNode>,
}

/// A function in call stacks, with what it calls there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StackNode {
    /// Path of the function.
    pub(crate) function: String,
    /// Its own instructions in this stack.
    pub(crate) own: SideCounts,
    /// What it calls or inlines.
    #[serde(
        default,
        deserialize_with = "deserialize_or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) callees: Vec<StackNode>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExplainedScope {
    /// One call of the benchmark, without what happens once.
    #[default]
    Call,
    /// A whole process, because the command does not make as many calls as it is asked for.
    Process,
}

impl ExplainedScope {
    /// Returns whether one call is counted, which files leave out.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_call(&self) -> bool {
        *self == Self::Call
    }
}

/// How much of a slowdown the instructions explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExplainedCause {
    /// The added instructions explain most of the added time.
    Instructions,
    /// The added instructions explain most of the added time, and all functions grew alike.
    Everywhere,
    /// The added instructions explain less than half of the added time.
    NotInstructions,
}

/// A number of the baseline and one of the candidate, per call of the benchmark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SideCounts {
    /// The number of the baseline.
    pub(crate) baseline: f64,
    /// The number of the candidate.
    pub(crate) candidate: f64,
}

/// How the instructions of one function changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FunctionChange {
    /// Path of the function, with its generic arguments if others differ only in these.
    pub(crate) function: String,
    /// Which of both sides has the function.
    pub(crate) presence: FunctionPresence,
    /// How the compiler changed its calls, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inlining: Option<InliningChange>,
    /// Its own instructions.
    pub(crate) own: SideCounts,
    /// Instructions of the function and of everything that it calls.
    pub(crate) inclusive: SideCounts,
    /// Number of calls of the function. `None` if a side inlines it, so that its calls are not
    /// counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) calls: Option<SideCounts>,
}

/// Which of both sides runs a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FunctionPresence {
    /// Both sides run it.
    Both,
    /// Only the candidate runs it.
    New,
    /// Only the baseline runs it.
    Vanished,
}

/// How the compiler changed the calls of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InliningChange {
    /// The baseline inlines it, and the candidate calls it.
    NoLongerInlined,
    /// The baseline calls it, and the candidate inlines it.
    NowInlined,
}

/// How the instructions of one source line changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineChange {
    /// Path of the file: in the repository, or beginning with the package of a dependency.
    pub(crate) file: String,
    /// Line of the candidate, or of the baseline if the candidate does not run it.
    pub(crate) line: u32,
    /// Whether the candidate runs this line.
    pub(crate) is_in_candidate: bool,
    /// Whether the file is in the repository, and not in a dependency.
    pub(crate) is_in_repository: bool,
    /// Content of the line without indentation. Empty if the file could not be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
    /// Path of the function that contains the line.
    pub(crate) function: String,
    /// Instructions of the line.
    pub(crate) own: SideCounts,
}

impl SideCounts {
    /// Returns candidate − baseline.
    pub(crate) fn added(self) -> f64 {
        self.candidate - self.baseline
    }
}

impl StackNode {
    /// Returns whether this function or one below it has no name.
    fn has_nameless(&self) -> bool {
        self.function.is_empty() || self.callees.iter().any(Self::has_nameless)
    }
}

impl Explanation {
    /// Fails if a number is impossible. The error is a sentence that names the problem.
    pub(super) fn validate(&self) -> Result<(), String> {
        let InstructionCounts { baseline, candidate } = self.instructions;
        if baseline <= 0.0 || candidate <= 0.0 {
            return Err(
                "an explanation has a count of instructions that is not above zero".to_owned()
            );
        }
        let functions = self.functions.iter().chain(&self.standard);
        if functions.clone().any(|change| change.function.is_empty()) {
            return Err("a function of an explanation has no name".to_owned());
        }
        if self.stacks.iter().any(StackNode::has_nameless) {
            return Err("a function in a call stack of an explanation has no name".to_owned());
        }
        if self.lines.iter().any(|change| change.file.is_empty() || change.line == 0) {
            return Err("a line of an explanation has no place".to_owned());
        }
        Ok(())
    }
}
