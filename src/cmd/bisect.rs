//! `perfgate bisect`: finds the commit that made a benchmark slower.

mod line;
mod log_file;
mod meter;
mod walk;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use self::line::SearchLine;
use self::log_file::LogFile;
use self::walk::{SearchWalk, WalkEnd};
use crate::bisect::{BisectOutcome, BisectReport, BisectRequest, SearchReport};
use crate::cli::{BisectArgs, BisectFormat, GateArgs, StoreArgs};
use crate::git::{CommitId, Repository};
use crate::measure::MeasureSubject;
use crate::measure::command::SampleCommand;
use crate::measure::harness::HarnessCommand;
use crate::render::{render_bisect_json, render_bisect_text};
use crate::rounds::RoundsBudget;
use crate::session::pair::CommandPlacer;
use crate::session::recipe::RequestedSource;
use crate::session::settings::to_duration;
use crate::session::{CommandError, ExitStatus, Session, SessionRequest, print};

/// Searches for the change and prints it. The exit status is 0 if it was found.
///
/// Fails if the commits have no range, if the good or the bad one cannot be measured, or if the log
/// cannot be read or written.
pub(super) fn run_bisect(args: &BisectArgs) -> Result<ExitStatus> {
    // Plan: find the commits, take up the log, and search. If the change is a merge and merged
    // commits are asked for, search between the commit at which its parents parted and its second
    // parent, and so on.
    let [bench] = args.selection.bench.as_slice() else {
        let help = "perfgate measure --list shows the ids of all benchmarks";
        let message = "bisect needs one benchmark: --bench ID";
        return Err(CommandError::new_usage(message).with_help(help).into());
    };
    let session = open_session(args)?;
    let Some(repository) = &session.project.repository else {
        return Err(CommandError::new_usage("bisect needs a git repository").into());
    };
    let resolve =
        |revision: &str| repository.resolve_revision(revision).map_err(CommandError::from);
    let (good, bad) = (resolve(&args.good)?, resolve(&args.bad)?);
    let mut line = SearchLine::find(repository, &good, &bad)?;
    let request = describe_request(args, &session, bench, (&good, &bad));
    let mut log = LogFile::open(&args.log, request, args.restart)?;
    let placer = choose_command(args, &session);
    let budget = RoundsBudget { began: Instant::now(), limit: to_duration(args.budget) };
    let mut searches: Vec<SearchReport> = Vec::new();
    loop {
        let depth = searches.len();
        let walk = SearchWalk {
            session: &session,
            repository,
            line: &line,
            bench,
            placer: placer.as_deref(),
            budget,
        };
        match walk.run(&mut log, depth)? {
            WalkEnd::Ended(report) => searches.push(*report),
            WalkEnd::Impossible(why) if depth == 0 => return Err(why.into()),
            WalkEnd::Impossible(why) => {
                print::print_note(&format!("the merge is not searched: {why}"));
                break;
            }
        }
        let merged = find_merged_line(repository, searches.last())?.filter(|_| args.all);
        match merged {
            Some(merged) => line = merged,
            None => break,
        }
    }
    let report = BisectReport::new(bench.clone(), searches);
    match args.format {
        BisectFormat::Text => print::print_answer(&render_bisect_text(&report))?,
        BisectFormat::Json => print::print_json(&render_bisect_json(&report)?)?,
    }
    Ok(if report.is_found() { ExitStatus::Pass } else { ExitStatus::Inconclusive })
}

/// Opens the session of the command line. Fails as [`Session::open`] does.
fn open_session(args: &BisectArgs) -> Result<Session> {
    Session::open(&SessionRequest {
        selection: &args.selection,
        effort: &args.effort,
        gate: &GateArgs { config: args.config.clone(), ..GateArgs::default() },
        store: &StoreArgs::default(),
        source: request_source(args),
        given_run: None,
    })
}

/// Returns what the command line measures, as far as it decides it.
fn request_source(args: &BisectArgs) -> RequestedSource {
    match args.adapter {
        _ if args.words.is_empty() => RequestedSource::Configured,
        Some(adapter) => RequestedSource::Harness(HarnessCommand::new(args.words.clone(), adapter)),
        None => RequestedSource::Commands,
    }
}

/// Returns what the search asks, as its log records it.
fn describe_request(
    args: &BisectArgs,
    session: &Session,
    bench: &str,
    (good, bad): (&CommitId, &CommitId),
) -> BisectRequest {
    let selection = &args.selection;
    let source = if args.words.is_empty() {
        let manifest = selection.manifest_path.iter().map(|path| path.display().to_string());
        let packages = selection.package.iter().map(|package| format!("--package {package}"));
        let features = selection.features.iter().map(|feature| format!("--features {feature}"));
        let profile = selection.profile.iter().map(|profile| format!("--profile {profile}"));
        let workspace = selection.workspace.then(|| "--workspace".to_owned());
        manifest.chain(packages).chain(features).chain(profile).chain(workspace).collect()
    } else {
        let adapter = args.adapter.map(|adapter| format!("--adapter {}", adapter.describe()));
        adapter.into_iter().chain(args.words.iter().cloned()).collect()
    };
    BisectRequest {
        good: good.to_string(),
        bad: bad.to_string(),
        bench: bench.to_owned(),
        all: args.all,
        fingerprint: session.host.fingerprint.clone(),
        source,
    }
}

/// Returns how what is measured is started in a folder: the harness of the command line or of the
/// configuration, or a command that prints samples. Returns `None` for benches.
fn choose_command(args: &BisectArgs, session: &Session) -> Option<Box<CommandPlacer<'static>>> {
    if let Some(harness) = session.recipe.harness.clone() {
        return Some(Box::new(move |folder: PathBuf| {
            MeasureSubject::Harness(harness.in_folder(folder))
        }));
    }
    if args.words.is_empty() {
        return None;
    }
    let command = SampleCommand::from_words(&args.words);
    Some(Box::new(move |folder: PathBuf| MeasureSubject::Command(command.start_in_folder(folder))))
}

/// Returns the commits inside of the merge that `found` names as the only change. Returns `None` if
/// it names none, or a commit that is not a merge. Fails if git fails.
fn find_merged_line(
    repository: &Repository,
    found: Option<&SearchReport>,
) -> Result<Option<SearchLine>> {
    let Some(found) = found.filter(|found| found.outcome == BisectOutcome::Found) else {
        return Ok(None);
    };
    let [commit] = found.changes[0].commits.as_slice() else { return Ok(None) };
    let Some(commit) = CommitId::parse(&commit.id) else { return Ok(None) };
    let range = repository.find_merged_range(&commit).map_err(CommandError::from)?;
    range.map(|(parted, merged)| SearchLine::find(repository, &parted, &merged)).transpose()
}
