//! More than the time of a call: metrics that are judged, targets on them, sums, claims and costs.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

use super::create_test_run;
use super::repositories::observed;
use crate::decision::{Change, Decision, MetricJudgement, TargetStatus, Verdict};
use crate::note::{ClaimIssue, Note};
use crate::policy::{Config, Policy};
use crate::render::{self, Colour};
use crate::report::{Report, ReportContext};
use crate::run::{Benchmark, BenchmarkId, Launch, LookHorizon, Run, SampleSource, Sampling};
use crate::selection::Selection;
use crate::verdict::{BaselineEvidence, Evidence, RoundsEvidence, decide, find_undecided};

const MILLISECOND: f64 = 1e6;

fn policy(toml: &str) -> Policy {
    let config = Config::from_toml(toml).unwrap();
    Policy::new(&config, &BTreeMap::new(), Selection::default()).unwrap()
}

/// Returns a benchmark with one launch per entry of `launches`: its times in milliseconds, and its
/// value of the metric `name`.
fn benchmark(id: &str, name: &str, launches: &[(Vec<f64>, Option<f64>)]) -> Benchmark {
    let launches = (0..).zip(launches).map(|(round, (times, value))| {
        let samples: Vec<f64> = times.iter().map(|ms| ms * MILLISECOND).collect();
        Launch {
            round,
            session: Some("s".to_owned()),
            order: None,
            data: observed(&samples),
            calls_per_sample: None,
            metrics: value.iter().map(|value| (name.to_owned(), *value)).collect(),
        }
    });
    let id = BenchmarkId { name: id.to_owned(), package: None };
    Benchmark { launches: launches.collect(), ..Benchmark::new(id, None, Sampling::Call) }
}

/// Returns the times of a launch, which are around `ms` and vary by 0.1 %, without a common step.
fn steady_times(ms: f64, launch: usize, calls: usize) -> Vec<f64> {
    let shift = |at: usize| ((launch * calls + at) as f64 * 0.618_033_988_75).fract() - 0.5;
    (0..calls).map(|at| ms * (1.0 + 1e-3 * shift(at))).collect()
}

/// Returns a benchmark of 1 ms whose launches report these values.
fn reporting(name: &str, values: &[f64]) -> Benchmark {
    let launches = values.iter().enumerate();
    let launches = launches.map(|(at, value)| (steady_times(1.0, at, 10), Some(*value)));
    benchmark("encode", name, &launches.collect::<Vec<_>>())
}

fn run(benchmarks: Vec<Benchmark>) -> Run {
    let mut run = create_test_run(SampleSource::Command);
    run.benchmarks = benchmarks;
    run
}

fn in_rounds<'a>(baseline: &'a Run, candidate: &'a Run, has_ended: bool) -> Evidence<'a> {
    let rounds = RoundsEvidence {
        baseline,
        candidate,
        entered_count: candidate.benchmarks.len(),
        same_program: &[],
        postponed: &[],
        horizon: LookHorizon::default(),
        has_ended,
    };
    Evidence { rounds: Some(rounds), ..Evidence::from_sides(candidate, BaselineEvidence::None) }
}

fn decide_rounds(baseline: Benchmark, candidate: Benchmark, toml: &str) -> Decision {
    let (baseline, candidate) = (run(vec![baseline]), run(vec![candidate]));
    decide(&in_rounds(&baseline, &candidate, true), &policy(toml))
}

fn decide_alone(benchmarks: Vec<Benchmark>, toml: &str) -> Decision {
    let candidate = run(benchmarks);
    decide(&Evidence::from_sides(&candidate, BaselineEvidence::None), &policy(toml))
}

/// Judges the metric `name` with the values of both sides, in as many rounds as there are values.
fn judge(name: &str, [old, new]: [&[f64]; 2], rules: &str) -> (Verdict, MetricJudgement) {
    let toml = format!("[[metric]]\nname = \"{name}\"\n{rules}");
    let mut decision = decide_rounds(reporting(name, old), reporting(name, new), &toml);
    let metric = decision.benchmarks.remove(0).metrics.remove(name).unwrap();
    (decision.verdict, metric)
}

/// Returns a context without links.
fn context() -> &'static ReportContext {
    static CONTEXT: LazyLock<ReportContext> = LazyLock::new(ReportContext::default);
    &CONTEXT
}

