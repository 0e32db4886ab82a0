//! What the charts to keep show.

use super::Material;
use super::night::{Figure as Value, SHOWN};
use super::overview::date;
use super::standing::Standing;
use super::track::Track;
use crate::render::plot::{Comparison, Course, Figure, Line};

/// A chart for each benchmark, and one of all against the last release, else a month or a week ago.
///
/// Each with the name of its file, without ending.
pub(crate) fn plots(material: &Material<'_>, tracks: &[Track<'_>]) -> Vec<(String, Figure)> {
    let course = |track: &Track<'_>| {
        let name = format!("performance_over_time-{}", track.slug);
        Some((name, Figure::Course(course(material, track)?)))
    };
    let mut plots: Vec<(String, Figure)> = tracks.iter().filter_map(course).collect();
    if let Some(comparison) = comparison(material, tracks) {
        plots.push(("comparison".to_owned(), Figure::Comparison(comparison)));
    }
    plots
}

fn course(material: &Material<'_>, track: &Track<'_>) -> Option<Course> {
    let host = track.main_host()?;
    let ends = |figure: &Value| Some((f64::from(figure.low?), f64::from(figure.high?)));
    let line = |(metric, shown): (usize, &crate::policy::Metric)| {
        let figure = |(place, night): (usize, &usize)| {
            let figure = track.figure(*night, metric)?;
            Some((place, f64::from(figure.point), ends(&figure)))
        };
        let points: Vec<_> = host.nights.iter().enumerate().filter_map(figure).collect();
        (!points.is_empty()).then(|| Line { name: shown.name().to_owned(), points })
    };
    let (first, last) = (*host.nights.first()?, *host.nights.last()?);
    let machine = &material.nights[last].host;
    Some(Course {
        title: track.id.to_string(),
        subtitle: format!(
            "{} runs on {}, {} cores; bands are {} intervals",
            host.nights.len(),
            machine.cpu_model,
            machine.cores,
            percent(material.policy.confidence.get()),
        ),
        days: (date(&material.nights[first]), date(&material.nights[last])),
        // The mean lies close to the median and would hide it.
        lines: SHOWN[..3].iter().enumerate().filter_map(|(m, s)| line((m, s))).collect(),
        changes: host.changes.iter().map(|change| (change.index, change.ratio)).collect(),
    })
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// The shift of a benchmark against one earlier time.
type Since = fn(&Standing) -> Option<super::Shift>;

fn comparison(material: &Material<'_>, tracks: &[Track<'_>]) -> Option<Comparison> {
    let standings: Vec<Standing> =
        tracks.iter().map(|track| Standing::of(track, material)).collect();
    let release = material.releases.last().map(|release| format!("since {}", release.name));
    let choices: [(Option<String>, Since); 3] = [
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
        (!rows.is_empty()).then_some(Comparison { title, rows })
    })
}
