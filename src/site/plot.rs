//! The content of the charts that users can save as files.

use super::SiteInput;
use super::night::{NightFigure as Value, SHOWN_METRICS};
use super::overview::format_date;
use super::standing::BenchmarkStanding;
use super::track::BenchmarkTrack;
use crate::render::plot::{ComparisonPlot, Plot, PlotLine, TrendPlot};

/// Returns one chart per benchmark, and one that compares all benchmarks with the last release, or
/// else with a month or a week ago.
///
/// Each chart comes with its file name without extension.
pub(crate) fn build_plots(
    material: &SiteInput<'_>,
    tracks: &[BenchmarkTrack<'_>],
) -> Vec<(String, Plot)> {
    let plot_track = |track: &BenchmarkTrack<'_>| {
        let name = format!("performance_over_time-{}", track.slug);
        Some((name, Plot::Trend(plot_trend(material, track)?)))
    };
    let mut plots: Vec<(String, Plot)> = tracks.iter().filter_map(plot_track).collect();
    if let Some(comparison) = plot_comparison(material, tracks) {
        plots.push(("comparison".to_owned(), Plot::Comparison(comparison)));
    }
    plots
}

fn plot_trend(material: &SiteInput<'_>, track: &BenchmarkTrack<'_>) -> Option<TrendPlot> {
    let host = track.main_host()?;
    let ends = |figure: &Value| Some((f64::from(figure.low?), f64::from(figure.high?)));
    let line = |(metric, shown): (usize, &crate::policy::Metric)| {
        let figure = |(place, night): (usize, &usize)| {
            let figure = track.find_figure(*night, metric)?;
            Some((place, f64::from(figure.point), ends(&figure)))
        };
        let points: Vec<_> = host.nights.iter().enumerate().filter_map(figure).collect();
        (!points.is_empty()).then(|| PlotLine { name: shown.name().to_owned(), points })
    };
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
        lines: SHOWN_METRICS[..3].iter().enumerate().filter_map(|(m, s)| line((m, s))).collect(),
        changes: host.changes.iter().map(|change| (change.index, change.ratio)).collect(),
    })
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
