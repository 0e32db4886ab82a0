//! Since which commit a benchmark is slower that regressed on the default branch.
//!
//! The stored runs of the branch show it if they have a change point. Otherwise the slowdown came
//! between the commits of the two sides of the check.

use std::collections::HashMap;

use anyhow::Result;

use super::change_base::BaseSearch;
use super::inputs::CheckInputs;
use crate::decision::{Change, Decision, Judgement, OriginEvidence, SlowdownOrigin};
use crate::git::{CommitId, FollowedParents, Repository};
use crate::run::Run;
use crate::session::CommandError;
use crate::site::{BenchmarkTrack, Night, build_tracks};
use crate::store::{RunKey, RunKind, Store};

/// Maximum number of commits before the candidate whose stored runs are read.
const MAX_COMMITS: usize = 5_000;
/// Maximum number of stored runs that are read, the latest ones.
const MAX_RUNS: usize = 100;

/// Adds to each regressed benchmark of `decision` between which commits of the default branch it
/// became slower. Adds nothing if the candidate is a change that is not in that branch.
///
/// Fails if the store or the repository cannot be read.
pub(super) fn add_origins(
    check: &CheckInputs<'_>,
    candidate: &Run,
    decision: &mut Decision,
) -> Result<()> {
    let mut regressed: Vec<&mut Judgement> = decision
        .benchmarks
        .iter_mut()
        .filter(|judgement| judgement.change == Change::Regressed)
        .collect();
    let is_on_branch = matches!(check.base, BaseSearch::NoChange);
    let head = candidate.commit.as_ref().filter(|commit| !commit.dirty);
    let head = head.and_then(|commit| CommitId::parse(&commit.id));
    let Some((head, repository)) = head.zip(check.session.project.repository.as_ref()) else {
        return Ok(());
    };
    if regressed.is_empty() || !is_on_branch {
        return Ok(());
    }
    let base = decision.baseline.commit.as_ref().map(|commit| commit.id.clone());
    let store = check.session.store.open_if_present()?;
    let nights = match store {
        Some(store) => read_nights(store, repository, &head, candidate)?,
        None => Vec::new(),
    };
    let tracks = build_tracks(&nights);
    for judgement in &mut regressed {
        let from_history = find_in_history(judgement, &tracks, &nights);
        let from_check = base.clone().map(|good| SlowdownOrigin {
            good,
            bad: head.as_str().to_owned(),
            commits: None,
            evidence: OriginEvidence::Check,
        });
        judgement.origin = from_history.or(from_check);
        if let Some(origin) = &mut judgement.origin {
            origin.commits = count_commits(repository, &origin.good, &origin.bad);
        }
    }
    Ok(())
}

/// Reads the latest stored runs of the commits before `head` that are like `candidate`, oldest first,
/// and the candidate itself as the last. Runs that cannot be read are left out.
///
/// Fails if the store cannot be listed.
fn read_nights(
    store: &Store,
    repository: &Repository,
    head: &CommitId,
    candidate: &Run,
) -> Result<Vec<Night>> {
    let ancestry = repository.walk_ancestry(head, FollowedParents::All).take(MAX_COMMITS);
    let positions: HashMap<CommitId, usize> = ancestry.zip(0..).collect();
    let kind = RunKind::from_run(candidate);
    let mut keys: Vec<(usize, RunKey)> = store
        .list()
        .map_err(CommandError::from)?
        .into_iter()
        .filter(|key| key.is_of_kind(kind) && key.commit() != head)
        .filter_map(|key| Some((*positions.get(key.commit())?, key)))
        .collect();
    keys.sort_by(|(one, a), (other, b)| one.cmp(other).then_with(|| b.created().cmp(a.created())));
    keys.truncate(MAX_RUNS);
    let keys: Vec<RunKey> = keys.into_iter().rev().map(|(_, key)| key).collect();
    // A run that cannot be fetched is left out below.
    let _ = store.fetch_records(&keys);
    let stored: Vec<Run> = keys.iter().filter_map(|key| store.load(key).ok()).collect();
    let confidence = crate::units::Confidence::DEFAULT;
    let all = stored.iter().chain([candidate]);
    Ok(all.filter_map(|run| Night::from_run(run, confidence)).collect())
}

/// Returns the range of the last change point from which the benchmark has not recovered. Returns
/// `None` if the runs show none.
fn find_in_history(
    judgement: &Judgement,
    tracks: &[BenchmarkTrack<'_>],
    nights: &[Night],
) -> Option<SlowdownOrigin> {
    let id = judgement.to_id();
    let track = tracks.iter().find(|track| track.id == id)?;
    let change = track.main_host()?.changes.iter().rev().find(|change| change.is_open)?;
    let [good, bad] = [change.before, change.after].map(|night| nights[night].commit_id());
    let (good, bad) = good.zip(bad)?;
    Some(SlowdownOrigin {
        good: good.to_owned(),
        bad: bad.to_owned(),
        commits: None,
        evidence: OriginEvidence::History,
    })
}

/// Returns the number of commits after `good` up to `bad`; `None` if the history does not show it.
fn count_commits(repository: &Repository, good: &str, bad: &str) -> Option<u64> {
    let (good, bad) = (CommitId::parse(good)?, CommitId::parse(bad)?);
    let (count, _) = repository.count_lacking_commits(&good, &bad).ok()??;
    Some(count as u64)
}
