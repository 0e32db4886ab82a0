//! Reading a decision file: older schemas, and checks beyond the types of the fields.

use std::collections::HashSet;

use super::{DECISION_SCHEMA, Decision, Judgement};
use crate::compare::compute_throughput;
use crate::note::Note;
use crate::policy::FailOn;
use crate::run::{FileError, check_schema};

/// The schemas that this version reads, oldest first.
const READABLE_DECISIONS: [&str; 2] = ["perfgate.decision/1", DECISION_SCHEMA];

/// Maximum number of benchmarks in a decision, and of values in every other list of it.
const MAX_VALUES: usize = 20_000;

/// The sentence by which a file of schema 1 marks a benchmark whose sides are the same program.
const SAME_PROGRAM_SENTENCE: &str =
    "both commits build the same program, byte for byte: there is nothing to measure";

impl Decision {
    /// Reads a decision from JSON. A decision of an older schema becomes one of the current schema.
    ///
    /// # Errors
    ///
    /// Fails if `json` is not a decision of a known schema, if it contradicts itself, or if a text or
    /// a list in it is too long.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, FileError> {
        check_schema(json, &READABLE_DECISIONS, Some(MAX_VALUES))?;
        let mut decision: Self = serde_json::from_slice(json)?;
        decision.check_exit_status().map_err(FileError::Invalid)?;
        if decision.schema != DECISION_SCHEMA {
            decision.benchmarks.iter_mut().for_each(Judgement::add_throughput);
        }
        DECISION_SCHEMA.clone_into(&mut decision.schema);
        let recorded = Note::Recorded { sentence: SAME_PROGRAM_SENTENCE.to_owned() };
        for note in decision.benchmarks.iter_mut().flat_map(|judgement| &mut judgement.notes) {
            if *note == recorded {
                *note = Note::SameProgram;
            }
        }
        decision.validate().map_err(FileError::Invalid)?;
        Ok(decision)
    }

    /// Fails if the exit status does not belong to the verdict. The error is a sentence that names
    /// the problem.
    ///
    /// In schema 1, every inconclusive check blocked. Since then it blocks if the policy fails on
    /// inconclusive benchmarks, and may block for another reason.
    fn check_exit_status(&self) -> Result<(), String> {
        let must_block =
            self.schema != DECISION_SCHEMA || self.fail_on.contains(&FailOn::Inconclusive);
        let status = self.exit_status;
        let strict = self.verdict.exit_status(true);
        if status == strict || (!must_block && status == self.verdict.exit_status(false)) {
            return Ok(());
        }
        Err(format!("the exit status is {status}, but that of the verdict is {strict}"))
    }

    /// Refuses a decision that contradicts itself, because a decision file may come from a
    /// stranger.
    ///
    /// Fails if a benchmark appears twice, or if the values of a benchmark are impossible. The error
    /// is a sentence that names the problem.
    fn validate(&self) -> Result<(), String> {
        let mut seen = HashSet::with_capacity(self.benchmarks.len());
        for (place, judgement) in self.benchmarks.iter().enumerate() {
            judgement.validate().map_err(|why| format!("benchmark {place}: {why}"))?;
            if !seen.insert((&judgement.package, &judgement.id)) {
                return Err(format!("benchmark {place} appears twice"));
            }
        }
        Ok(())
    }
}

impl Judgement {
    /// Adds the throughput of both sides, which files of schema 1 do not have.
    fn add_throughput(&mut self) {
        for side in self.baseline.iter_mut().chain(&mut self.candidate) {
            side.throughput = compute_throughput(&self.per_call, side.mean.point);
        }
    }

    /// Fails if a value of the judgement is impossible. The error is a sentence that names the
    /// problem.
    fn validate(&self) -> Result<(), String> {
        if self.id.is_empty() {
            return Err("its id is empty".to_owned());
        }
        let probabilities = [("p_value", self.p_value), ("q_value", self.q_value)];
        for (name, probability) in probabilities {
            if probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
                return Err(format!("{name} is not between 0 and 1"));
            }
        }
        let shares = [self.minimum_detectable, self.noise_floor].into_iter().flatten();
        if shares.chain(self.per_call.values().copied()).any(|amount| amount < 0.0) {
            return Err("an amount is negative".to_owned());
        }
        let counts = self.instructions.iter();
        if counts.flat_map(|sides| [sides.baseline, sides.candidate]).any(|count| count <= 0.0) {
            return Err("a count of instructions is not above zero".to_owned());
        }
        if let Some(explanation) = &self.explanation {
            explanation.validate()?;
        }
        let sides = self.baseline.iter().chain(&self.candidate);
        let rates = sides.clone().flat_map(|side| side.throughput.values());
        if rates.into_iter().any(|rate| *rate < 0.0) {
            return Err("a throughput is negative".to_owned());
        }
        let mut histograms = sides.filter_map(|summary| summary.histogram.as_ref());
        if histograms.any(|histogram| histogram.counts.is_empty() || histogram.low > histogram.high)
        {
            return Err(
                "a histogram has no bins, or its lower end is above its upper end".to_owned()
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a decision of this schema on one benchmark, which has this field.
    fn decision_json(schema: &str, field: &str) -> String {
        format!(
            r#"{{"schema": "perfgate.decision/{schema}", "verdict": "pass", "exit_status": 0,
                "baseline": {{"kind": "rounds"}},
                "candidate": {{"host": {{"fingerprint": "f", "cpu_model": "c", "cores": 1,
                    "memory_bytes": 0, "os": "o", "kernel": "k"}}}},
                "benchmarks": [{{"id": "a", "change": "unchanged",
                    "launches": {{"baseline": 0, "candidate": 0}}, {field}}}]}}"#
        )
    }

    #[test]
    fn a_decision_of_schema_1_becomes_one_of_schema_2() {
        let reasons = format!(r#""reasons": ["{SAME_PROGRAM_SENTENCE}", "words"]"#);
        let decision = Decision::from_json(decision_json("1", &reasons).as_bytes()).unwrap();
        assert!(decision.benchmarks[0].is_same_program());
        let recorded = Note::Recorded { sentence: "words".to_owned() };
        assert_eq!(decision.benchmarks[0].notes, [Note::SameProgram, recorded]);
        let written = serde_json::to_string(&decision).unwrap();
        assert!(written.starts_with(r#"{"schema":"perfgate.decision/2""#), "{written}");
        assert_eq!(Decision::from_json(written.as_bytes()).unwrap(), decision);
    }

    #[test]
    fn a_decision_of_a_newer_perfgate_is_refused_in_one_line() {
        let error = Decision::from_json(decision_json("3", r#""new": 1"#).as_bytes()).unwrap_err();
        assert!(matches!(error, FileError::NewerSchema { .. }), "{error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
}
