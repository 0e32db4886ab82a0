//! HdrHistogram: logs of intervals (`.hlog`) and printed percentiles (`.hgrm`).
//!
//! Neither form states the unit of its values, so there is an adapter for each unit.

use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::ZlibDecoder;

use super::entry::{AdapterEntry, AdapterError, AdapterRun, RunCollector};
use super::parse::{
    MICROSECOND, MILLISECOND, expand_histogram, list_lines, parse_number, read_text,
};

/// Name of the benchmark of a histogram without a tag.
const NAME: &str = "histogram";
/// What stands before the name of a histogram.
const TAG_START: &str = "Tag=";
/// The columns of printed percentiles.
const PERCENTILE_COLUMNS: [&str; 3] = ["Value", "Percentile", "TotalCount"];
/// The printed percentiles that become metrics. The rows of others depend on the data.
const PERCENTILES: [(f64, &str); 4] =
    [(0.5, "p50_ns"), (0.75, "p75_ns"), (0.9, "p90_ns"), (0.95, "p95_ns")];

/// First number of a compressed histogram, in version 2 of the encoding.
const COMPRESSED_COOKIE: u32 = 0x1c84_9314;
/// First number of a histogram, in version 2 of the encoding.
const PLAIN_COOKIE: u32 = 0x1c84_9313;
/// Most bytes of a histogram. One with five digits and all values has less.
const MAX_HISTOGRAM_BYTES: u64 = 64 << 20;
/// Largest number of digits that a histogram keeps.
const MAX_DIGITS: u32 = 5;

/// Reads values in nanoseconds.
///
/// # Errors
///
/// Fails if the file is neither a log nor printed percentiles.
pub(super) fn parse_hdr_nanoseconds(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    parse_histograms(bytes, 1.0)
}

/// Reads values in microseconds.
///
/// # Errors
///
/// Fails if the file is neither a log nor printed percentiles.
pub(super) fn parse_hdr_microseconds(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    parse_histograms(bytes, MICROSECOND)
}

/// Reads values in milliseconds.
///
/// # Errors
///
/// Fails if the file is neither a log nor printed percentiles.
pub(super) fn parse_hdr_milliseconds(bytes: &[u8]) -> Result<AdapterRun, AdapterError> {
    parse_histograms(bytes, MILLISECOND)
}

/// Reads the values of a log as times of calls, in the order of their sizes within each interval.
/// Intervals with the same tag are one benchmark. Of printed percentiles, it reads the mean.
fn parse_histograms(bytes: &[u8], unit: f64) -> Result<AdapterRun, AdapterError> {
    let text = read_text(bytes)?;
    let mut run = RunCollector::new("hdrhistogram");
    let is_printed = |(_, line): (usize, &str)| {
        line.split_whitespace()
            .zip(PERCENTILE_COLUMNS)
            .filter(|(word, column)| word == column)
            .count()
            == PERCENTILE_COLUMNS.len()
    };
    if list_lines(text).next().is_some_and(is_printed) {
        add_percentiles(&mut run, text, unit)?;
    } else {
        add_log(&mut run, text, unit)?;
    }
    run.finish()
}

fn add_log(run: &mut RunCollector, text: &str, unit: f64) -> Result<(), AdapterError> {
    let mut histograms: Vec<(&str, Vec<(f64, f64)>)> = Vec::new();
    for (line, content) in list_lines(text) {
        // Comments, and the names of the columns.
        if content.starts_with(['#', '"']) {
            continue;
        }
        let refuse = |cause: String| AdapterError::Line { line, cause };
        let (tag, columns) = match content.strip_prefix(TAG_START) {
            Some(tagged) => tagged.split_once(',').unwrap_or((tagged, "")),
            None => (NAME, content),
        };
        let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
        let [.., _, _, _, encoded] = columns[..] else {
            return Err(refuse("not the line of an interval".to_owned()));
        };
        let counts = decode_histogram(encoded).map_err(refuse)?;
        match histograms.iter_mut().find(|(known, _)| *known == tag) {
            Some((_, values)) => values.extend(counts),
            None => histograms.push((tag, counts)),
        }
    }
    for (tag, counts) in histograms {
        let times = expand_histogram(tag, counts)?;
        run.add(0, AdapterEntry::of_calls(tag, times, unit))?;
    }
    Ok(())
}

fn add_percentiles(run: &mut RunCollector, text: &str, unit: f64) -> Result<(), AdapterError> {
    let missing = |field| AdapterError::Missing { name: NAME.to_owned(), field };
    let mut mean = None;
    let mut calls = None;
    let mut percentiles = Vec::new();
    for (line, content) in list_lines(text).skip(1) {
        let refuse = |cause: String| AdapterError::Line { line, cause };
        if let Some(comment) = content.strip_prefix("#[") {
            for part in comment.trim_end_matches(']').split(',') {
                let Some((key, value)) = part.split_once('=') else { continue };
                let found = match key.trim() {
                    "Mean" => &mut mean,
                    "Total count" => &mut calls,
                    _ => continue,
                };
                *found = Some(parse_number(value.trim()).map_err(refuse)?);
            }
            continue;
        }
        let words: Vec<&str> = content.split_whitespace().collect();
        let [value, percentile, ..] = words[..] else {
            return Err(refuse("not the line of a percentile".to_owned()));
        };
        let value = parse_number(value).map_err(refuse)?;
        let percentile = parse_number(percentile).map_err(refuse)?;
        #[expect(clippy::float_cmp, reason = "the rows have these percentiles exactly, or not")]
        let known = PERCENTILES.iter().find(|(share, _)| *share == percentile);
        percentiles.extend(known.map(|(_, metric)| (*metric, value * unit)));
    }
    let mean = mean.ok_or_else(|| missing("Mean"))?;
    let calls = calls.ok_or_else(|| missing("Total count"))?;
    let mut entry = AdapterEntry::of_mean(NAME, mean, unit, Some(calls));
    for (metric, value) in percentiles {
        entry = entry.with_metric(metric, Some(value));
    }
    run.add(0, entry)
}