fn render_text(decision: &Decision) -> String {
    let report = Report::new(decision, context());
    render::render_text(&report, Colour::Off).unwrap()
}

#[test]
fn ten_times_the_memory_does_not_pass_where_the_gate_judges_it() {
    let noisy = |mib: f64| -> Vec<f64> {
        (0..14).map(|at| mib * 1_048_576.0 * (1.0 + 0.002 * (f64::from(at) * 0.7).sin())).collect()
    };
    let (verdict, metric) = judge("peak_rss_bytes", [&noisy(40.0), &noisy(400.0)], "");
    assert_eq!((verdict, metric.change), (Verdict::Fail, Some(Change::Regressed)));
    assert!((metric.ratio.unwrap().point.get() - 10.0).abs() < 0.01, "{metric:?}");
    let (verdict, metric) = judge("peak_rss_bytes", [&noisy(40.0), &noisy(40.0)], "");
    assert_eq!((verdict, metric.change), (Verdict::Pass, Some(Change::Unchanged)));
    // Without a rule it is shown and not judged.
    let decision = decide_rounds(
        reporting("peak_rss_bytes", &noisy(40.0)),
        reporting("peak_rss_bytes", &noisy(400.0)),
        "",
    );
    assert_eq!(decision.verdict, Verdict::Pass);
    let metric = &decision.benchmarks[0].metrics["peak_rss_bytes"];
    assert_eq!(metric.change, None);
    assert!(metric.ratio.is_some());
    let text = render_text(&decision);
    assert!(text.contains("peak_rss_bytes") && text.contains("400 MiB"), "{text}");
}

#[test]
fn a_benchmark_that_regressed_by_a_metric_says_so() {
    let decision = decide_rounds(
        reporting("allocations", &[12.0; 10]),
        reporting("allocations", &[13.0; 10]),
        "[[metric]]\nname = \"allocations\"",
    );
    assert_eq!(decision.verdict, Verdict::Fail);
    assert_eq!(decision.benchmarks[0].change, Change::Unchanged);
    let text = render_text(&decision);
    assert!(text.contains("1 metric worse"), "{text}");
    assert!(text.contains("allocations: 12 → 13 (+8.3 %"), "{text}");
    let report = Report::new(&decision, context());
    let markdown = render::render_markdown(&report, render::COMMENT_LIMIT).unwrap();
    assert!(markdown.contains("allocations is worse**: 12 → 13"), "{markdown}");
    assert!(render::render_html(&report).unwrap().contains("allocations is worse"));
    let csv = render::render_csv(&report).unwrap();
    assert!(csv.contains("allocations=12.0->13.0 regressed"), "{csv}");
    let junit = render::render_junit(&report).unwrap();
    assert!(junit.contains("<failure type=\"metric worse\""), "{junit}");
    let written = serde_json::to_string(&decision).unwrap();
    assert_eq!(Decision::from_json(written.as_bytes()).unwrap(), decision);
}

#[test]
fn counts_without_any_variance_are_decided_by_their_number_of_launches() {
    // Four launches per side may be alike by chance, 1 time in 256.
    let (_, metric) = judge("allocations", [&[12.0; 4], &[13.0; 4]], "");
    assert_eq!(metric.change, Some(Change::Inconclusive));
    let (_, metric) = judge("allocations", [&[12.0; 7], &[13.0; 7]], "");
    assert_eq!(metric.change, Some(Change::Regressed));
    let (_, metric) = judge("allocations", [&[12.0; 5], &[12.0; 5]], "");
    assert_eq!(metric.change, Some(Change::Unchanged));
    let (_, metric) = judge("allocations", [&[13.0; 7], &[12.0; 7]], "");
    assert_eq!(metric.change, Some(Change::Improved));
}

#[test]
fn zero_has_no_logarithm_and_is_judged_all_the_same() {
    let (verdict, metric) = judge("allocations", [&[0.0; 7], &[3.0; 7]], "");
    assert_eq!((verdict, metric.change), (Verdict::Fail, Some(Change::Regressed)));
    assert_eq!(metric.ratio, None);
    let (_, metric) = judge("allocations", [&[0.0; 5], &[0.0; 5]], "");
    assert_eq!(metric.change, Some(Change::Unchanged));
    let (_, metric) = judge("max_abs_error", [&[1e-6; 7], &[0.0; 7]], "");
    assert_eq!(metric.change, Some(Change::Improved));
    // One launch that allocates once is no regression.
    let once = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let (_, metric) = judge("allocations", [&[0.0; 7], &once], "");
    assert_eq!(metric.change, Some(Change::Inconclusive));
}

