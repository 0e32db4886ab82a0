//! Comparison with the last release, because slow creep passes every comparison with the commit
//! before.

use std::collections::HashSet;

use super::evidence::{BaselineEvidence, Evidence};
use super::judge::judge_all;
use crate::decision::{Change, Judgement, RatioInterval};
use crate::note::Note;
use crate::policy::Policy;
use crate::run::BenchmarkId;

/// Maximum number of benchmarks that are named, the slowest first.
const MAX_NAMED: usize = 5;

/// Returns a note for each benchmark that became slower since the last release and that `judgements`
/// do not report as regressed.
///
/// The notes are based on stored runs and are not confirmed, so they do not change the verdict. Returns
/// none without stored runs of a release.
pub(super) fn list_creep(
    evidence: &Evidence<'_>,
    judgements: &[Judgement],
    policy: &Policy,
) -> Vec<Note> {
    // Plan: judge the candidate against the release, leave out what is known to be slower, and
    // note the rest, the slowest first.
    let Some(release) = evidence.last_release else { return Vec::new() };
    let stored = BaselineEvidence::Stored(&release.runs);
    let sides = Evidence::from_sides(evidence.candidate, stored);
    let (since, _) = judge_all(&Evidence { noise: evidence.noise, ..sides }, policy);
    let known_slower: HashSet<BenchmarkId> = judgements
        .iter()
        .filter(|judgement| judgement.change == Change::Regressed)
        .map(Judgement::to_id)
        .collect();
    let mut slower: Vec<(&Judgement, RatioInterval)> = since
        .iter()
        .filter(|judgement| judgement.change == Change::Regressed)
        .filter(|judgement| !known_slower.contains(&judgement.to_id()))
        .filter_map(|judgement| Some((judgement, judgement.ratio?)))
        .collect();
    slower.sort_by(|a, b| b.1.point.get().total_cmp(&a.1.point.get()));
    let named = slower.iter().take(MAX_NAMED).map(|(judgement, ratio)| Note::SlowerThanRelease {
        benchmark: judgement.id.clone(),
        release: release.tag.clone(),
        low: ratio.low,
        point: ratio.point,
        high: ratio.high,
    });
    let more = u32::try_from(slower.len().saturating_sub(MAX_NAMED)).unwrap_or(u32::MAX);
    let rest = (more > 0)
        .then(|| Note::MoreSlowerThanRelease { count: more, release: release.tag.clone() });
    named.chain(rest).collect()
}
