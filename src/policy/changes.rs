//! What a change of `perfgate.toml` changes, rule by rule.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::text::cut_text;
use crate::units::Nanos;

/// Maximum number of bytes of a rule's name or value that are kept.
const MAX_TEXT_BYTES: usize = 120;

/// The lists of rules, with the keys that name each: the first one that it has.
const LISTS: [(&str, [&str; 2]); 4] = [
    ("target", ["bench", "name"]),
    ("bench", ["match", "match"]),
    ("metric", ["name", "name"]),
    ("expect", ["name", "ratio"]),
];

/// Name under which the order of the exceptions is a value.
const ORDER_NAME: &str = "order of [[bench]]";

/// A value that one of two configurations sets in another way than the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleChange {
    /// Name of the rule: `gate.threshold`, `target "encode/**" p95`.
    pub(crate) rule: String,
    /// Value in the first configuration; `None` if it sets none.
    pub(crate) before: Option<String>,
    /// Value in the second configuration; `None` if it sets none.
    pub(crate) after: Option<String>,
}

/// Lists the values that differ between the text of two configurations, in the order of their
/// names. A limit that becomes stricter is left out. A text that is not TOML counts as empty.
pub(crate) fn list_rule_changes(before: &str, after: &str) -> Vec<RuleChange> {
    let [old, new] = [before, after].map(|text| flatten(&text.parse().unwrap_or_default()));
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let mut names: Vec<&String> = names.collect();
    names.sort_unstable();
    let changes: Vec<RuleChange> = names
        .into_iter()
        .filter_map(|name| {
            let (before, after) = (old.get(name).cloned(), new.get(name).cloned());
            let is_change =
                before != after && !is_stricter(name, before.as_deref(), after.as_deref());
            is_change.then(|| RuleChange { rule: name.clone(), before, after })
        })
        .collect();
    // An added or removed exception changes the order too.
    let has_other = changes.iter().any(|change| change.rule.starts_with("bench "));
    let shown = changes.into_iter().filter(|change| !has_other || change.rule != ORDER_NAME);
    shown
        .map(|change| RuleChange {
            rule: cut_text(&change.rule, MAX_TEXT_BYTES),
            before: change.before.map(|text| cut_text(&text, MAX_TEXT_BYTES)),
            after: change.after.map(|text| cut_text(&text, MAX_TEXT_BYTES)),
        })
        .collect()
}

/// Returns whether a target or a claim is added, or the limit of a target lowered.
fn is_stricter(name: &str, before: Option<&str>, after: Option<&str>) -> bool {
    let parse = |text: &str| text.parse::<Nanos>().ok();
    let is_claim = name.starts_with("expect ") && before.is_none();
    is_claim
        || name.starts_with("target ")
            && match (before, after) {
                (None, _) => true,
                (Some(before), Some(after)) => {
                    parse(before).zip(parse(after)).is_some_and(|(before, after)| after < before)
                }
                (Some(_), None) => false,
            }
}

/// Returns the values of a configuration by name. Rules of a list are told apart by their pattern,
/// and rules with the same pattern by their number. The order of the exceptions is a value of its
/// own, because the last match wins.
fn flatten(config: &Table) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (section, content) in config {
        match content {
            Value::Table(values) => {
                for (key, value) in values {
                    flat.insert(format!("{section}.{key}"), show_value(value));
                }
            }
            Value::Array(rules) => flatten_list(section, rules, &mut flat),
            _ => {}
        }
    }
    flat
}

/// Adds the values of the rules in the list `section` to `flat`.
fn flatten_list(section: &str, rules: &[Value], flat: &mut BTreeMap<String, String>) {
    let Some((_, keys)) = LISTS.into_iter().find(|(name, _)| *name == section) else {
        return;
    };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut order = Vec::new();
    for rule in rules.iter().filter_map(Value::as_table) {
        let name_key = keys.into_iter().find(|key| rule.contains_key(*key)).unwrap_or(keys[0]);
        let pattern = rule.get(name_key).map(show_value).unwrap_or_default();
        let count = seen.entry(pattern.clone()).or_default();
        *count += 1;
        let number = if *count > 1 { format!(" ({count})") } else { String::new() };
        order.push(format!("\"{pattern}\""));
        for (key, value) in rule.iter().filter(|(key, _)| *key != name_key) {
            flat.insert(format!("{section} \"{pattern}\"{number} {key}"), show_value(value));
        }
    }
    if section == "bench" && order.len() > 1 {
        flat.insert(ORDER_NAME.to_owned(), order.join(", "));
    }
}

/// Returns a value as text, without the quotes of a string.
fn show_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(show_value).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn changes(before: &str, after: &str, expected: &[(&str, Option<&str>, Option<&str>)]) {
        let found = list_rule_changes(before, after);
        let found: Vec<_> = found
            .iter()
            .map(|change| (change.rule.as_str(), change.before.as_deref(), change.after.as_deref()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_changed_rule_is_named_with_both_values() {
        changes(
            "[gate]\nthreshold = \"1%\"\n",
            "[gate]\nthreshold = \"50%\"\nfail-on = [\"failed\", \"missing\"]\n",
            &[
                ("gate.fail-on", None, Some("failed, missing")),
                ("gate.threshold", Some("1%"), Some("50%")),
            ],
        );
        let bench = "[[bench]]\nmatch = \"a/**\"\nthreshold = \"2%\"\n";
        changes("", bench, &[("bench \"a/**\" threshold", None, Some("2%"))]);
        changes(bench, bench, &[]);
        changes("not = [toml", "", &[]);
    }

    #[test]
    fn a_target_that_only_gets_stricter_is_no_loosened_rule() {
        let target = |limit: &str| format!("[[target]]\nbench = \"a\"\np95 = \"{limit}\"\n");
        changes("", &target("10ms"), &[]);
        changes(&target("10ms"), &target("9ms"), &[]);
        changes(
            &target("9ms"),
            &target("10ms"),
            &[("target \"a\" p95", Some("9ms"), Some("10ms"))],
        );
        changes(&target("9ms"), "", &[("target \"a\" p95", Some("9ms"), None)]);
    }

    #[test]
    fn the_order_of_exceptions_is_a_rule() {
        let rule = |name: &str| format!("[[bench]]\nmatch = \"{name}\"\nthreshold = \"2%\"\n");
        let (forth, back) = (rule("a") + &rule("b"), rule("b") + &rule("a"));
        assert_eq!(list_rule_changes(&forth, &back).len(), 1);
    }
}