#[test]
fn a_lower_accuracy_is_worse_where_higher_is_better() {
    let values = |level: f64| -> Vec<f64> {
        (0..14).map(|at| level * (1.0 + 0.001 * (f64::from(at) * 1.3).sin())).collect()
    };
    let higher = "better = \"higher\"";
    let (verdict, metric) = judge("accuracy", [&values(0.9), &values(0.8)], higher);
    assert_eq!((verdict, metric.change), (Verdict::Fail, Some(Change::Regressed)));
    let ratio = metric.ratio.unwrap();
    assert!((ratio.point.get() - 8.0 / 9.0).abs() < 1e-3, "{ratio:?}");
    assert!(ratio.low <= ratio.point && ratio.point <= ratio.high, "{ratio:?}");
    let (_, metric) = judge("accuracy", [&values(0.8), &values(0.9)], higher);
    assert_eq!(metric.change, Some(Change::Improved));
}

#[test]
fn a_metric_that_the_candidate_no_longer_reports_is_missing() {
    let launches: Vec<_> = (0..7).map(|at| (steady_times(1.0, at, 10), None)).collect();
    let silent = || benchmark("encode", "allocations", &launches);
    let toml = "[[metric]]\nname = \"allocations\"";
    let decision = decide_rounds(reporting("allocations", &[3.0; 7]), silent(), toml);
    assert_eq!(decision.verdict, Verdict::Fail);
    let metric = &decision.benchmarks[0].metrics["allocations"];
    assert_eq!(metric.change, Some(Change::Missing));
    assert_eq!(metric.notes, [Note::Claim { issue: ClaimIssue::MetricGone }]);
    let decision = decide_rounds(silent(), reporting("allocations", &[3.0; 7]), toml);
    assert_eq!(decision.benchmarks[0].metrics["allocations"].change, Some(Change::New));
    // A metric that nobody reports is most likely misspelled.
    let decision = decide_rounds(silent(), silent(), toml);
    let unreported = |pattern: &str| Note::Claim {
        issue: ClaimIssue::MetricUnreported {
            metric: "allocations".to_owned(),
            pattern: pattern.to_owned(),
        },
    };
    assert!(decision.notes.contains(&unreported("**")), "{:?}", decision.notes);
    // So is a pattern that no benchmark matches.
    let reports = || reporting("allocations", &[3.0; 7]);
    let toml = "[[metric]]\nname = \"allocations\"\nbench = \"encoed\"";
    let decision = decide_rounds(reports(), reports(), toml);
    assert!(decision.notes.contains(&unreported("encoed")), "{:?}", decision.notes);
}

#[test]
fn rounds_go_on_while_a_judged_metric_is_undecided() {
    let alternating: Vec<f64> = (0..5).map(|at| 100.0 + 20.0 * f64::from(at % 2)).collect();
    let (baseline, candidate) = (
        run(vec![reporting("allocations", &alternating)]),
        run(vec![reporting("allocations", &alternating)]),
    );
    let evidence = in_rounds(&baseline, &candidate, false);
    let is_open = |toml: &str| {
        let decision = decide(&evidence, &policy(toml));
        assert_eq!(decision.benchmarks[0].change, Change::Unchanged);
        !find_undecided(&decision, evidence.rounds.unwrap(), &BTreeMap::new(), 5).is_empty()
    };
    assert!(!is_open(""));
    assert!(is_open("[[metric]]\nname = \"allocations\""));
}

