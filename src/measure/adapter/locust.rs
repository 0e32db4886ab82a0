//! locust: `--json`, which counts requests by rounded time, or the file `PREFIX_stats.csv` of
//! `--csv PREFIX`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{
    MILLISECOND, describe_failures, expand_histogram, list_lines, parse_json, parse_number,
    read_text,
};
use crate::run::{LatencyOrigin, LoadPacing, LoadShape, RATE_METRIC};

/// The requests of one name. The keys of `response_times` are milliseconds.
#[derive(Deserialize)]
struct LocustEntry<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    num_requests: f64,
    num_failures: f64,
    /// Seconds since the Unix epoch.
    start_time: Option<f64>,
    last_request_timestamp: Option<f64>,
    #[serde(borrow)]
    response_times: BTreeMap<Cow<'a, str>, f64>,
}

/// The columns of the CSV format that are read.
const COLUMNS: [&str; 5] =
    ["Type", "Name", "Request Count", "Failure Count", "Average Response Time"];
/// The columns with percentiles, and the metrics that they become.
const PERCENTILES: [(&str, &str); 4] =
    [("50%", "p50_ns"), ("90%", "p90_ns"), ("95%", "p95_ns"), ("99%", "p99_ns")];

/// Reads the time of each request, rounded as locust counts it, or the mean of all. A failed request
/// fails the benchmark.
///
/// # Errors
///
/// Fails if the file is not what locust writes.
pub(super) fn parse_locust(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut run = RunCollector::new("locust");
    // A user waits for an answer before its next request.
    run.add_load(LoadShape {
        pacing: LoadPacing::Closed,
        origin: LatencyOrigin::Sent,
        ..LoadShape::default()
    });
    if !text.trim_start().starts_with('[') {
        add_rows(&mut run, text)?;
        return run.finish();
    }
    let entries: Vec<LocustEntry<'_>> = parse_json(bytes)?;
    for LocustEntry {
        name,
        method,
        num_requests,
        num_failures,
        start_time,
        last_request_timestamp,
        response_times,
    } in entries
    {
        let name = format!("{} {name}", method.unwrap_or_default()).trim().to_owned();
        if num_failures > 0.0 {
            run.add_failure(0, &name, &describe_failures(num_failures, num_requests))?;
            continue;
        }
        let mut times = Vec::new();
        for (time, count) in response_times {
            let time =
                parse_number(&time).map_err(|cause| AdapterError::Line { line: 1, cause })?;
            times.push((time, count));
        }
        times.sort_by(|one, other| one.0.total_cmp(&other.0));
        let times = expand_histogram(&name, times)?;
        let time = last_request_timestamp.zip(start_time).map(|(last, first)| last - first);
        let rate = time.filter(|time| *time > 0.0).map(|time| num_requests / time);
        let entry = AdapterEntry::of_calls(name, times, MILLISECOND);
        run.add(0, entry.with_metric(RATE_METRIC, rate))?;
    }
    run.finish()
}

fn add_rows(run: &mut RunCollector, text: &str) -> Result<(), AdapterError> {
    let mut lines = list_lines(text);
    let Some((line, header)) = lines.next() else { return Ok(()) };
    let header = split_row(header);
    let find = |name: &str| header.iter().position(|column| column == name);
    let mut columns = [0; COLUMNS.len()];
    for (place, name) in columns.iter_mut().zip(COLUMNS) {
        let missing = || AdapterError::Line { line, cause: format!("no column `{name}`") };
        *place = find(name).ok_or_else(missing)?;
    }
    for (line, row) in lines {
        let row = split_row(row);
        let refuse = |cause: String| AdapterError::Line { line, cause };
        if row.len() != header.len() {
            return Err(refuse(format!("{} fields in place of {}", row.len(), header.len())));
        }
        let [method, name, requests, failures, mean] = columns.map(|at| row[at].as_str());
        if name == "Aggregated" && method.is_empty() {
            continue;
        }
        let name = format!("{method} {name}").trim().to_owned();
        let requests = parse_number(requests).map_err(refuse)?;
        let failures = parse_number(failures).map_err(refuse)?;
        if failures > 0.0 {
            run.add_failure(0, &name, &describe_failures(failures, requests))?;
            continue;
        }
        let mean = parse_number(mean).map_err(refuse)?;
        let mut entry = AdapterEntry::of_mean(name, mean, MILLISECOND, Some(requests));
        let rate = find("Requests/s").map(|at| parse_number(&row[at]));
        entry = entry.with_metric(RATE_METRIC, rate.transpose().map_err(refuse)?);
        for (column, metric) in PERCENTILES {
            let time = find(column).map(|at| row[at].as_str()).filter(|time| *time != "N/A");
            let time = time.map(parse_number).transpose().map_err(refuse)?;
            entry = entry.with_metric(metric, time.map(|time| time * MILLISECOND));
        }
        run.add(0, entry)?;
    }
    Ok(())
}

/// Splits a row of CSV. A field in quotes may hold commas and doubled quotes.
fn split_row(row: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = row.chars().peekable();
    while let Some(letter) = letters.next() {
        let field = fields.last_mut().expect("a row has a field");
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => {
                field.push('"');
                letters.next();
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            letter => field.push(letter),
        }
    }
    fields
}
