//! What the words that start a load generator state about its load. Its output often does not.

use std::collections::BTreeMap;

use super::AdapterChoice;
use super::kind::Adapter;
use crate::run::{LatencyOrigin, LoadPacing, LoadShape};

/// The flags of a load generator.
struct LoadFlags {
    /// Name of the program.
    program: &'static str,
    /// Names of the flag with the rate of requests, which makes the loop an open one.
    rate: &'static [&'static str],
    /// Names of the flag with the largest number of requests at a time.
    concurrency: &'static [&'static str],
    /// Largest number of requests at a time if no flag sets it.
    default_concurrency: Option<f64>,
    /// Flag that counts latency from the intended start if there is a rate.
    corrects: Option<&'static str>,
    /// From when latency counts without it if there is a rate.
    origin: LatencyOrigin,
}

/// Returns the flags of `adapter`. Returns `None` for other harnesses, and where the output states all
/// of it.
fn list_flags(adapter: Adapter) -> Option<LoadFlags> {
    Some(match adapter {
        Adapter::Oha => LoadFlags {
            program: "oha",
            rate: &["-q"],
            concurrency: &["-c"],
            default_concurrency: Some(50.0),
            corrects: Some("--latency-correction"),
            origin: LatencyOrigin::Sent,
        },
        // Only wrk2 has a rate, and it counts from the intended start.
        Adapter::Wrk => LoadFlags {
            program: "wrk",
            rate: &["-R", "--rate"],
            concurrency: &["-c", "--connections"],
            default_concurrency: Some(10.0),
            corrects: None,
            origin: LatencyOrigin::IntendedStart,
        },
        Adapter::Aiperf => LoadFlags {
            program: "aiperf",
            rate: &["--request-rate"],
            concurrency: &["--concurrency"],
            default_concurrency: None,
            corrects: None,
            origin: LatencyOrigin::Sent,
        },
        _ => return None,
    })
}

/// Returns the conditions that the words of a command state about its load. Empty if the command is
/// not the load generator of this adapter itself: a script has its own way to state them.
pub(crate) fn list_load_conditions(
    adapter: AdapterChoice,
    words: &[String],
) -> BTreeMap<String, String> {
    let flags = match adapter {
        AdapterChoice::Files(adapter) => list_flags(adapter),
        AdapterChoice::Auto | AdapterChoice::CriterionFolder => None,
    };
    let (Some(flags), [program, arguments @ ..]) = (flags, words) else { return BTreeMap::new() };
    let name = program.rsplit('/').next().unwrap_or_default();
    // wrk2 calls its program `wrk` or `wrk2`.
    if !name.starts_with(flags.program) {
        return BTreeMap::new();
    }
    let rate = find_value(arguments, flags.rate).and_then(|rate| format!("{rate}/s").parse().ok());
    let is_corrected = flags.corrects.is_some_and(|flag| arguments.iter().any(|word| word == flag));
    let shape = LoadShape {
        pacing: if rate.is_some() { LoadPacing::Open } else { LoadPacing::Closed },
        origin: match rate {
            Some(_) if is_corrected => LatencyOrigin::IntendedStart,
            Some(_) => flags.origin,
            None => LatencyOrigin::Sent,
        },
        rate,
        concurrency: find_value(arguments, flags.concurrency)
            .and_then(|count| count.parse().ok())
            .or(flags.default_concurrency),
    };
    shape.to_conditions()
}

/// Returns the value of the last of these flags: the next word, or what follows `=`, or for a flag of
/// one letter the rest of the word.
fn find_value<'a>(arguments: &'a [String], names: &[&str]) -> Option<&'a str> {
    let mut values = arguments.iter().enumerate().filter_map(|(at, word)| {
        names.iter().find_map(|name| match word.strip_prefix(*name)? {
            "" => arguments.get(at + 1).map(String::as_str),
            rest if rest.starts_with('=') => Some(&rest[1..]),
            rest if !name.starts_with("--") => Some(rest),
            _ => None,
        })
    });
    values.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn states(adapter: &str, words: &str, expected: &[(&str, &str)]) {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let found = list_load_conditions(AdapterChoice::find_choice(adapter).unwrap(), &words);
        let found: Vec<(&str, &str)> =
            found.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, expected, "{words:?}");
    }

    #[test]
    fn the_words_of_a_load_generator_state_its_load() {
        let open = |from, concurrency| {
            [
                ("concurrency", concurrency),
                ("latency-from", from),
                ("load", "open"),
                ("rate", "100/s"),
            ]
        };
        let corrected = open("intended-start", "50");
        states("oha", "oha -q 100 --latency-correction -z 5s http://h/", &corrected);
        states("oha", "/opt/bin/oha -q100 -c 8 http://h/", &open("sent", "8"));
        states(
            "oha",
            "oha -n 10 http://h/",
            &[("concurrency", "50"), ("latency-from", "sent"), ("load", "closed")],
        );
        states("wrk", "wrk2 -R100 -c 4 -t 1 http://h/", &open("intended-start", "4"));
        states(
            "wrk",
            "wrk -c4 http://h/",
            &[("concurrency", "4"), ("latency-from", "sent"), ("load", "closed")],
        );
        states(
            "aiperf",
            "aiperf profile --request-rate=2.5",
            &[("latency-from", "sent"), ("load", "open"), ("rate", "2.5/s")],
        );
    }

    #[test]
    fn a_script_and_a_harness_without_load_state_nothing() {
        states("oha", "sh load.sh -q 100", &[]);
        states(
            "oha",
            "oha -q 100 | tee x",
            &[("concurrency", "50"), ("latency-from", "sent"), ("load", "open"), ("rate", "100/s")],
        );
        states("go", "go test -c 5", &[]);
        states("auto", "oha -q 100", &[]);
    }
}
