use std::fmt::Write as _;

use super::texts::add_note_text;
use super::*;
use crate::note::{
    ClaimIssue, CountObstacle, CourseFinding, Disturbance, ExplainObstacle, LoadIssue, MachineName,
    RulesIssue, StoredMachine,
};
use crate::units::{Nanos, Percent, Ratio, RequestRate};

/// Builds a list with one example of each variant of `$kind`. It does not compile if a variant is
/// missing.
macro_rules! list_examples {
    ($kind:ident: $($variant:ident { $($fields:tt)* })*) => {{
        let _: fn(&$kind) = |example| match example {
            $($kind::$variant { .. } => {})*
        };
        vec![$($kind::$variant { $($fields)* }),*]
    }};
}

fn percent(share: f64) -> Percent {
    Percent::new(share).unwrap()
}

fn ratio(ratio: f64) -> Ratio {
    Ratio::new(ratio).unwrap()
}

fn nanos(ns: f64) -> Nanos {
    Nanos::new(ns).unwrap()
}

fn list_disturbances() -> Vec<Disturbance> {
    list_examples! { Disturbance:
        StolenTime { share: percent(0.062) }
        Throttled { times: 3 }
    }
}

fn list_failures() -> Vec<FailureReason> {
    list_examples! { FailureReason:
        Reported { sentence: "outputs differ".to_owned() }
        Panicked {}
        TimedOut { limit: nanos(60e9) }
        Exited { status: 3 }
        Killed { signal: 9 }
        EndedUnknown {}
        ListedNotRun {}
        NoSamplesWritten {}
        WrittenElsewhere {}
        NoSamplesPrinted {}
        EmptySamples {}
        PrintedTwice {}
        InvalidSample { cause: "`-1` is not a finite number of nanoseconds, zero or more".to_owned() }
        InvalidLine { line: 2, cause: "expected value at line 1 column 1".to_owned() }
        InvalidResult { cause: "sample.json: expected value at line 1 column 48".to_owned() }
        UnreadableOutput { adapter: "go".to_owned(), cause: "it has no benchmark".to_owned() }
        RepeatedId { bench: "suite".to_owned(), count: 2 }
        SharedId { benches: vec!["one".to_owned(), "two".to_owned()] }
    }
}

fn list_obstacles() -> Vec<CountObstacle> {
    list_examples! { CountObstacle:
        UnknownTarget {}
        NoSymbols {}
        NothingCounted {}
        BudgetSpent {}
        SeveralCallsPerSample {}
        ProcessFailed { reason: FailureReason::Killed { signal: 11 } }
        StartedByRunner { runner: "taskset -c 1".to_owned() }
        NoTotal {}
        Interpreted { program: "python3.11".to_owned() }
        OtherCalls {}
    }
}

fn list_explain_obstacles() -> Vec<ExplainObstacle> {
    list_examples! { ExplainObstacle:
        NoValgrind {}
        NoCommits {}
        OtherCommit { judged: "0123456789ab".to_owned() }
        NotCriterion {}
        Failed { cause: "failed to build the benches".to_owned() }
    }
}

fn list_claim_issues() -> Vec<ClaimIssue> {
    let text = |text: &str| text.to_owned();
    list_examples! { ClaimIssue:
        MetricsUnusable { cause: text("line 3: expected value at line 1 column 1") }
        MetricUnreported { metric: text("allocations"), pattern: text("encode/**") }
        MetricUndecided { launches: 1 }
        MetricGone {}
        MetricAbsent { metric: text("accuracy") }
        AmountUnknown { unit: text("tokens") }
        FewLaunches { launches: 4, needed: 5 }
        ExpectationUnmatched { name: text("KV cache"), benchmark: text("a/b"), nearest: Some(text("a/c")) }
        SumUnmatched { name: text("cycle"), benchmark: text("a/b"), nearest: None }
        PartUnmeasured { benchmark: text("a/b") }
        PartInBatches { benchmark: text("a/b") }
        PartNeedsCalls { benchmark: text("a/b"), calls: 1000, needed: 5990 }
    }
}

fn rate(rate: f64) -> RequestRate {
    RequestRate::new(rate).unwrap()
}

fn list_load_issues() -> Vec<LoadIssue> {
    list_examples! { LoadIssue:
        ClosedLoop {}
        WaitNotCounted { concurrency: 8.0 }
        UnknownLoad {}
        UnknownRate {}
        OtherRate { measured: rate(50.0) }
        RateNotReached { reached: rate(61.25) }
    }
}

