//! The files that are made from a history besides pages: exports and charts.

use std::fs;

use serde_json::Value;

use super::{Site, says};
use crate::synthetic::History;

#[test]
fn exports_have_a_row_for_each_run_benchmark_and_metric() {
    let site = Site::of(&History { nights: 6, ..History::default() });
    let file = site.folder.path().join("history");
    let export = |format: &str| {
        let output =
            site.trend(&["export", "--format", format, "--output", file.to_str().unwrap()]);
        assert!(output.status.success(), "{output:?}");
        fs::read_to_string(&file).unwrap()
    };
    let csv = export("csv");
    assert_eq!(csv.lines().count(), 1 + 6 * 3 * 4);
    assert!(csv.starts_with("run,created,commit,branch,host,"), "{csv}");
    let json: Vec<Value> = serde_json::from_str(&export("json")).unwrap();
    assert_eq!(json.len(), 6 * 3 * 4);
    assert_eq!(json[0]["metric"], "p50");
}

#[test]
#[cfg(feature = "parquet")]
fn parquet_has_the_rows_of_the_json() {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    let site = Site::of(&History { nights: 6, ..History::default() });
    let file = site.folder.path().join("history.parquet");
    let output = site.trend(&["export", "--format", "parquet", "--output", file.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let read = SerializedFileReader::new(fs::File::open(&file).unwrap()).unwrap();
    assert_eq!(read.metadata().file_metadata().num_rows(), 6 * 3 * 4);
    assert_eq!(read.metadata().file_metadata().schema_descr().num_columns(), 15);
}

#[test]
fn charts_to_keep_are_one_a_benchmark_and_one_of_all() {
    let site = Site::of(&History { step: Some((40, 1.1)), ..History::default() });
    let out = site.folder.path().join("plots");
    let output = site.trend(&["plot", "--out", out.to_str().unwrap()]);
    says(&String::from_utf8(output.stdout).unwrap(), "4 charts");
    let comparison = fs::read_to_string(out.join("comparison.svg")).unwrap();
    says(&comparison, "against a month ago");
    says(&comparison, "tokenization/encode/batch/0");
}
