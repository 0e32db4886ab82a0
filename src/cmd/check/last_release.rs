//! Compares the candidate with the last release, because slow creep passes every comparison with
//! the commit before.

use anyhow::Result;

use super::CheckSession;
use super::compared_with::BaselineChoice;
use crate::git::CommitId;
use crate::run::Run;
use crate::session::CommandError;
use crate::store::{BaselineMatch, RunKind, StoredBaseline as StoredRuns};
use crate::verdict::{
    BaselineEvidence, Change, Decision, Evidence, Judgement, RatioInterval, decide,
};

/// Maximum number of benchmarks that are named, the slowest first.
const MAX_NAMED: usize = 5;

impl CheckSession<'_> {
    /// Returns warnings for the benchmarks that became slower since the last release and that
    /// `decision` does not report as regressed.
    ///
    /// They rest on stored runs and are not confirmed, so they do not change the verdict. Returns
    /// none if stored runs are not the baseline, if no run of the release is stored, or if the
    /// release is the baseline already. Fails if the repository or the store cannot be read.
    pub(super) fn find_creep(&self, candidate: &Run, decision: &Decision) -> Result<Vec<String>> {
        // Plan: find the last release before the candidate, load its stored runs, decide against
        // them, and describe what is slower.
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

/// Describes the benchmarks that are regressed in `since`, the decision against release `tag`, and
/// not in `decision`.
fn describe_creep(tag: &str, since: &Decision, decision: &Decision) -> Vec<String> {
    let is_known = |judgement: &Judgement| {
        let is_same =
            |other: &&Judgement| other.id == judgement.id && other.package == judgement.package;
        let known = decision.benchmarks.iter().find(is_same);
        known.is_some_and(|known| known.change == Change::Regressed)
    };
    let mut slower: Vec<(&Judgement, RatioInterval)> = since
        .benchmarks
        .iter()
        .filter(|judgement| judgement.change == Change::Regressed && !is_known(judgement))
        .filter_map(|judgement| Some((judgement, judgement.ratio?)))
        .collect();
    slower.sort_by(|a, b| b.1.point.get().total_cmp(&a.1.point.get()));
    let to_percent = |ratio: crate::units::Ratio| (ratio.get() - 1.0) * 100.0;
    let named = slower.iter().take(MAX_NAMED).map(|(judgement, ratio)| {
        format!(
            "`{}` is slower than {tag} by {:.1} % [{:.1} %, {:.1} %], by stored runs and not confirmed",
            judgement.id,
            to_percent(ratio.point),
            to_percent(ratio.low),
            to_percent(ratio.high),
        )
    });
    let more = slower.len().saturating_sub(MAX_NAMED);
    let rest = (more > 0).then(|| format!("{more} more benchmarks are slower than {tag}"));
    named.chain(rest).collect()
}
