//! A benchmark that becomes slower a little every night.

use serde_json::Value;

use crate::synthetic::{History, commit_id};

use super::{Site, changes, says, visible};

/// Share by which the first benchmark of the histories gets slower every night.
const CREEP: f64 = 0.002;

fn drifting() -> History {
    History { nights: 80, creep: CREEP, ..History::default() }
}

#[test]
fn seventeen_percent_in_small_steps_are_not_called_steady() {
    let site = Site::of(&drifting());
    let output = site.trend(&["status", "--format", "json", "--repository-url", "https://x.org/d"]);
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = status.as_array().unwrap();
    let of = |id: &str| all.iter().find(|one| one["id"] == id).unwrap();
    let benchmark = of("tokenization/encode/batch/0");
    assert_eq!(benchmark["state"], "drifting");
    assert_eq!(benchmark["open"].as_array().unwrap().len(), 0, "{benchmark}");
    let [drift] = benchmark["drifts"].as_array().unwrap().as_slice() else { panic!("{benchmark}") };
    let per_week = drift["pace"]["per_week"].as_f64().unwrap();
    assert!((per_week / (7.0 * CREEP).exp() - 1.0).abs() < 0.002, "{drift}");
    let interval = &drift["pace"]["per_week_interval"];
    let [low, high] = [0, 1].map(|end| interval[end].as_f64().unwrap());
    assert!(low < per_week && per_week < high && 1.0 < low && high < 1.03, "{drift}");
    assert!((benchmark["open_ratio"].as_f64().unwrap() - 1.17).abs() < 0.02, "{benchmark}");
    assert!(drift["since"].as_str().unwrap().starts_with("2026-01-01"), "{drift}");
    assert_eq!(drift["is_ongoing"], true);
    assert_eq!(drift["to"], commit_id(79));
    let range = format!("https://x.org/d/compare/{}...{}", commit_id(0), commit_id(79));
    assert_eq!(drift["compare"], range);
    assert_eq!(of("batching/encode/batch/1")["state"], "steady");

    let text = String::from_utf8(site.trend(&["status"]).stdout).unwrap();
    says(&text, "drifting      tokenization/encode/batch/0\n");
    says(&text, "+1.4 % [+1.");
    says(&text, "] per week since 2026-01-01, +17.");
}

#[test]
fn a_drift_is_on_the_page_of_its_benchmark_and_on_the_first_one() {
    let site = Site::of(&drifting());
    site.build();
    let text = visible(&site.page("bench/tokenization"));
    says(&text, "batch/0 drifting");
    says(&text, "Drifting: +1.4 % per week since 2026-01-01, +17.");
    says(&text, "None of 2 % or more");
    says(&text, "goes on");
    assert!(!text.contains("Two nights in a row"), "{text}");
    let text = visible(&site.page("index"));
    says(&text, "+1.4 % per week since 2026-01-01, +17.");
    says(&visible(&site.page("bench/batching")), "batch/1 steady");
}

#[test]
fn a_ramp_is_one_drift_in_changes_of_any_series() {
    let ramp = |rise: f64, count: usize| {
        let value = |place: usize| (100.0 * (1.0 + rise).powf(place as f64)).to_string();
        (0..count).map(value).collect::<Vec<_>>().join(", ")
    };
    let lines = [(0.004, 80), (0.05, 40)].map(|(rise, count)| {
        format!("{{\"id\": \"{rise}\", \"values\": [{}]}}\n", ramp(rise, count))
    });
    let (output, found) = changes(&lines.concat());
    assert!(output.status.success(), "{output:?}");
    for (place, (rise, count)) in [(0.004, 80), (0.05, 40)].into_iter().enumerate() {
        assert_eq!(found[place]["change_points"].as_array().unwrap().len(), 0);
        let [drift] = found[place]["drifts"].as_array().unwrap().as_slice() else {
            panic!("{found:#}")
        };
        assert_eq!((&drift["index"], &drift["end"]), (&Value::from(0), &Value::from(count)));
        assert!((drift["ratio_per_run"].as_f64().unwrap() - 1.0 - rise).abs() < 1e-6, "{drift}");
    }
}
