//! The conditions of a measurement: what must be alike for two measurements to be comparable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Benchmark, Run};

/// The execution provider that was requested and the one that ran. Both are recorded, so that a
/// fallback to another provider is never silent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderRecord {
    /// Name of the requested provider.
    pub(crate) requested: String,
    /// Name of the provider that ran.
    pub(crate) actual: String,
}

/// A condition in which two measurements differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConditionDifference {
    /// Name of the condition.
    pub(crate) key: String,
    /// Its value in the baseline; `None` if it is not known.
    pub(crate) baseline: Option<String>,
    /// Its value in the candidate; `None` if it is not known.
    pub(crate) candidate: Option<String>,
}

/// Returns the conditions in which two measurements differ, ordered by name. A condition that only
/// one of them has is a difference: nobody knows what it was in the other.
pub(crate) fn list_condition_differences(
    baseline: &BTreeMap<&str, &str>,
    candidate: &BTreeMap<&str, &str>,
) -> Vec<ConditionDifference> {
    let only_in_candidate = candidate.keys().filter(|key| !baseline.contains_key(*key));
    let mut keys: Vec<&str> = baseline.keys().chain(only_in_candidate).copied().collect();
    keys.sort_unstable();
    let differing = keys.into_iter().filter(|key| baseline.get(key) != candidate.get(key));
    let value = |side: &BTreeMap<&str, &str>, key| side.get(key).map(|value| (*value).to_owned());
    differing
        .map(|key| ConditionDifference {
            key: key.to_owned(),
            baseline: value(baseline, key),
            candidate: value(candidate, key),
        })
        .collect()
}

/// Returns the conditions that threads and provider stand for. The requested provider is a condition
/// of its own if another one ran.
pub(crate) fn list_runtime_conditions(
    threads: Option<u32>,
    provider: Option<ProviderRecord>,
) -> BTreeMap<String, String> {
    let mut conditions = BTreeMap::new();
    conditions.extend(threads.map(|threads| ("threads".to_owned(), threads.to_string())));
    if let Some(ProviderRecord { requested, actual }) = provider {
        if requested != actual {
            conditions.insert("requested-provider".to_owned(), requested);
        }
        conditions.insert("provider".to_owned(), actual);
    }
    conditions
}

impl Run {
    /// Returns the conditions of one of its benchmarks: those of the run, which the benchmark's own
    /// replace.
    pub(crate) fn list_conditions<'a>(
        &'a self,
        benchmark: &'a Benchmark,
    ) -> BTreeMap<&'a str, &'a str> {
        let all = self.conditions.iter().chain(&benchmark.conditions);
        all.map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// Moves the conditions that all measured benchmarks share from the benchmarks to the run.
    pub(crate) fn lift_shared_conditions(&mut self) {
        let mut measured = self.benchmarks.iter().filter(|one| !one.launches.is_empty());
        let Some(mut shared) = measured.next().map(|first| first.conditions.clone()) else {
            return;
        };
        for benchmark in measured {
            shared.retain(|key, value| benchmark.conditions.get(key) == Some(value));
        }
        for benchmark in &mut self.benchmarks {
            benchmark.conditions.retain(|key, _| !shared.contains_key(key));
        }
        self.conditions.extend(shared);
    }
}

/// Returns conditions as borrowed text.
pub(crate) fn borrow_conditions(conditions: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    conditions.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_run(schema: u32, settings: &str, benchmarks: &str) -> Run {
        let json = format!(
            r#"{{"schema": "perfgate.run/{schema}", "created": "2026-11-22T00:00:00Z",
                "source": "command", "settings": {settings},
                "host": {{"fingerprint": "f", "cpu_model": "c", "cores": 2, "memory_bytes": 1,
                          "os": "o", "kernel": "k"}},
                "benchmarks": [{benchmarks}]}}"#
        );
        Run::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn threads_and_provider_of_older_settings_become_conditions() {
        let settings = r#"{"seed": 1, "threads": 4,
                           "provider": {"requested": "cuda", "actual": "cpu"}}"#;
        for schema in [1, 2] {
            let run = read_run(schema, settings, "");
            let expected = [("provider", "cpu"), ("requested-provider", "cuda"), ("threads", "4")];
            assert_eq!(borrow_conditions(&run.conditions), expected.into());
            let written = serde_json::to_value(&run).unwrap();
            assert_eq!(written["settings"], serde_json::json!({"seed": 1}));
            assert_eq!(Run::from_json(written.to_string().as_bytes()).unwrap(), run);
        }
    }

    #[test]
    fn conditions_that_all_benchmarks_share_are_those_of_the_run() {
        let launches = r#""launches": [{"round": 0, "samples": [1]}]"#;
        let benchmark = |id: &str, model: &str| {
            format!(
                r#"{{"id": "{id}", "sampling": "call", {launches},
                     "conditions": {{"threads": "1", "model": "{model}"}}}}"#
            )
        };
        let failed = r#"{"id": "c", "sampling": "call", "failure": {"reason": "panicked"}}"#;
        let all = [benchmark("a", "x"), benchmark("b", "y"), failed.to_owned()].join(",");
        let mut run = read_run(2, "{}", &all);
        let list = |run: &Run, at: usize| format!("{:?}", run.list_conditions(&run.benchmarks[at]));
        let before = [list(&run, 0), list(&run, 1)];
        run.lift_shared_conditions();
        assert_eq!(borrow_conditions(&run.conditions), [("threads", "1")].into());
        assert_eq!(borrow_conditions(&run.benchmarks[0].conditions), [("model", "x")].into());
        assert_eq!([list(&run, 0), list(&run, 1)], before);
    }

    #[test]
    fn what_only_one_side_has_is_a_difference() {
        let differences = list_condition_differences(
            &[("model", "a"), ("provider", "cpu"), ("threads", "1")].into(),
            &[("inputs", "x"), ("provider", "cpu"), ("threads", "4")].into(),
        );
        let shown: Vec<_> = differences
            .iter()
            .map(|one| (&*one.key, one.baseline.as_deref(), one.candidate.as_deref()))
            .collect();
        let expected = [
            ("inputs", None, Some("x")),
            ("model", Some("a"), None),
            ("threads", Some("1"), Some("4")),
        ];
        assert_eq!(shown, expected);
    }
}