#[test]
fn gated_metrics_share_alpha_and_keep_the_promise() {
    // Suites of ten unchanged benchmarks, each with a count of two values and a noisy amount of bytes,
    // in at most 20 rounds. At most 4 % may fail; one-sided, 99 % of such tests see at most 20 of 250.
    const SUITES: u64 = 250;
    const LARGEST_COUNT: usize = 20;
    let toml = "[[metric]]\nname = \"allocations\"\nthreshold = \"0%\"\n\
                [[metric]]\nname = \"heap_bytes\"\nthreshold = \"0%\"\n";
    let policy = policy(toml);
    let mut failed = 0;
    for seed in 0..SUITES {
        let mut random = Pcg64::seed_from_u64(seed);
        let mut draw_side = || -> Run {
            let draw_benchmark = |index: usize, random: &mut Pcg64| {
                let launches: Vec<_> = (0..20).map(|at| (steady_times(1.0, at, 3), None)).collect();
                let mut drawn = benchmark(&format!("suite/{index}"), "", &launches);
                for launch in &mut drawn.launches {
                    let is_one_more: bool = random.random();
                    let noise: f64 = (0..4).map(|_| random.random::<f64>() - 0.5).sum();
                    launch.metrics = BTreeMap::from([
                        ("allocations".to_owned(), if is_one_more { 13.0 } else { 12.0 }),
                        ("heap_bytes".to_owned(), 1e6 * (1.0 + 0.02 * noise)),
                    ]);
                }
                drawn
            };
            run((0..10).map(|index| draw_benchmark(index, &mut random)).collect())
        };
        let (baseline, candidate) = (draw_side(), draw_side());
        let decision = decide(&in_rounds(&baseline, &candidate, true), &policy);
        failed += usize::from(decision.verdict == Verdict::Fail);
    }
    assert!(failed <= LARGEST_COUNT, "{failed} of {SUITES} unchanged suites failed");
}

#[test]
fn a_suite_without_judged_metrics_is_decided_as_if_it_reported_none() {
    let values: Vec<f64> = (0..20).map(|at| 10.0 + f64::from(at % 3)).collect();
    let silent: Vec<_> = (0..20).map(|at| (steady_times(1.0, at, 10), None)).collect();
    let silent = || benchmark("encode", "", &silent);
    let mut reported = decide_rounds(reporting("x", &values), reporting("x", &values), "");
    let plain = decide_rounds(silent(), silent(), "");
    reported.benchmarks[0].metrics.clear();
    assert_eq!(reported, plain);
}

#[test]
fn a_target_on_memory_is_met_missed_or_unproven() {
    let judge = |values: &[f64], limit: &str| {
        let toml = format!("[[target]]\nbench = \"**\"\n{limit}");
        let mut decision = decide_alone(vec![reporting("peak_rss_bytes", values)], &toml);
        decision.benchmarks.remove(0).targets.remove(0)
    };
    let mib = |values: &[f64]| -> Vec<f64> { values.iter().map(|mib| mib * 1_048_576.0).collect() };
    let varied = mib(&[400.0, 401.0, 399.0, 400.5, 400.2]);
    assert_eq!(judge(&varied, "peak-rss = \"512MiB\"").status, TargetStatus::Met);
    assert_eq!(judge(&varied, "peak-rss = \"300MiB\"").status, TargetStatus::Missed);
    assert_eq!(judge(&varied, "peak-rss = \"400MiB\"").status, TargetStatus::Unproven);
    // One launch above the limit is too many.
    let mut spiky = vec![400.0; 30];
    spiky[3] = 520.0;
    let target = judge(&mib(&spiky), "peak-rss = \"512MiB\"");
    assert_eq!(target.note, Some(Note::SlowLaunch { launch: 3 }));
    // Launches without variance are no proof before there are five of them.
    let target = judge(&mib(&[400.0; 4]), "peak-rss = \"512MiB\"");
    let issue = ClaimIssue::FewLaunches { launches: 4, needed: 5 };
    assert_eq!(target.note, Some(Note::Claim { issue }));
    assert_eq!(judge(&mib(&[400.0; 5]), "peak-rss = \"512MiB\"").status, TargetStatus::Met);
    let target = judge(&varied, "max = { accuracy = 1 }");
    let issue = ClaimIssue::MetricAbsent { metric: "accuracy".to_owned() };
    assert_eq!(target.note, Some(Note::Claim { issue }));
}

