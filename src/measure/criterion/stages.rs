//! Follows the stages of a launch by the lines that Criterion 0.5 to 0.8 prints.

use std::time::{Duration, Instant};

/// Units in which Criterion shows times. The micro sign has two forms.
const TIME_UNITS: [&str; 6] = ["ps", "ns", "µs", "μs", "ms", "s"];
/// Part of the message with which Criterion rejects calls that take no measurable time.
const ZERO_TIME_MESSAGE: &str = "took zero time";

/// Shortest time between two benchmarks that counts as set-up. In a shorter one Criterion writes its
/// files.
const MIN_SETUP: Duration = Duration::from_millis(10);

/// A benchmark that began to run, according to Criterion's output.
pub(super) struct BegunBenchmark {
    /// Title under which Criterion prints the benchmark.
    pub(super) title: String,
    /// When the warm-up began.
    warmup_began: Instant,
    /// When the measured calls began; `None` during warm-up.
    calls_began: Option<Instant>,
    /// Time in nanoseconds that all measured calls took, with the work between them; `None` until
    /// they have ended.
    pub(super) elapsed: Option<f64>,
    /// Unit in which Criterion shows the result; `None` if it shows none.
    pub(super) unit: Option<String>,
    /// Whether Criterion rejected the result because calls took no measurable time.
    pub(super) is_too_fast: bool,
}

impl BegunBenchmark {
    /// Returns the nanoseconds that the warm-up took; `None` until it has ended.
    pub(super) fn warmup_nanos(&self) -> Option<f64> {
        let calls = self.calls_began?;
        Some(calls.saturating_duration_since(self.warmup_began).as_nanos() as f64)
    }

    /// Returns the unit of the result, if it is not a unit of time.
    pub(super) fn find_other_unit(&self) -> Option<&str> {
        self.unit.as_deref().filter(|unit| !TIME_UNITS.contains(unit))
    }
}

/// The stages of a launch, followed by Criterion's output.
pub(super) struct LaunchStages {
    /// The benchmarks that began, in order.
    pub(super) begun: Vec<BegunBenchmark>,
    /// When the process started, or else when the last benchmark was finished.
    idle_since: Instant,
    /// Time so far in which no benchmark ran.
    idle: Duration,
}

impl LaunchStages {
    /// Returns the stages of a process that starts `now`.
    pub(super) fn begin(now: Instant) -> Self {
        Self { begun: Vec::new(), idle_since: now, idle: Duration::ZERO }
    }

    /// Returns the time that the process took besides its benchmarks: its start, and its own set-up
    /// before each of them. Returns `None` if no benchmark began.
    pub(super) fn startup(&self) -> Option<Duration> {
        (!self.begun.is_empty()).then_some(self.idle)
    }

    /// Reads one line that was printed at `now`. Returns true if a benchmark has ended its calls.
    pub(super) fn take_line(&mut self, line: &str, now: Instant) -> bool {
        let Some(line) = line.strip_prefix("Benchmarking ") else {
            self.take_result(line, now);
            return false;
        };
        if let Some((title, _)) = line.rsplit_once(": Warming up for ") {
            let idle = now.saturating_duration_since(self.idle_since);
            if self.begun.is_empty() || idle >= MIN_SETUP {
                self.idle += idle;
            }
            self.begun.push(BegunBenchmark {
                title: title.to_owned(),
                warmup_began: now,
                calls_began: None,
                elapsed: None,
                unit: None,
                is_too_fast: false,
            });
        } else if let Some((title, _)) = line.rsplit_once(": Collecting ") {
            if let Some(begun) = self.find_current(title) {
                begun.calls_began = Some(now);
            }
        } else if let Some(title) = line.strip_suffix(": Analyzing")
            && let Some(begun) = self.find_current(title)
        {
            begun.elapsed = begun.calls_began.map(|calls| (now - calls).as_nanos() as f64);
            self.idle_since = now;
            return true;
        }
        false
    }

    /// Reads a line about the result of the benchmark that began last.
    fn take_result(&mut self, line: &str, now: Instant) {
        let Some(begun) = self.begun.last_mut().filter(|begun| begun.elapsed.is_some()) else {
            return;
        };
        if line.contains(ZERO_TIME_MESSAGE) {
            begun.is_too_fast = true;
        } else if begun.unit.is_none() {
            begun.unit = parse_result_unit(line);
            // The analysis ends with the result. What follows is the set-up of the next benchmark.
            if begun.unit.is_some() {
                self.idle_since = now;
            }
        }
    }

    /// Returns the benchmark that began last, if it has this title.
    fn find_current(&mut self, title: &str) -> Option<&mut BegunBenchmark> {
        self.begun.last_mut().filter(|begun| begun.title == title)
    }
}

