//! The last release as an anchor: slow creep passes every comparison with the commit before.

use anyhow::Result;

use super::super::CommandError;
use super::CheckSession;
use super::comparand::BaselineChoice;
use crate::git::CommitId;
use crate::run::Run;
use crate::store::{BaselineMatch, RunKind, StoredBaseline as StoredRuns};
use crate::verdict::{
    BaselineEvidence, Change, Decision, Evidence, Judgement, RatioInterval, decide,
};

/// So many benchmarks are named, the slowest first.
const MOST_NAMED: usize = 5;

impl CheckSession<'_> {
    /// What has become slower since the last release, for the warnings of `decision`. It rests on stored
    /// runs and is confirmed by nothing, so that it decides nothing.
    pub(super) fn find_creep(&self, candidate: &Run, decision: &Decision) -> Result<Vec<String>> {
        let is_asked = matches!(self.choice, BaselineChoice::Auto | BaselineChoice::Stored);
        let Some((repository, store)) =
            self.project.repository.as_ref().filter(|_| is_asked).zip(self.open_store()?)
        else {
            return Ok(Vec::new());
        };
        let commit = candidate.commit.as_ref().and_then(|commit| CommitId::parse(&commit.id));
        let release = commit.map(|commit| repository.find_last_release(&commit)).transpose();
        let Some((tag, release)) = release.map_err(CommandError::from)?.flatten() else {
            return Ok(Vec::new());
        };
        let compared = decision.baseline.commit.as_ref();
        if compared.is_some_and(|compared| compared.id == release.as_str()) {
            return Ok(Vec::new());
        }
        let lookup = store
            .find_baseline([release], RunKind::from_run(candidate))
            .map_err(CommandError::from)?;
        let BaselineMatch::Baseline(StoredRuns { runs, .. }) = lookup.found else {
            return Ok(Vec::new());
        };
        let baseline = BaselineEvidence::Stored(&runs);
        let evidence = Evidence { candidate, baseline, rounds: None, noise: &self.noise };
        Ok(describe_creep(&tag, &decide(&evidence, &self.policy), decision))
    }
}

/// What is slower than at the release, and is not said to be slower than the baseline already.
fn describe_creep(tag: &str, since: &Decision, decision: &Decision) -> Vec<String> {
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