/// Returns the values of an encoded histogram with how often each occurs. As in HdrHistogram, a
/// value is the largest that counts as equal to those that were recorded.
///
/// # Errors
///
/// Fails with the reason if it is not a compressed histogram in version 2 of the encoding.
fn decode_histogram(encoded: &str) -> Result<Vec<(f64, f64)>, String> {
    let bytes = BASE64_STANDARD.decode(encoded).map_err(|error| format!("not base64: {error}"))?;
    let mut compressed = HistogramBytes(&bytes);
    let cookie = compressed.take_u32()?;
    if cookie != COMPRESSED_COOKIE {
        return Err(format!("not a compressed histogram of version 2: it begins with {cookie:#x}"));
    }
    let length = compressed.take_u32()? as usize;
    let deflated = compressed.0.get(..length).ok_or_else(describe_cut)?;
    let mut plain = Vec::new();
    let mut inflated = ZlibDecoder::new(deflated).take(MAX_HISTOGRAM_BYTES);
    inflated.read_to_end(&mut plain).map_err(|error| format!("not compressed by zlib: {error}"))?;
    let mut header = HistogramBytes(&plain);
    let cookie = header.take_u32()?;
    if cookie != PLAIN_COOKIE {
        return Err(format!("not a histogram of version 2: it begins with {cookie:#x}"));
    }
    let length = header.take_u32()? as usize;
    let offset = header.take_u32()?;
    let digits = header.take_u32()?;
    let lowest = header.take_u64()?;
    let _highest = header.take_u64()?;
    let ratio = f64::from_bits(header.take_u64()?);
    #[expect(clippy::float_cmp, reason = "histograms of whole numbers have exactly 1")]
    let is_plain = offset == 0 && ratio == 1.0;
    if !is_plain || !(1..=MAX_DIGITS).contains(&digits) || lowest == 0 {
        return Err("a histogram that is shifted, scaled or damaged".to_owned());
    }
    let counts = HistogramBytes(header.0.get(..length).ok_or_else(describe_cut)?);
    list_counts(counts, HistogramScale::new(digits, lowest))
}

fn describe_cut() -> String {
    "the histogram is cut short".to_owned()
}

/// Decodes the counts: a number per value, and a negative one for as many values without a call.
fn list_counts(
    mut counts: HistogramBytes<'_>,
    scale: HistogramScale,
) -> Result<Vec<(f64, f64)>, String> {
    let mut values = Vec::new();
    let mut index: u64 = 0;
    while !counts.0.is_empty() {
        let number = counts.take_varint()?;
        let mut step = 1;
        if number < 0 {
            step = number.unsigned_abs();
        } else if number > 0 {
            let value = scale.find_value(index).ok_or("a value that is too large")?;
            values.push((value as f64, number as f64));
        }
        index = index.checked_add(step).ok_or("a value that is too large")?;
    }
    Ok(values)
}

/// How the place of a count becomes a value.
#[derive(Clone, Copy)]
struct HistogramScale {
    /// Half of the number of values of a bucket, as a power of two.
    half_bits: u32,
    /// Smallest value, as a power of two.
    unit_bits: u32,
}

impl HistogramScale {
    fn new(digits: u32, lowest: u64) -> Self {
        // Up to this value, neighbours are kept apart.
        let single = 2 * 10_u64.pow(digits);
        let half_bits = single.next_power_of_two().ilog2() - 1;
        Self { half_bits, unit_bits: lowest.ilog2() }
    }

    /// Returns the largest value at a place. Returns `None` if it has more than 64 bits.
    fn find_value(self, index: u64) -> Option<u64> {
        let half = 1_u64 << self.half_bits;
        // Each bucket but the first has only its upper half.
        let bucket = (index >> self.half_bits).saturating_sub(1);
        let within = if index < half { index } else { (index & (half - 1)) + half };
        let bits = u32::try_from(bucket).ok()?.checked_add(self.unit_bits)?;
        let width = 1_u64.checked_shl(bits)?;
        within.checked_add(1)?.checked_mul(width)?.checked_sub(1)
    }
}

/// What is left of an encoded histogram.
struct HistogramBytes<'a>(&'a [u8]);

impl HistogramBytes<'_> {
    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (array, rest) = self.0.split_first_chunk().ok_or_else(describe_cut)?;
        self.0 = rest;
        Ok(*array)
    }

    fn take_u32(&mut self) -> Result<u32, String> {
        self.take_array().map(u32::from_be_bytes)
    }

    fn take_u64(&mut self) -> Result<u64, String> {
        self.take_array().map(u64::from_be_bytes)
    }

    /// Takes a number of one to nine bytes with seven bits each, eight in the ninth. The lowest bit is
    /// the sign.
    fn take_varint(&mut self) -> Result<i64, String> {
        const LAST_BYTE: u32 = 8;
        const LOW_BITS: u8 = 0x7f;
        let mut bits: u64 = 0;
        for place in 0..=LAST_BYTE {
            let [byte] = self.take_array()?;
            let is_last = place == LAST_BYTE || byte <= LOW_BITS;
            let part = if place == LAST_BYTE { byte } else { byte & LOW_BITS };
            bits |= u64::from(part) << (7 * place);
            if is_last {
                break;
            }
        }
        let magnitude = (bits >> 1).cast_signed();
        Ok(if bits & 1 == 1 { -magnitude - 1 } else { magnitude })
    }
}
