//! Writes a made-up history of runs to a folder, for figures and for the tests of trend pages:
//!
//! ```sh
//! TREND_STORE=DIR TREND_NIGHTS=2000 TREND_BENCHMARKS=50 cargo run --example history
//! ```
//!
//! `TREND_COMMITS` is the path of a file with the commits of the nights. `TREND_BEGIN` is the time
//! of the first night in seconds since 1970. With `TREND_HOSTILE`, names of benchmarks are HTML.
#![expect(clippy::unwrap_used, reason = "wrong settings end the program")]

use std::env;
use std::fs;
use std::path::Path;

#[path = "../tests/it/formats.rs"]
#[expect(dead_code, reason = "only the tests read files")]
mod formats;
#[path = "../tests/it/stored_history.rs"]
mod stored_history;
#[path = "../tests/it/synthetic.rs"]
mod synthetic;

use stored_history::write_history;
use synthetic::History;

/// Returns the number in the environment variable `name`, or `None` if it is not set.
fn read_number(name: &str) -> Option<usize> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

fn main() {
    let nights = read_number("TREND_NIGHTS").unwrap_or(120);
    let mut history = History {
        nights,
        benchmarks: read_number("TREND_BENCHMARKS").unwrap_or(12),
        step: Some((nights * 2 / 3, 1.12)),
        missing: vec![nights / 4, nights / 4 + 1],
        other_host_from: Some(nights / 5),
        ..History::default()
    };
    if let Some(begin) = read_number("TREND_BEGIN") {
        history.begin = i64::try_from(begin).unwrap();
    }
    if let Some(file) = env::var_os("TREND_COMMITS") {
        let commits = fs::read_to_string(file).unwrap();
        history.commits = commits.lines().map(str::to_owned).collect();
    }
    if env::var_os("TREND_HOSTILE").is_some() {
        history.names = vec![
            "<script>alert(1)</script>".to_owned(),
            "\"><img src=x onerror=alert(1)>".to_owned(),
            "</script><script>alert(2)</script>".to_owned(),
        ];
    }
    let folder = env::var_os("TREND_STORE").expect("TREND_STORE names a folder");
    write_history(&history, Path::new(&folder));
}
