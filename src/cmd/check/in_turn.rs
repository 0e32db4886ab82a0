//! Base and candidate built side by side and measured in turn.

use std::collections::HashSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::super::measure as measuring;
use super::super::progress::Stages;
use super::super::project::Project;
use super::super::{Refusal, gate};
use super::{Check, shared};
use crate::git::{CommitId, Repository, Worktree};
use crate::measure::command::SampleCommand;
use crate::measure::criterion::Workspace;
use crate::measure::{Effort, Interrupt, MeasureError, Plan, Subject};
use crate::rounds::{InTurn, Sides, interleave};
use crate::run::{BenchmarkId, Commit, Run, Source};
use crate::units::Nanos;
use crate::verdict::{Change, Decision, Rounds, next_look};

/// What the undecided are told by: the decision at each look, given the launches so far.
pub(super) type Decide<'a> = dyn FnMut(Rounds<'_>) -> Decision + 'a;

/// Both sides, ready to be launched. Worktrees live as long as this does.
pub(super) struct Pair {
    baseline: Subject,
    candidate: Subject,
    source: Source,
    commits: [Option<Commit>; 2],
    _worktrees: Vec<Worktree>,
}

impl Pair {
    /// Two commands.
    pub(super) fn of_commands(baseline: &str, candidate: &str) -> Self {
        let subject = |text: &str| Subject::Command(SampleCommand::new(text.to_owned()));
        Self {
            baseline: subject(baseline),
            candidate: subject(candidate),
            source: Source::Command,
            commits: [None, None],
            _worktrees: Vec::new(),
        }
    }

    /// The benches of `base` and of what is checked out here, built in folders of equal length.
    ///
    /// A clean tree is measured in a worktree as well, so that nothing but the source differs; a
    /// dirty one where it is.
    pub(super) fn of_commits(
        check: &Check<'_>,
        repository: &Repository,
        base: &CommitId,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        shared::fetch_commit(repository, base).map_err(Refusal::from)?;
        repository.remove_stale_worktrees().map_err(Refusal::from)?;
        let head = check.project.head()?;
        let folder =
            env::current_dir()?.join(&check.project.folder).join("target/perfgate/in-turn");
        let mut side = Side { check, repository, folder, worktrees: Vec::new(), interrupt };
        let baseline = side.build("base", base)?;
        let candidate = match head.as_ref().filter(|head| !head.dirty) {
            Some(head) => {
                let id = CommitId::parse(&head.id).context("the head has a strange id")?;
                side.build("head", &id)?
            }
            None => measuring::built(&measuring::workspace(&check.args.selection), interrupt)?,
        };
        Ok(Self {
            baseline,
            candidate,
            source: Source::Criterion,
            commits: [Some(repository.commit(base).map_err(Refusal::from)?), head],
            _worktrees: side.worktrees,
        })
    }

    /// Measures in turn, the `wanted` benchmarks or all, until `decide` leaves nothing open.
    pub(super) fn measure(
        &self,
        check: &Check<'_>,
        wanted: Option<&HashSet<BenchmarkId>>,
        interrupt: &Interrupt,
        decide: &mut Decide<'_>,
    ) -> Result<InTurn> {
        let effort_args = gate::effort(&check.args.effort, &check.config.measure);
        let effort = measuring::settled(&effort_args);
        let mut stages = Stages::new();
        let plan = self.plan(check, &effort, interrupt, &mut stages)?;
        let run = |commit: &Option<Commit>| {
            let mut run = measuring::empty_run(self.source, &check.args.selection, &effort_args);
            run.commit.clone_from(commit);
            run
        };
        let [baseline, candidate] = self.commits.each_ref().map(run);
        let sides = Sides {
            baseline: &self.baseline,
            candidate: &self.candidate,
            plan: wanted.map_or(plan.clone(), |wanted| plan.only(wanted)),
            effort: &effort,
            seed: effort_args.seed.unwrap_or(DEFAULT_SEED),
            session: format!("{}-{}", candidate.created, process::id()),
            budget: budget(check),
        };
        let mut look = |rounds: Rounds<'_>| {
            let decision = decide(rounds);
            undecided(check, &decision, rounds, effort.launches)
        };
        let in_turn =
            interleave(&sides, baseline, candidate, interrupt, &mut look, &mut |progress| {
                stages.round(&progress);
            });
        in_turn.map_err(measuring::explain)
    }

    fn plan(
        &self,
        check: &Check<'_>,
        effort: &Effort,
        interrupt: &Interrupt,
        stages: &mut Stages,
    ) -> Result<Plan> {
        let patterns = measuring::patterns(&check.args.selection.bench)?;
        let mut pilot = |subject: &Subject| -> Result<Plan, MeasureError> {
            subject.plan(&patterns, effort, interrupt, &mut |progress| stages.show(&progress))
        };
        let baseline = pilot(&self.baseline).map_err(measuring::explain)?;
        let candidate = pilot(&self.candidate).map_err(measuring::explain)?;
        Ok(candidate.merge(baseline))
    }
}