fn list_course_findings() -> Vec<CourseFinding> {
    let benchmark = "request".to_owned();
    list_examples! { CourseFinding:
        LatencyGrew {
            benchmark: benchmark.clone(),
            low: ratio(1.08),
            point: ratio(1.12),
            high: ratio(1.16),
        }
        MemoryGrew { low: 5e5, point: 4e7, high: 5e7 }
        RequestsDropped { benchmark, dropped: 1250 }
    }
}

fn list_notes() -> Vec<Note> {
    let text = |text: &str| text.to_owned();
    let machine =
        |cpu_model: &str| MachineName { cpu_model: text(cpu_model), kernel: text("6.1.0") };
    let stored = |cpu_model: &str, cores| StoredMachine {
        cpu_model: text(cpu_model),
        cores,
        kernel: text("6.1.0"),
    };
    let stolen = Disturbance::StolenTime { share: percent(0.062) };
    let mut notes = list_examples! { Note:
        Recorded { sentence: text("the load average was 3.1 on 2 cores") }
        BusyBefore { others: percent(0.4) }
        BusyDuring { others: percent(0.4) }
        Disturbed { disturbance: stolen }
        LaunchRepeated { launch: 2, job: text("suite (demo)"), disturbance: stolen }
        RoundRepeated { round: 2, job: text("suite (demo)"), disturbance: stolen }
        MachineChanged { before: machine("Xeon"), after: machine("EPYC") }
        ConditionVaries { key: text("threads"), first: Some(text("1")), other: Some(text("4")) }
        WarmupNotSettled { benchmark: text("infer/batch/8") }
        SettingsUnusable { cause: text("expected value at line 1 column 1") }
        BenchSkipped { bench: text("plain"), package: text("demo") }
        BenchLeftOut { bench: text("gated"), package: text("demo"), features: vec![text("extra")] }
        BenchesElsewhere { packages: vec![text("suites"), text("more")] }
        NoBenches {}
        BenchNotListed {
            bench: text("encode"),
            package: text("demo"),
            reason: FailureReason::Panicked,
            message: Some(text("no model.bin")),
        }
        CompilerChanged { baseline: Some(text("1.94.0")), candidate: Some(text("1.95.0")) }
        RunnerUnknown { cause: text("failed to parse `.cargo/config.toml`") }
        BenchEmpty { bench: text("empty"), package: text("demo") }
        OtherMeasurement { benchmark: text("encode/8"), unit: text("instructions") }
        Course { finding: list_course_findings().remove(0) }
        BenchSetsOwnTime {
            benchmarks: vec![text("decode/8"), text("decode/16")],
            count: 4,
            longest: nanos(15.2e9),
        }
        EntriesLeftOut { adapter: text("asv"), entries: vec![text("size"), text("ratio")], count: 3 }
        NothingSelected { nearest: vec![text("encode/8"), text("encode/16")] }
        PackageAbsent { package: text("extra") }
        FeatureAbsent { feature: text("fast") }
        LockFromWorkingTree {}
        BenchmarkFailed { benchmark: text("encode/8"), reason: FailureReason::Panicked }
        Baseline { about: Box::new(Note::BusyDuring { others: percent(0.4) }) }
        Incomplete {}
        DirtyTree {}
        NoRepository {}
        CandidateNotCommitted {}
        InvalidCommit { commit: text("main") }
        NothingStored {}
        StoredElsewhere {
            commit: text("3f2a91c"),
            machines: vec![stored("Xeon", 2), stored("EPYC", 4)],
        }
        StoredWithOtherCompiler {
            commit: text("0123456789ab"),
            stored: vec![text("1.93.0"), text("1.94.0")],
            current: text("1.95.0"),
        }
        StoredRunIgnored { cause: text("failed to read stored run `runs/3f/…`: it is cut short") }
        BaselinesNotFetched { cause: text("no such remote") }
        HistoryNotFetched { cause: text("no such remote") }
        BaseNotBuilt { commit: text("3f2a91c"), cause: text("failed to build the benches") }
        BaseHasNoProfile { commit: text("3f2a91c"), profile: text("tuned") }
        BaseHasNoManifest { commit: text("3f2a91c"), manifest: text("crates/demo/Cargo.toml") }
        HeadNotBuilt { cause: text("failed to build the benches") }
        BaseIsAhead { revision: text("main"), commits: 3, merge_base: text("3f2a91c") }
        BaseNotMeasured { commit: text("3f2a91c"), cause: text("no such remote") }
        BaseBesideRunFile { commit: text("3f2a91c") }
        BaseUnknown { cause: Some(text("no such remote")) }
        NotConfirmed { cause: text("`git diff` failed: no such commit") }
        NotConfirmedWithoutBase { commit: text("3f2a91c"), cause: text("failed to build the benches") }
        TrailerMatchesNothing { trailer: text("encode/* +5 %") }
        TrailerWithoutMissing { trailer: text("encode/* missing") }
        TrailerExceeded { trailer: text("encode/* +5 %"), benchmark: text("encode/8"), more: 2 }
        TrailersNotRead { count: 900 }
        TrailerInvalid { cause: text("`encode/*` gives no reason: end it with `because …`") }
        MessagesNotRead { cause: text("no such commit") }
        MessagesIncomplete {}
        BaseRules {
            issue: RulesIssue::Changed {
                rule: text("gate.threshold"),
                base: None,
                candidate: Some(text("50%")),
            },
        }
        TargetMatchesNothing { pattern: text("encode/l*"), nearest: Some(text("encode/long")) }
        ExceptionMatchesNothing { pattern: text("decode/**"), nearest: None }
        RuleUndecided { pattern: text("encode/**") }
        Claim { issue: ClaimIssue::MetricUndecided { launches: 20 } }
        ShortLaunches { benchmarks: 2, limit: nanos(50e6), calls: 5000.0, has_calls_flag: true }
        SlowerThanRelease {
            benchmark: text("encode/8"),
            release: text("v1.2.0"),
            low: ratio(1.031),
            point: ratio(1.052),
            high: ratio(1.073),
        }
        MoreSlowerThanRelease { count: 2, release: text("v1.2.0") }
        CountsWithoutRounds {}
        CountsNeedCriterion {}
        InstructionsCounted { baseline: 10e6, candidate: 11e6 }
        InstructionsNotCounted { obstacle: CountObstacle::NoSymbols }
        SlowdownNotExplained { obstacle: CountObstacle::BudgetSpent }
        NothingExplained { obstacle: ExplainObstacle::NoValgrind }
        SameProgram {}
        Unaffected { bench: text("tokenization"), files: 214 }
        OtherCompiler { baseline: Some(text("1.94.0")), candidate: None }
        OtherMachine {}
        OtherCondition {
            key: text("threads"),
            baseline: Some(text("1")),
            candidate: Some(text("4")),
        }
        ConditionChanged {
            key: text("threads"),
            baseline: Some(text("1")),
            candidate: Some(text("4")),
        }
        BenchEdited { files: vec![text("benches/encode.rs")] }
        WorkChanged { unit: text("elements"), baseline: Some(16.0), candidate: Some(32.0) }
        SameCommit {}
        OnlyScreened {}
        NotInCandidate {}
        FailedBefore { reason: Some(FailureReason::Panicked), message: text("needs fix") }
        FailedOnBothSides { reason: FailureReason::Panicked, message: text("no such file") }
        FailedInCheckout { reason: FailureReason::Exited { status: 3 }, message: text("no model") }
        SamplingDiffers {}
        TooFewLaunches {}
        TooFewRounds { rounds: 2 }
        Undecided { rounds: Some(14), detectable: Some(percent(0.042)), more_time: None }
        ClockTooCoarse { step: nanos(1e6), median: nanos(8e6) }
        SamplesAlike { value: nanos(8e6) }
        SamplesOfZero {}
        FewStoredRuns { runs: 2, needed: 5, assumed: percent(0.05) }
        LoadAnswers { asked: rate(100.0), reached: Some(rate(99.97)) }
        LoadDoubted { asked: rate(100.0), issue: LoadIssue::ClosedLoop }
        MoreLaunchesDecide {}
        MoreCallsDecide { calls: 400 }
        LaunchesDiffer {}
        SlowLaunch { launch: 2 }
        TooCloseToLimit {}
        StepReachesLimit { step: nanos(1e6) }
        MeanNeedsTwoLaunches {}
        NoBatchLonger { batches: 500, longest: nanos(3e6) }
        CallsBounded { exceeding: 120, calls: 480_000 }
        TooFewBatches { metric: text("p99"), batches: 200, needed: 299 }
        BatchesHaveNoPercentile { metric: text("p95") }
        OnlyDigests {}
        TooFewCalls { metric: text("p99"), calls: 200, needed: 459 }
        NotMeasured {}
    };
    notes
        .extend(list_course_findings().into_iter().skip(1).map(|finding| Note::Course { finding }));
    notes.extend(
        list_load_issues()
            .into_iter()
            .skip(1)
            .map(|issue| Note::LoadDoubted { asked: rate(100.0), issue }),
    );
    notes.extend([
        Note::LoadAnswers { asked: rate(0.5), reached: None },
        Note::BaseRules { issue: RulesIssue::MoreChanged { count: 2 } },
        Note::BaseRules {
            issue: RulesIssue::PrepareChanged { base: None, candidate: Some("make data".into()) },
        },
        Note::BaseRules {
            issue: RulesIssue::SourceChanged {
                base: Some("{ adapter = \"go\", command = \"go test -bench .\" }".into()),
                candidate: Some("{ adapter = \"go\", command = \"go test -bench X\" }".into()),
            },
        },
        Note::BaseRules {
            issue: RulesIssue::SourceChanged {
                base: None,
                candidate: Some("{ adapter = \"go\", command = \"go test -bench .\" }".into()),
            },
        },
        Note::BaseRules {
            issue: RulesIssue::Unreadable {
                commit: text("3f2a91c"),
                cause: text("line 2: unknown field"),
            },
        },
        Note::BaseUnknown { cause: None },
        Note::OtherCondition { key: text("model"), baseline: None, candidate: Some(text("a")) },
        Note::BenchEdited { files: ["a", "b", "c", "d", "e"].map(text).to_vec() },
        Note::WorkChanged { unit: text("bytes"), baseline: None, candidate: Some(4096.0) },
        Note::BenchLeftOut { bench: text("old"), package: text("demo"), features: Vec::new() },
        Note::TrailerExceeded {
            trailer: text("encode/* +5 %"),
            benchmark: text("encode/8"),
            more: 0,
        },
        Note::ShortLaunches {
            benchmarks: 1,
            limit: nanos(50e6),
            calls: 5000.0,
            has_calls_flag: false,
        },
        Note::BaseIsAhead { revision: text("main"), commits: 1, merge_base: text("3f2a91c") },
        Note::FailedInCheckout { reason: FailureReason::Panicked, message: String::new() },
        Note::MoreSlowerThanRelease { count: 1, release: text("v1.2.0") },
        Note::TooFewRounds { rounds: 0 },
        Note::TooFewRounds { rounds: 1 },
        Note::Undecided { rounds: None, detectable: Some(percent(0.042)), more_time: None },
        Note::Undecided { rounds: Some(14), detectable: None, more_time: None },
        Note::Undecided { rounds: None, detectable: None, more_time: None },
        Note::Undecided {
            rounds: Some(40),
            detectable: Some(percent(0.07)),
            more_time: Some(nanos(250e9)),
        },
        Note::FewStoredRuns { runs: 1, needed: 5, assumed: percent(0.05) },
        Note::TrailersNotRead { count: 1 },
        Note::TooFewBatches { metric: text("p99"), batches: 1, needed: 299 },
        Note::TooFewCalls { metric: text("p99"), calls: 1, needed: 459 },
    ]);
    notes
}

