//! The content of the charts that users can save as files.

use super::SiteInput;
use super::night::SHOWN_METRICS;
use super::overview::format_date;
use super::standing::BenchmarkStanding;
use super::track::{BenchmarkTrack, HostTrack};
use crate::render::plot::{ComparisonPlot, Plot, PlotLine, TrendPlot};

/// Returns one chart per benchmark, and one that compares all benchmarks with the last release, or
/// else with a month or a week ago.
///
/// Each chart comes with its file name without extension.
pub(crate) fn build_plots(
    material: &SiteInput<'_>,
    tracks: &[BenchmarkTrack<'_>],
) -> Vec<(String, Plot)> {
    let trends = tracks.iter().filter_map(|track| {
        let name = format!("performance_over_time-{}", track.slug);
        Some((name, Plot::Trend(plot_trend(material, track)?)))
    });
    let mut plots: Vec<(String, Plot)> = trends.collect();
    if let Some(comparison) = plot_comparison(material, tracks) {
        plots.push(("comparison".to_owned(), Plot::Comparison(comparison)));
    }
    plots
}

fn plot_trend(material: &SiteInput<'_>, track: &BenchmarkTrack<'_>) -> Option<TrendPlot> {
    let host = track.main_host()?;
    let (first, last) = (*host.nights.first()?, *host.nights.last()?);
    let machine = &material.nights[last].host;
    Some(TrendPlot {
        title: track.id.to_string(),
        subtitle: format!(
            "{} runs on {}, {} cores; bands are {} intervals",
            host.nights.len(),
            machine.cpu_model,
            machine.cores,
            format_whole_percent(material.policy.confidence.get()),
        ),
        days: (format_date(&material.nights[first]), format_date(&material.nights[last])),
        // The mean is close to the median and would hide it.
        lines: (0..3).filter_map(|metric| plot_line(track, host, metric)).collect(),
        changes: host.changes.iter().map(|change| (change.index, change.ratio)).collect(),
    })
}

/// Returns the line of one metric, given by its place in [`SHOWN_METRICS`]. Returns `None` if no
/// night of `host` has a figure for it.
fn plot_line(track: &BenchmarkTrack<'_>, host: &HostTrack, metric: usize) -> Option<PlotLine> {
    let points = host.nights.iter().enumerate().filter_map(|(place, night)| {
        let figure = track.find_figure(*night, metric)?;
        let ends = figure.low.zip(figure.high);
        Some((
            place,
            f64::from(figure.point),
            ends.map(|(low, high)| (f64::from(low), f64::from(high))),
        ))
    });
    let points: Vec<_> = points.collect();
    let name = SHOWN_METRICS[metric].name().to_owned();
    (!points.is_empty()).then_some(PlotLine { name, points })
}

fn format_whole_percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Selects the shift of a benchmark since one earlier time.
type ShiftSelector = fn(&BenchmarkStanding) -> Option<super::LevelShift>;

fn plot_comparison(
    material: &SiteInput<'_>,
    tracks: &[BenchmarkTrack<'_>],
) -> Option<ComparisonPlot> {
    // Take the first of release, month and week for which any benchmark has a shift.
    let standings: Vec<BenchmarkStanding> =
        tracks.iter().map(|track| BenchmarkStanding::from_track(track, material)).collect();
    let release = material.releases.last().map(|release| format!("since {}", release.name));
    let choices: [(Option<String>, ShiftSelector); 3] = [
        (release, |standing| standing.release.as_ref().map(|(_, shift)| *shift)),
        (Some("against a month ago".to_owned()), |standing| standing.month),
        (Some("against a week ago".to_owned()), |standing| standing.week),
    ];
    choices.into_iter().find_map(|(words, since)| {
        let rows: Vec<_> = tracks
            .iter()
            .zip(&standings)
            .filter_map(|(track, standing)| {
                let shift = since(standing)?;
                Some((track.id.to_string(), shift.ratio, shift.interval))
            })
            .collect();
        let title = format!("{} {}", material.title, words?);
        (!rows.is_empty()).then_some(ComparisonPlot { title, rows })
    })
}