#[test]
fn a_throughput_must_be_at_least_its_limit() {
    let judge = |limit: &str| {
        let mut candidate = reporting("x", &[1.0; 5]);
        candidate.per_call = BTreeMap::from([("tokens".to_owned(), 2.0)]);
        let toml =
            format!("[[target]]\nbench = \"**\"\nname = \"speed\"\nthroughput = \"{limit}\"");
        let decision = decide_alone(vec![candidate], &toml);
        let text = render_text(&decision);
        (decision.benchmarks[0].targets[0].clone(), text)
    };
    // 2 tokens in 1 ms are 2,000 tokens per second.
    let (target, text) = judge("1900 tokens/s");
    assert_eq!(target.status, TargetStatus::Met);
    assert!((target.point.unwrap().get() - 2000.0).abs() < 1.0, "{target:?}");
    assert!(text.contains("tokens/s ≥ 1.90 k tokens/s met") && text.contains("+5.3 %"), "{text}");
    let (target, text) = judge("2100 tokens/s");
    assert_eq!(target.status, TargetStatus::Missed);
    assert!(text.contains("limit at least 2.10 k tokens/s"), "{text}");
    let issue = ClaimIssue::AmountUnknown { unit: "elements".to_owned() };
    assert_eq!(judge("900/s").0.note, Some(Note::Claim { issue }));
}

#[test]
fn a_hundred_calls_of_1077_us_miss_100_ms() {
    let calls = |launches: usize, calls: usize| {
        let launches: Vec<_> =
            (0..launches).map(|at| (steady_times(1.077, at, calls), None)).collect();
        benchmark("decode/token", "", &launches)
    };
    let judge = |candidate: Benchmark, limit: &str| {
        let toml = format!(
            "[[target]]\nname = \"100 tokens\"\nsum = [\"decode/token\"]\ntimes = 100\n{limit}"
        );
        decide_alone(vec![candidate], &toml)
    };
    let decision = judge(calls(5, 200), "p95 = \"100ms\"\nmean = \"100ms\"");
    assert_eq!(decision.sums.len(), 2);
    for sum in &decision.sums {
        assert_eq!(sum.status, TargetStatus::Missed, "{sum:?}");
    }
    assert_eq!((decision.verdict, decision.exit_status), (Verdict::Fail, 10));
    let text = render_text(&decision);
    assert!(text.contains("margin −7.7 %"), "{text}");
    // Ten blocks of a hundred calls bound no p95 from above, and neither do 1,000 calls.
    let decision = judge(calls(5, 200), "p95 = \"120ms\"");
    assert_eq!(decision.sums[0].status, TargetStatus::Unproven);
    let Some(Note::Claim { issue: ClaimIssue::PartNeedsCalls { calls: 1000, needed, .. } }) =
        decision.sums[0].note
    else {
        panic!("{:?}", decision.sums[0]);
    };
    assert!(needed > 5000, "{needed}");
    assert_eq!(judge(calls(10, 1000), "p95 = \"120ms\"").sums[0].status, TargetStatus::Met);
    assert_eq!(judge(calls(5, 200), "mean = \"120ms\"").sums[0].status, TargetStatus::Met);
}

#[test]
fn the_p95_of_a_sum_is_bounded_by_higher_percentiles_of_its_parts() {
    let part = |id: &str, ms: f64| {
        let launches: Vec<_> = (0..5).map(|at| (steady_times(ms, at, 100), None)).collect();
        benchmark(id, "", &launches)
    };
    let toml = "[[target]]\nname = \"cycle\"\nsum = [\"tokenize\", \"infer\"]\np95 = \"12ms\"";
    let decision = decide_alone(vec![part("tokenize", 1.0), part("infer", 10.0)], toml);
    let sum = &decision.sums[0];
    assert_eq!(sum.status, TargetStatus::Met, "{sum:?}");
    assert!(sum.low.unwrap().get() > 10.9e6 && sum.high.unwrap().get() < 11.1e6, "{sum:?}");
    // A part that is not there leaves the sum unproven, and is most likely misspelled.
    let decision = decide_alone(vec![part("tokenise", 1.0), part("infer", 10.0)], toml);
    assert_eq!(decision.sums[0].status, TargetStatus::Unproven);
    let issue = ClaimIssue::SumUnmatched {
        name: "cycle".to_owned(),
        benchmark: "tokenize".to_owned(),
        nearest: Some("tokenise".to_owned()),
    };
    assert!(decision.notes.contains(&Note::Claim { issue }), "{:?}", decision.notes);
}