#[test]
fn every_sentence_can_be_read_aloud() {
    let mut table = String::new();
    let mut write_line = |kind: &str, sentence: String| {
        assert!(!sentence.is_empty() && !sentence.ends_with('.'), "{sentence}");
        writeln!(table, "{kind:11}  {sentence}").unwrap();
    };
    for note in list_notes() {
        write_line("note", describe_note(&note));
    }
    for disturbance in list_disturbances() {
        write_line("disturbance", describe_disturbance(disturbance));
    }
    write_line("disturbance", describe_disturbance(Disturbance::Throttled { times: 1 }));
    for reason in list_failures() {
        write_line("failure", describe_failure(&reason));
    }
    for obstacle in list_obstacles() {
        write_line("obstacle", describe_obstacle(&obstacle));
    }
    for obstacle in list_explain_obstacles() {
        write_line("explaining", describe_explain_obstacle(&obstacle));
    }
    for issue in list_claim_issues() {
        write_line("claim", claim::describe_claim_issue(&issue));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn every_note_and_reason_is_read_back_without_its_text() {
    for note in list_notes() {
        let mut json = serde_json::to_value(&note).unwrap();
        add_note_text(&mut json);
        assert_eq!(json["text"], describe_note(&note));
        assert_eq!(serde_json::from_value::<Note>(json).unwrap(), note);
        assert_eq!(
            describe_note_value(Value::from_serialize(&note)).unwrap(),
            describe_note(&note)
        );
    }
    for reason in list_failures() {
        let json = serde_json::to_value(&reason).unwrap();
        assert_eq!(serde_json::from_value::<FailureReason>(json).unwrap(), reason);
        let described = describe_failure_value(Value::from_serialize(&reason)).unwrap();
        assert_eq!(described, describe_failure(&reason));
    }
}
