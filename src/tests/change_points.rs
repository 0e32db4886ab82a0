//! Change points of labelled series.

use std::path::Path;

use crate::stats::change_points::MIN_SHIFT;
use crate::stats::drift::find_trend_changes;

#[test]
#[ignore = "needs public data sets; .ci/run runs it where they are"]
fn labelled_series_of_other_tools_have_their_change_points() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/change-points/series.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let series: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut checked = 0;
    for entry in series.as_array().expect("a list") {
        let numbers = |key: &str| -> Option<Vec<f64>> {
            entry[key].as_array()?.iter().map(serde_json::Value::as_f64).collect()
        };
        let Some(expected) = numbers("change_points") else { continue };
        let found = find_trend_changes(&numbers("values").expect("values"), MIN_SHIFT, 0.95);
        let found = found.expect("positive values");
        let steps: Vec<f64> = found.steps.iter().map(|point| point.index as f64).collect();
        assert_eq!(steps, expected, "{}", entry["id"]);
        assert!(found.drifts.is_empty(), "{}: {:?}", entry["id"], found.drifts);
        checked += 1;
    }
    assert!(checked > 0, "no series has labels");
}