#[test]
fn a_claim_about_two_benchmarks_is_judged_by_launch() {
    // Both benchmarks of a launch share its pace, so the ratio is known better than either time.
    let side = |id: &str, ms: f64| {
        let pace = |at: usize| ms * (1.0 + 0.3 * at as f64);
        let launches: Vec<_> = (0..6).map(|at| (steady_times(pace(at), at, 20), None)).collect();
        benchmark(id, "", &launches)
    };
    let judge = |bound: &str| {
        let toml = format!(
            "[[expect]]\nname = \"KV cache\"\nratio = [\"recomputed\", \"cached\"]\n{bound}"
        );
        decide_alone(vec![side("recomputed", 3.2), side("cached", 1.0)], &toml)
    };
    let decision = judge("at-least = 3.0");
    let claim = &decision.expectations[0];
    assert_eq!((claim.status, claim.pairs), (TargetStatus::Met, 6), "{claim:?}");
    assert!((claim.point.unwrap().get() - 3.2).abs() < 0.01, "{claim:?}");
    assert_eq!(decision.verdict, Verdict::Pass);
    let missed = judge("at-least = 3.5");
    assert_eq!(missed.expectations[0].status, TargetStatus::Missed);
    assert_eq!((missed.verdict, missed.exit_status), (Verdict::Fail, 10));
    assert_eq!(judge("at-least = 3.2").expectations[0].status, TargetStatus::Unproven);
    assert_eq!(judge("at-most = 3.0").expectations[0].status, TargetStatus::Missed);
    assert_eq!(judge("at-most = 4.0").expectations[0].status, TargetStatus::Met);
    let report = Report::new(&missed, context());
    for shown in [
        render::render_text(&report, Colour::Off).unwrap(),
        render::render_markdown(&report, render::COMMENT_LIMIT).unwrap(),
        render::render_html(&report).unwrap(),
        render::render_junit(&report).unwrap(),
    ] {
        assert!(shown.contains("KV cache") && shown.contains("missed"), "{shown}");
    }
}

#[test]
fn a_claim_that_matches_no_benchmark_is_unproven_with_a_warning() {
    let toml =
        "[[expect]]\nname = \"KV cache\"\nratio = [\"recomputed\", \"cached\"]\nat-least = 3\n";
    let decision = decide_alone(vec![reporting("x", &[1.0; 5])], toml);
    assert_eq!(decision.expectations[0].status, TargetStatus::Unproven);
    assert_eq!(decision.verdict, Verdict::Inconclusive);
    let issue = ClaimIssue::ExpectationUnmatched {
        name: "KV cache".to_owned(),
        benchmark: "recomputed".to_owned(),
        nearest: Some("encode".to_owned()),
    };
    assert!(decision.notes.contains(&Note::Claim { issue }), "{:?}", decision.notes);
    // `--bench` leaves it out, so it is not asked.
    let config = Config::from_toml(toml).unwrap();
    let selection = Selection::new(&["encode".to_owned()]).unwrap();
    let policy = Policy::new(&config, &BTreeMap::new(), selection).unwrap();
    let candidate = run(vec![reporting("x", &[1.0; 5])]);
    let evidence = Evidence::from_sides(&candidate, BaselineEvidence::None);
    assert!(decide(&evidence, &policy).expectations.is_empty());
}

#[test]
fn a_million_calls_of_a_millisecond_cost_their_share_of_an_hour() {
    let toml = "[cost]\nper-hour = 3.6\nname = \"c7i.large\"\ncurrency = \"USD\"\n";
    let decision = decide_alone(vec![reporting("x", &[1.0; 5])], toml);
    // A million calls of 1 ms take 1,000 s, which is 1/3.6 of an hour.
    let report = Report::new(&decision, context());
    let cost = report.rows().next().unwrap().cost.unwrap();
    assert!((cost.point - 1.0).abs() < 1e-3, "{cost:?}");
    assert!(cost.low.unwrap() < cost.point && cost.point < cost.high.unwrap(), "{cost:?}");
    let text = render_text(&decision);
    assert!(
        text.contains("a million calls") && text.contains("3.60 USD per hour (c7i.large)"),
        "{text}"
    );
}

#[test]
fn a_price_without_a_name_or_a_currency_can_be_reported() {
    for words in ["", "name = \"c7i.large\"", "currency = \"USD\""] {
        let toml = format!("[cost]\nper-hour = 3.6\n{words}\n");
        let text = render_text(&decide_alone(vec![reporting("x", &[1.0; 5])], &toml));
        assert!(text.contains("at 3.60"), "{text}");
    }
}
