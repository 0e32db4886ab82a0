//! The words of every note, disturbance and failure reason.
//!
//! A sentence begins in lower case and has no full stop, because it may follow a name or a colon.

mod values;
mod failure;
mod rules;
mod claim;
mod explanation;
mod load;
mod texts;

use minijinja::{Error, Value};
use serde::Deserialize;

use self::explanation::{describe_explain_obstacle, describe_obstacle};
pub(crate) use self::failure::describe_failure;
use self::failure::describe_setup_failure;
use self::load::{describe_course, describe_load, describe_load_issue};
pub(super) use self::texts::add_texts;
pub(crate) use self::values::describe_disturbance;
use self::values::{
    count_from_one, describe_amount, describe_compiler, describe_condition, describe_machine,
    describe_nearest, describe_own_time, describe_stored_machine, format_large_count,
    format_percent, format_slowdown, join_lines,
};
use super::numbers::{format_duration_tick, format_wait};
use crate::note::{FailureReason, Note};

/// Remedy for a checkout that lacks something which the working tree has.
const PREPARE_ADVICE: &str =
    "`measure.prepare` in perfgate.toml can supply files and submodules that a checkout lacks";

/// Returns the sentence of `note`.
#[expect(clippy::too_many_lines, reason = "one table of all sentences, in the order of the notes")]
pub(crate) fn describe_note(note: &Note) -> String {
    match note {
        Note::Recorded { sentence } => sentence.clone(),

        Note::BusyBefore { others } => format!(
            "before the measurement, other processes used {} of the processors",
            format_percent(*others, 0)
        ),
        Note::BusyDuring { others } => format!(
            "during the measurement, other processes used {} of the processors",
            format_percent(*others, 0)
        ),
        Note::Disturbed { disturbance } => {
            format!("during the measurement, {}", describe_disturbance(*disturbance))
        }
        Note::LaunchRepeated { launch, job, disturbance } => {
            let launch = count_from_one(*launch);
            format!("launch {launch} of {job} was repeated: {}", describe_disturbance(*disturbance))
        }
        Note::RoundRepeated { round, job, disturbance } => {
            let round = count_from_one(*round);
            format!("round {round} of {job} was repeated: {}", describe_disturbance(*disturbance))
        }
        Note::MachineChanged { before, after } => format!(
            "during the measurement, the machine changed from {} to {}",
            describe_machine(before),
            describe_machine(after)
        ),
        Note::ConditionVaries { key, first, other } => format!(
            "launches differ in `{key}`: {} first, then {}",
            describe_condition(first.as_deref()),
            describe_condition(other.as_deref())
        ),
        Note::WarmupNotSettled { benchmark } => format!(
            "{benchmark} was still warming up: its first calls were slower than its last; a longer \
             `--warmup` helps"
        ),
        Note::SettingsUnusable { cause } => {
            format!("the bench's `settings.json` cannot be used: {cause}")
        }
        Note::BenchSkipped { bench, package } => format!(
            "bench `{bench}` of `{package}` was skipped: it does not read Criterion's flags"
        ),
        Note::BenchLeftOut { bench, package, features } => {
            let remedy = if features.is_empty() {
                "Cargo does not build it by default".to_owned()
            } else {
                format!("it needs `--features {}`", features.join(","))
            };
            format!("bench `{bench}` of `{package}` was left out: {remedy}")
        }
        Note::BenchesElsewhere { packages } => format!(
            "the packages that `cargo bench` builds here have no benches; `--workspace` or `--package` \
             chooses others, such as `{}`",
            packages.join("`, `")
        ),
        Note::NoBenches => "no package has a bench target: add a Criterion bench with `[[bench]]` and \
                            `harness = false` to a Cargo.toml, or measure any program with `perfgate \
                            measure command`"
            .to_owned(),
        Note::BenchNotListed { bench, package, reason, message } => format!(
            "bench `{bench}` of `{package}` failed before it listed its benchmarks, so no pattern can \
             select them: {}{}",
            describe_failure(reason),
            message.as_ref().map(|message| format!(": {message}")).unwrap_or_default()
        ),
        Note::CompilerChanged { baseline, candidate } => format!(
            "the baseline is built by {} and the candidate by {}, which may be what changed",
            describe_compiler(baseline.as_deref()),
            describe_compiler(candidate.as_deref())
        ),
        Note::RunnerUnknown { cause } => format!(
            "benches are started without a runner, because Cargo's configuration cannot be read: {}",
            join_lines(cause)
        ),
        Note::BenchEmpty { bench, package } => {
            format!("bench `{bench}` of `{package}` registers no benchmark")
        }
        Note::OtherMeasurement { benchmark, unit } => {
            let unit = match unit.as_str() {
                "" => String::new(),
                unit => format!(" ({unit})"),
            };
            format!(
                "`{benchmark}` was left out: Criterion measures something other than time in it{unit}"
            )
        }
        Note::BenchSetsOwnTime { benchmarks, count, longest } => {
            describe_own_time(benchmarks, *count, *longest)
        }
        Note::EntriesLeftOut { adapter, entries, count } => {
            let left = count.saturating_sub(entries.len() as u64);
            let more = if left > 0 { format!(" and {left} more") } else { String::new() };
            let entries = entries.join("`, `");
            format!("the output of {adapter} has entries that are not times: `{entries}`{more}")
        }
        Note::Course { finding } => describe_course(finding),
        Note::NothingSelected { nearest } => {
            let nearest = match nearest.as_slice() {
                [] => "the benches register none".to_owned(),
                [nearest] => format!("the nearest is `{nearest}`"),
                nearest => format!("the nearest are `{}`", nearest.join("`, `")),
            };
            format!(
                "no benchmark matches `--bench`: {nearest}; `perfgate measure --list` lists all"
            )
        }
        Note::PackageAbsent { package } => {
            format!("the commit has no package `{package}`, so the package was left out")
        }
        Note::FeatureAbsent { feature } => {
            format!("the commit has no feature `{feature}`, so it was built without the feature")
        }
        Note::LockFromWorkingTree => {
            "the commit has no `Cargo.lock`, so it was built with that of the working tree"
                .to_owned()
        }
        Note::BenchmarkFailed { benchmark, reason } => {
            format!("`{benchmark}` failed: {}", describe_failure(reason))
        }
        Note::Baseline { about } => format!("baseline: {}", describe_note(about)),
        Note::Incomplete => "the measurement is incomplete, so the check cannot pass".to_owned(),
        Note::DirtyTree => "the working tree had uncommitted changes".to_owned(),

        Note::NoRepository => {
            "no baseline: there is no git repository that could hold one".to_owned()
        }
        Note::CandidateNotCommitted => {
            "no baseline: the candidate is not a commit of this repository".to_owned()
        }
        Note::InvalidCommit { commit } => format!("no baseline: `{commit}` is not a commit id"),
        Note::NothingStored => "no baseline yet: no ancestor of this commit has a stored run; \
                                `--save-baseline` records one, in workflows a job on pushes to the \
                                default branch"
            .to_owned(),
        Note::StoredElsewhere { commit, machines } => format!(
            "no baseline from this machine: {commit} was measured on {}",
            machines.iter().map(describe_stored_machine).collect::<Vec<_>>().join(" and on ")
        ),
        Note::StoredWithOtherCompiler { commit, stored, current } => format!(
            "no baseline from this compiler: {commit} was built by rustc {}, and the candidate by \
             rustc {current}",
            stored.join(" and by rustc ")
        ),
        Note::StoredRunIgnored { cause } => {
            format!(
                "a stored run was ignored, so what it shows is not known: {}; \
                 remove its file from the store",
                join_lines(cause)
            )
        }
        Note::BaselinesNotFetched { cause } => {
            format!("the stored baselines could not be fetched: {}", join_lines(cause))
        }
        Note::HistoryNotFetched { cause } => format!(
            "the history behind this shallow clone could not be fetched, so baselines of earlier \
             commits are not found: {}",
            join_lines(cause)
        ),
        Note::BaseNotBuilt { commit, cause } => {
            format!(
                "no baseline: base {commit} cannot be built: {}; {PREPARE_ADVICE}",
                join_lines(cause)
            )
        }
        Note::BaseHasNoManifest { commit, manifest } => {
            format!("no baseline: base {commit} has no `{manifest}`")
        }
        Note::BaseHasNoProfile { commit, profile } => {
            format!("no baseline: base {commit} has no profile `{profile}`")
        }
        Note::HeadNotBuilt { cause } => format!(
            "not measured beside a base: a checkout of the candidate cannot be built: {}; \
             {PREPARE_ADVICE}",
            join_lines(cause)
        ),
        Note::BaseIsAhead { revision, commits, merge_base } => {
            let lacking = match commits {
                1 => "1 commit".to_owned(),
                commits => format!("{commits} commits"),
            };
            format!(
                "`{revision}` has {lacking} that the candidate lacks, so what they change is part of \
                 the comparison: the merge base is {merge_base}"
            )
        }
        Note::BaseNotMeasured { commit, cause } => {
            format!("no baseline: base {commit} could not be measured: {}", join_lines(cause))
        }
        Note::BaseBesideRunFile { commit } => format!(
            "no baseline: base {commit} is not measured beside a run file; check without `--run`, or \
             name a run of the base with `--baseline FILE`"
        ),
        Note::BaseUnknown { cause } => {
            let cause = cause.as_deref().map(|cause| format!(": {}", join_lines(cause)));
            format!(
                "no baseline: this checkout does not show where the candidate left the default \
                 branch{}; check out with `fetch-depth: 0`",
                cause.unwrap_or_default()
            )
        }
        Note::NotConfirmed { cause } => format!("not confirmed in rounds: {}", join_lines(cause)),
        Note::NotConfirmedWithoutBase { commit, cause } => format!(
            "not confirmed in rounds: base {commit} cannot be built: {}; {PREPARE_ADVICE}",
            join_lines(cause)
        ),

        Note::TrailerMatchesNothing { trailer } => {
            format!("`Perfgate-Accept: {trailer}` matches no benchmark of this check")
        }
        Note::TrailerWithoutMissing { trailer } => {
            format!("`Perfgate-Accept: {trailer}` matches no benchmark that is missing")
        }
        Note::TrailerExceeded { trailer, benchmark, more } => {
            let others = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("`Perfgate-Accept: {trailer}` is exceeded by `{benchmark}`{others}")
        }
        Note::TrailersNotRead { count } => match count {
            1 => "1 more `Perfgate-Accept` trailer was not read".to_owned(),
            count => format!("{count} more `Perfgate-Accept` trailers were not read"),
        },
        Note::TrailerInvalid { cause } => {
            format!("a `Perfgate-Accept` trailer was ignored: {}", join_lines(cause))
        }
        Note::MessagesNotRead { cause } => {
            format!("commit messages could not be read: {}", join_lines(cause))
        }
        Note::MessagesIncomplete => "only some of the commit messages could be read, so a \
                                     `Perfgate-Accept` in the others has no effect: check out \
                                     with `fetch-depth: 0`"
            .to_owned(),

        Note::BaseRules { issue } => rules::describe_rules_issue(issue),
        Note::TargetMatchesNothing { pattern, nearest } => format!(
            "the target of `{pattern}` is unproven, because no benchmark matches{}",
            describe_nearest(nearest.as_deref())
        ),
        Note::ExceptionMatchesNothing { pattern, nearest } => format!(
            "the `[[bench]]` of `{pattern}` has no effect, because no benchmark matches{}",
            describe_nearest(nearest.as_deref())
        ),
        Note::RuleUndecided { pattern } => {
            format!("every benchmark that the rule `{pattern}` names is undecided")
        }
        Note::Claim { issue } => claim::describe_claim_issue(issue),

        Note::ShortLaunches { benchmarks, limit, calls, has_calls_flag } => {
            let stayed = match benchmarks {
                1 => "1 benchmark stayed".to_owned(),
                count => format!("{count} benchmarks stayed"),
            };
            let flag = if *has_calls_flag { " (`--calls`)" } else { "" };
            format!(
                "{stayed} undecided with launches shorter than {}, which see only a moment of the \
                 machine: about {calls} calls per launch{flag} may decide more",
                format_duration_tick(limit.get())
            )
        }
        Note::SlowerThanRelease { benchmark, release, low, point, high } => format!(
            "`{benchmark}` is slower than {release} by {} [{}, {}] according to stored runs; this \
             is not confirmed",
            format_slowdown(*point),
            format_slowdown(*low),
            format_slowdown(*high)
        ),
        Note::MoreSlowerThanRelease { count, release } => match count {
            1 => format!("1 more benchmark is slower than {release}"),
            count => format!("{count} more benchmarks are slower than {release}"),
        },
        Note::CountsWithoutRounds => {
            "`--counts` counted nothing because there were no rounds".to_owned()
        }
        Note::CountsNeedCriterion => {
            "`--counts` counts Criterion benches only, not commands".to_owned()
        }
        Note::InstructionsCounted { baseline, candidate } => format!(
            "a call takes {:.3} million instructions, against {:.3} million in the baseline \
             ({:+.1} %): a second opinion from callgrind, which does not change the verdict",
            candidate / 1e6,
            baseline / 1e6,
            (candidate / baseline - 1.0) * 100.0
        ),
        Note::InstructionsNotCounted { obstacle } => {
            format!("instructions were not counted: {}", describe_obstacle(obstacle))
        }
        Note::SlowdownNotExplained { obstacle } => {
            format!("the slowdown is not explained: {}", describe_obstacle(obstacle))
        }
        Note::NothingExplained { obstacle } => {
            format!("no slowdown is explained: {}", describe_explain_obstacle(obstacle))
        }

        Note::SameProgram => {
            "both commits build the same program, byte for byte, so there is nothing to measure"
                .to_owned()
        }
        Note::Unaffected { bench, files: 1 } => {
            format!("the change does not touch the only file that `{bench}` is built from")
        }
        Note::Unaffected { bench, files } => format!(
            "the change touches none of the {} files that `{bench}` is built from",
            format_large_count(*files)
        ),
        Note::OtherCompiler { baseline, candidate } => format!(
            "the baseline was built by {} at another time, and the candidate by {}, so the two are \
             not comparable",
            describe_compiler(baseline.as_deref()),
            describe_compiler(candidate.as_deref())
        ),
        Note::OtherMachine => {
            "the baseline was measured on another machine, so it is not comparable".to_owned()
        }
        Note::OtherCondition { key, baseline, candidate } => format!(
            "`{key}` was {} in the baseline and is {} now, so the two are not comparable (`--vary \
             {key}` compares them)",
            describe_condition(baseline.as_deref()),
            describe_condition(candidate.as_deref())
        ),
        Note::ConditionChanged { key, baseline, candidate } => format!(
            "`{key}` differs: {} in the baseline, {} in the candidate",
            describe_condition(baseline.as_deref()),
            describe_condition(candidate.as_deref())
        ),
        Note::BenchEdited { files } => match files.as_slice() {
            [first, second, third, more @ ..] if !more.is_empty() => {
                let count = more.len();
                format!("the bench itself changed: {first}, {second}, {third} and {count} more")
            }
            files => format!("the bench itself changed: {}", files.join(", ")),
        },
        Note::WorkChanged { unit, baseline, candidate } => format!(
            "its declared work changed: {} → {} {unit} per call",
            describe_amount(*baseline),
            describe_amount(*candidate)
        ),
        Note::SameCommit => {
            "the stored runs are of the same commit, so only the machine can have changed"
                .to_owned()
        }
        Note::OnlyScreened => "stored runs suggest a change, but no rounds confirmed it".to_owned(),
        Note::NotInCandidate => {
            "in the baseline but not in the candidate: deleted, renamed or not built".to_owned()
        }
        Note::FailedBefore { reason: None, .. } => {
            "it could not be measured in the baseline".to_owned()
        }
        Note::FailedBefore { reason: Some(reason), message } => format!(
            "it could not be measured in the baseline: {}",
            describe_setup_failure(reason, message)
        ),
        Note::FailedOnBothSides { reason, message } => format!(
            "it fails on both sides: {}; {PREPARE_ADVICE}",
            describe_setup_failure(reason, message)
        ),
        Note::FailedInCheckout { reason, message } => format!(
            "it ran in the working tree and fails in a checkout of the same commit: {}; \
             {PREPARE_ADVICE}",
            describe_setup_failure(reason, message)
        ),
        Note::SamplingDiffers => {
            "single calls on one side and batches on the other are not comparable".to_owned()
        }
        Note::TooFewLaunches => "a side has fewer than two launches, so it is unknown how much \
                                 launches differ"
            .to_owned(),
        Note::TooFewRounds { rounds } => match rounds {
            0 => "not measured: the budget has no time for enough rounds of it".to_owned(),
            1 => "1 round is too few for a test".to_owned(),
            rounds => format!("{rounds} rounds are too few for a test"),
        },
        Note::Undecided { rounds, detectable, more_time } => {
            let rounds = match rounds {
                None => String::new(),
                Some(rounds) => format!("undecided after {rounds} rounds: "),
            };
            let more = match more_time {
                None => String::new(),
                Some(time) => format!("; it would take {} more", format_wait(time.get())),
            };
            match detectable {
                Some(detectable) => format!(
                    "{rounds}the smallest detectable slowdown is {}{more}",
                    format_percent(*detectable, 1)
                ),
                None => {
                    format!("{rounds}its launches differ too much to detect any slowdown{more}")
                }
            }
        }
        Note::ClockTooCoarse { step, median } => format!(
            "the clock is too coarse: its step is {} of a median of {}",
            format_duration_tick(step.get()),
            format_duration_tick(median.get())
        ),
        Note::SamplesAlike { value } => format!(
            "the clock is too coarse: every sample is {}, so its step may be as large",
            format_duration_tick(value.get())
        ),
        Note::SamplesOfZero => "the clock is too coarse: the median of a launch is zero".to_owned(),
        Note::FewStoredRuns { runs, needed, assumed } => {
            let stored = match runs {
                1 => "only 1 run is".to_owned(),
                runs => format!("only {runs} runs are"),
            };
            format!(
                "{stored} stored for this machine: until there are {needed}, runs are assumed to \
                 differ by {} (standard deviation)",
                format_percent(*assumed, 0)
            )
        }

        Note::LoadAnswers { asked, reached } => describe_load(*asked, *reached),
        Note::LoadDoubted { asked, issue } => describe_load_issue(issue, *asked),
        Note::MoreLaunchesDecide => "more launches would decide".to_owned(),
        Note::MoreCallsDecide { calls } => format!("about {calls} more calls would decide"),
        Note::LaunchesDiffer => "its launches differ: more launches would decide".to_owned(),
        Note::SlowLaunch { launch } => {
            format!("launch {} alone misses it: launches differ", count_from_one(*launch))
        }
        Note::TooCloseToLimit => "too close to the limit for more calls to decide".to_owned(),
        Note::StepReachesLimit { step } => format!(
            "the clock is too coarse for this limit: its step may be as large as {}",
            format_duration_tick(step.get())
        ),
        Note::MeanNeedsTwoLaunches => "a bound on the mean needs at least two launches".to_owned(),
        Note::NoBatchLonger { batches, longest } => format!(
            "none of {} batches took longer than {}",
            format_large_count(*batches),
            format_duration_tick(longest.get())
        ),
        Note::CallsBounded { exceeding, calls } => format!(
            "at most {} of {} calls can have exceeded the limit",
            format_large_count(*exceeding),
            format_large_count(*calls)
        ),
        Note::TooFewBatches { metric, batches, needed } => {
            let batches = match batches {
                1 => "1 batch is".to_owned(),
                batches => format!("{batches} batches are"),
            };
            format!("{batches} too few: {metric} needs at least {needed}")
        }
        Note::BatchesHaveNoPercentile { metric } => {
            format!("measured in batches, so there is no {metric} of single calls")
        }
        Note::OnlyDigests => "only digests are stored, which cannot bound a percentile".to_owned(),
        Note::TooFewCalls { metric, calls, needed } => {
            let calls = match calls {
                1 => "1 call is".to_owned(),
                calls => format!("{calls} calls are"),
            };
            format!("{calls} too few: {metric} needs at least {needed}")
        }
        Note::NotMeasured => "it could not be measured".to_owned(),
    }
}

/// Returns the sentence of a note that a template holds as a value.
///
/// Fails if the value is not a note.
pub(super) fn describe_note_value(value: Value) -> Result<String, Error> {
    let note: Note = Deserialize::deserialize(value)?;
    Ok(describe_note(&note))
}

/// Returns the clause of a failure reason that a template holds as a value.
///
/// Fails if the value is not a failure reason.
pub(super) fn describe_failure_value(value: Value) -> Result<String, Error> {
    let reason: FailureReason = Deserialize::deserialize(value)?;
    Ok(describe_failure(&reason))
}

#[cfg(test)]
mod tests;