/// Seed of the order within rounds, unless another is given; any will do, as long as it is said.
const DEFAULT_SEED: u64 = 1;

fn budget(check: &Check<'_>) -> Option<Duration> {
    let budget: Option<Nanos> = check.args.budget.or(check.config.measure.budget);
    budget.map(|budget| Duration::try_from_secs_f64(budget.get() / 1e9).unwrap_or(Duration::MAX))
}

/// What needs another round: what the looks leave open, and what is new until it has all its launches.
fn undecided(
    check: &Check<'_>,
    decision: &Decision,
    rounds: Rounds<'_>,
    launches: u32,
) -> HashSet<BenchmarkId> {
    let measured = |run: &Run| -> std::collections::HashMap<BenchmarkId, usize> {
        let worked = run.benchmarks.iter().filter(|benchmark| benchmark.failure.is_none());
        worked.map(|benchmark| (benchmark.identity(), benchmark.launches.len())).collect()
    };
    let in_rounds = measured(rounds.candidate);
    let open = decision.benchmarks.iter().filter(|judgement| {
        let id = judgement.identity();
        in_rounds.get(&id).is_some_and(|&count| match judgement.change {
            Change::Inconclusive => next_look(check.noise.get(&id), count).is_some(),
            Change::New => count < launches as usize,
            _ => false,
        })
    });
    open.map(crate::verdict::Judgement::identity).collect()
}

/// What it takes to build one side.
struct Side<'a> {
    check: &'a Check<'a>,
    repository: &'a Repository,
    folder: PathBuf,
    worktrees: Vec<Worktree>,
    interrupt: &'a Interrupt,
}

impl Side<'_> {
    /// Checks `commit` out, prepares and builds it. Names of equal length make paths of equal length.
    fn build(&mut self, name: &str, commit: &CommitId) -> Result<Subject> {
        let path = self.folder.join(process::id().to_string()).join(name);
        let worktree = self.repository.add_worktree(&path, commit).map_err(Refusal::from)?;
        let inside = inside(&self.check.project, self.repository)?;
        let folder = worktree.path().join(&inside);
        self.worktrees.push(worktree);
        if let Some(prepare) = &self.check.config.measure.prepare {
            run_prepare(prepare, &folder, &self.check.project.folder)?;
        }
        let selection = &self.check.args.selection;
        let manifest = selection.manifest_path.as_deref().and_then(Path::file_name);
        let workspace = Workspace {
            folder,
            manifest: manifest.map(PathBuf::from),
            // Kept from one check to the next, so that dependencies are built once.
            target_folder: Some(self.folder.join("build").join(name)),
            ..measuring::workspace(selection)
        };
        measuring::built(&workspace, self.interrupt)
            .with_context(|| format!("failed to build {} ({})", name, commit.short()))
    }
}

/// Where the workspace lies within its repository.
fn inside(project: &Project, repository: &Repository) -> Result<PathBuf> {
    let root = repository.folder().canonicalize()?;
    let folder = project.folder.canonicalize()?;
    Ok(folder.strip_prefix(root).map(Path::to_owned).unwrap_or_default())
}

fn run_prepare(command: &str, folder: &Path, root: &Path) -> Result<()> {
    let status = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env("PERFGATE_ROOT", root.canonicalize()?)
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("failed to run `{command}`"))?;
    if status.success() {
        return Ok(());
    }
    let message = format!("`{command}` failed in `{}`: {status}", folder.display());
    Err(Refusal::usage(message).help("see measure.prepare in perfgate.toml").into())
}
