//! The last release as an anchor: slow creep passes every comparison with the commit before.

use anyhow::Result;

use super::super::Refusal;
use super::Check;
use super::comparand::Choice;
use crate::git::CommitId;
use crate::run::Run;
use crate::store::{Baseline as StoredRuns, Found, Kind};
use crate::verdict::{Baseline, Change, Decision, Evidence, Judgement, RatioInterval, decide};

/// So many benchmarks are named, the slowest first.
const MOST_NAMED: usize = 5;

impl Check<'_> {
    /// What has become slower since the last release, for the warnings of `decision`. It rests on stored
    /// runs and is confirmed by nothing, so that it decides nothing.
    pub(super) fn creep(&self, candidate: &Run, decision: &Decision) -> Result<Vec<String>> {
        let is_asked = matches!(self.choice, Choice::Auto | Choice::Stored);
        let Some((repository, store)) =
            self.project.repository.as_ref().filter(|_| is_asked).zip(self.store()?)
        else {
            return Ok(Vec::new());
        };
        let commit = candidate.commit.as_ref().and_then(|commit| CommitId::parse(&commit.id));
        let release = commit.map(|commit| repository.last_release(&commit)).transpose();
        let Some((tag, release)) = release.map_err(Refusal::from)?.flatten() else {
            return Ok(Vec::new());
        };
        let compared = decision.baseline.commit.as_ref();
        if compared.is_some_and(|compared| compared.id == release.as_str()) {
            return Ok(Vec::new());
        }
        let lookup = store.baseline([release], Kind::of(candidate)).map_err(Refusal::from)?;
        let Found::Baseline(StoredRuns { runs, .. }) = lookup.found else { return Ok(Vec::new()) };
        let baseline = Baseline::Stored(&runs);
        let evidence = Evidence { candidate, baseline, rounds: None, noise: &self.noise };
        Ok(slower(&tag, &decide(&evidence, &self.policy), decision))
    }
}

/// What is slower than at the release, and is not said to be slower than the baseline already.
fn slower(tag: &str, since: &Decision, decision: &Decision) -> Vec<String> {
    let is_known = |one: &Judgement| {
        let is_it = |other: &&Judgement| other.id == one.id && other.package == one.package;
        decision.benchmarks.iter().find(is_it).is_some_and(|it| it.change == Change::Regressed)
    };
    let mut slower: Vec<(&Judgement, RatioInterval)> = since
        .benchmarks
        .iter()
        .filter(|one| one.change == Change::Regressed && !is_known(one))
        .filter_map(|one| Some((one, one.ratio?)))
        .collect();
    slower.sort_by(|one, other| other.1.point.get().total_cmp(&one.1.point.get()));
    let percent = |ratio: crate::units::Ratio| (ratio.get() - 1.0) * 100.0;
    let named = slower.iter().take(MOST_NAMED).map(|(one, ratio)| {
        format!(
            "`{}` is slower than {tag} by {:.1} % [{:.1} %, {:.1} %], by stored runs and not confirmed",
            one.id,
            percent(ratio.point),
            percent(ratio.low),
            percent(ratio.high),
        )
    });
    let more = slower.len().saturating_sub(MOST_NAMED);
    let rest = (more > 0).then(|| format!("{more} more benchmarks are slower than {tag}"));
    named.chain(rest).collect()
}
