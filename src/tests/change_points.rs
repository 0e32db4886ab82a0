//! Change points of labelled series.

use std::path::{Path, PathBuf};

use crate::stats::change_points::{MIN_SHIFT, find_change_points};

fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path)
}

#[expect(clippy::print_stderr, reason = "skips are for a reader")]
fn say(line: &str) {
    eprintln!("{line}");
}

#[test]
fn labelled_series_of_other_tools_have_their_change_points() {
    let path = shared("change-points/series.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        return say(&format!("skipped: there is no `{}`", path.display()));
    };
    let series: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for entry in series.as_array().expect("a list") {
        let numbers = |key: &str| -> Option<Vec<f64>> {
            entry[key].as_array()?.iter().map(serde_json::Value::as_f64).collect()
        };
        let found = find_change_points(&numbers("values").expect("values"), MIN_SHIFT, 0.95);
        let found =
            found.expect("positive values").iter().map(|point| point.index as f64).collect();
        say(&format!("{}: {found:?}", entry["id"]));
        if let Some(expected) = numbers("change_points") {
            assert_eq!(Some(found), Some(expected), "{}", entry["id"]);
        }
    }
}