/// Returns the unit in a line like `time:   [1.1 ms 1.2 ms 1.3 ms]`, which may be empty. Returns
/// `None` for other lines.
fn parse_result_unit(line: &str) -> Option<String> {
    let (_, values) = line.split_once("time:   [")?;
    let (values, _) = values.split_once(']')?;
    // Colours would be read as a part of the unit.
    if values.contains('\u{1b}') {
        return None;
    }
    // Three values of as many words, each a number with its unit.
    let words: Vec<&str> = values.split_whitespace().collect();
    let value = words[..words.len() / 3].join(" ");
    let is_in_number = |character: char| character.is_ascii_digit() || "+-.,e".contains(character);
    Some(value.trim_start_matches(is_in_number).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn units_of_time_are_distinguished_from_other_units() {
        let unit = |line| parse_result_unit(line);
        let line = "sum/fold/20000          time:   [9.4601 µs 9.4722 µs 9.4862 µs]";
        assert_eq!(unit(line).as_deref(), Some("µs"));
        let is_time = |unit: &str| TIME_UNITS.contains(&unit);
        assert!(is_time("µs"));
        for (line, expected) in [
            ("time:   [1204 instructions 1205 instructions 1206 instructions]", "instructions"),
            ("time:   [1.2 K cycles 1.3 K cycles 1.4 K cycles]", "K cycles"),
            ("time:   [12Kcycles 12Kcycles 13Kcycles]", "Kcycles"),
            ("time:   [12 13 14]", ""),
        ] {
            assert_eq!(unit(line).as_deref(), Some(expected));
            assert!(!is_time(expected));
        }
        for other in ["thrpt:  [1 Melem/s 2 Melem/s 3 Melem/s]", "time:   [\u{1b}[1m1 s", "", "x"] {
            assert_eq!(unit(other), None, "{other}");
        }
    }

    #[test]
    fn every_version_tells_which_benchmark_runs() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/criterion");
        for version in ["0.5", "0.6", "0.7", "0.8"] {
            let output = fs::read_to_string(fixtures.join(version).join("output.txt")).unwrap();
            let now = Instant::now();
            let mut stages = LaunchStages::begin(now);
            let ended = output.lines().filter(|line| stages.take_line(line, now)).count();
            let begun: Vec<_> = stages.begun.iter().map(|begun| begun.title.as_str()).collect();
            let expected = [
                "alone",
                "sum/fold/20000",
                "sum/fold/40000",
                "sum/bytes",
                "a/../<b>|\"ü\"?",
                "linear",
            ];
            assert_eq!((begun.as_slice(), ended), (&expected[..], 6), "{version}");
            for begun in &stages.begun {
                assert!(begun.unit.is_some(), "{version}: {}", begun.title);
                assert_eq!(begun.find_other_unit(), None, "{version}: {}", begun.title);
            }
        }
    }

    #[test]
    fn the_stages_of_a_benchmark_are_told_from_what_it_prints() {
        let now = Instant::now();
        let mut stages = LaunchStages::begin(now);
        let ended = [
            "Benchmarking a: b/c",
            "Benchmarking a: b/c: Warming up for 100.00 ms",
            "noise of the benchmark",
            "Benchmarking a: b/c: Collecting 10 samples in estimated 1.0000 ms (10 iterations)",
            "Benchmarking a: b/c: Analyzing",
            "Benchmarking d: Warming up for 100.00 ms",
        ]
        .map(|line| stages.take_line(line, now));
        assert_eq!(ended, [false, false, false, false, true, false]);
        let begun = stages.begun.iter().map(|begun| (begun.title.as_str(), begun.elapsed));
        assert_eq!(begun.collect::<Vec<_>>(), [("a: b/c", Some(0.0)), ("d", None)]);
    }

    #[test]
    fn the_start_up_is_the_time_in_which_no_benchmark_runs() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut stages = LaunchStages::begin(start);
        assert_eq!(stages.startup(), None);
        for (milliseconds, line) in [
            (90, "loading the model"),
            (100, "Benchmarking a: Warming up for 10.000 ms"),
            (110, "Benchmarking a: Collecting 10 samples in estimated 1.0000 ms (10 iterations)"),
            (150, "Benchmarking a: Analyzing"),
            (155, "a                       time:   [9.4601 µs 9.4722 µs 9.4862 µs]"),
            (160, "loading another model"),
            (175, "Benchmarking b: Warming up for 10.000 ms"),
            (900, "Benchmarking b: Analyzing"),
        ] {
            stages.take_line(line, at(milliseconds));
        }
        assert_eq!(stages.startup(), Some(Duration::from_millis(120)));
        assert_eq!(stages.begun[0].warmup_nanos(), Some(10e6));
        assert_eq!(stages.begun[1].warmup_nanos(), None);
    }
}
