//! Builds base and candidate side by side, so that they can be measured in rounds.
//!
//! Both sides are checked out and built outside of the working tree. Whatever Cargo, rustup and
//! build scripts find by searching upwards is then either in the commit of the side itself, or above
//! the repository and the same for both.

mod cache;
mod parents;
mod folder;
mod toolchain;
mod side;
mod record;
mod unaffected;
mod harness_sides;
mod series;
mod model_sides;

use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use self::folder::PairFolder;
use self::record::{BuildSetting, RecordDraft};
pub(crate) use self::series::{CommandPlacer, CommitSeries, SeriesCommit};
pub(crate) use self::side::SideObstacle;
use self::side::{OriginalWorkspace, SideBuilder};
pub(crate) use self::unaffected::UnaffectedBenches;
use super::error::CommandError;
use super::measurement::explain_measure_error;
use super::progress::ProgressOutput;
use super::project::Project;
use super::recipe::SideRecipe;
use crate::cli::SelectionArgs;
use crate::git::{CommitId, Repository, Worktree};
use crate::host::Host;
use crate::measure::command::SampleCommand;
use crate::measure::criterion::{BuiltBenches, find_same_targets};
use crate::measure::effort::EffortLevel;
use crate::measure::{Effort, LaunchPlan, MeasureError, MeasureSubject};
use crate::note::Note;
use crate::policy::Policy;
use crate::process::Interrupt;
use crate::render::notes::describe_note;
use crate::run::{MeasuredCommit, SampleSource};
use crate::selection::Selection;

/// The two builds, ready to be launched. Their worktrees live as long as this value.
pub(crate) struct Pair {
    /// The side that the candidate is compared with.
    pub(crate) baseline: MeasureSubject,
    /// The side that is judged.
    pub(crate) candidate: MeasureSubject,
    /// Source of the samples, the same on both sides.
    pub(crate) source: SampleSource,
    /// Commits of base and candidate; `None` for the command of a base, or for a head without a
    /// commit.
    pub(crate) commits: [Option<MeasuredCommit>; 2],
    /// Releases of the compilers of base and candidate; `None` if nothing was compiled.
    pub(crate) compilers: Option<[Option<String>; 2]>,
    /// Bench targets that are the same program on both sides, as package and target name.
    pub(crate) same_targets: Vec<(String, String)>,
    /// The benchmarks if the change touches none of them, so that nothing was built. `None` if both
    /// sides are built.
    pub(crate) unaffected: Option<UnaffectedBenches>,
    /// Records of the builds of base and candidate, to be completed by their pilots.
    drafts: [Option<RecordDraft>; 2],
    worktrees: Vec<Worktree>,
    _folder: Option<PairFolder>,
    /// Files that the candidate reads while it is measured.
    _scratch: Option<TempDir>,
}

/// Result of an attempt to build both sides.
pub(crate) enum PairAttempt {
    /// Both sides are built.
    Ready(Box<Pair>),
    /// The base cannot be built.
    NoBase(SideObstacle),
    /// The candidate cannot be built from a checkout, because of this error. It may build in the
    /// working tree.
    NoHead(String),
}

/// Where and how to build both sides.
pub(crate) struct PairBuilder<'a> {
    /// The workspace and its folder.
    pub(crate) project: &'a Project,
    /// The repository that contains the workspace.
    pub(crate) repository: &'a Repository,
    /// The packages, features and profile to build.
    pub(crate) selection: &'a SelectionArgs,
    /// How the candidate is prepared and measured.
    pub(crate) recipe: &'a SideRecipe,
    /// How the base is prepared and measured. It is another recipe if the candidate must not prepare
    /// the base.
    pub(crate) base_recipe: &'a SideRecipe,
    /// The machine that builds and measures.
    pub(crate) host: &'a Host,
    /// The policy, if benchmarks that the change cannot have affected need not be built; `None` if
    /// both sides are always built.
    pub(crate) skip_policy: Option<&'a Policy>,
    /// Raised when a signal asks perfgate to end.
    pub(crate) interrupt: &'a Interrupt,
    /// Whether the programs get line tables and keep their symbols, so that a profile of them can
    /// be read.
    pub(crate) has_line_tables: bool,
}

impl Pair {
    /// Returns a pair of two commands, which need no build. `head` is the checked-out commit, which
    /// the candidate measures.
    pub(crate) fn from_commands(
        baseline: &str,
        candidate: &str,
        head: Option<MeasuredCommit>,
    ) -> Self {
        let [baseline, candidate] = [baseline, candidate]
            .map(|text| MeasureSubject::Command(SampleCommand::new(text.to_owned())));
        Self::from_subjects([baseline, candidate], SampleSource::Command, [None, head])
    }

    /// Returns a pair of `subjects`, of baseline and candidate, that keeps no folder.
    fn from_subjects(
        subjects: [MeasureSubject; 2],
        source: SampleSource,
        commits: [Option<MeasuredCommit>; 2],
    ) -> Self {
        let [baseline, candidate] = subjects;
        Self {
            baseline,
            candidate,
            source,
            commits,
            compilers: None,
            same_targets: Vec::new(),
            unaffected: None,
            drafts: [None, None],
            worktrees: Vec::new(),
            _folder: None,
            _scratch: None,
        }
    }

    /// Makes both sides ready to be launched: checks them out and prepares them for a harness, or
    /// builds their benches.
    ///
    /// # Errors
    ///
    /// Fails if git or the folders fail, if Cargo rejects the workspace of benches in the working
    /// tree, or if a signal interrupts it.
    pub(crate) fn make_ready(builder: &PairBuilder<'_>, base: &CommitId) -> Result<PairAttempt> {
        match (&builder.base_recipe.harness, &builder.recipe.harness) {
            (Some(baseline), Some(candidate)) => {
                Self::check_out_for_harness(builder, base, [baseline, candidate])
            }
            _ => Self::build_from_commits(builder, base),
        }
    }

    /// Builds the benches of `base` and of the working tree, in folders with paths of equal length
    /// outside of the working tree.
    ///
    /// The candidate is a checkout, too, so that only the source differs. If the working tree has
    /// changes that are not committed, a snapshot of it is checked out.
    ///
    /// Builds nothing if an earlier build of `base` shows that the change cannot have affected a
    /// benchmark. A side that cannot be built is not an error: the attempt names it.
    ///
    /// # Errors
    ///
    /// Fails if Cargo rejects the workspace in the working tree, if git or the folders fail, or if a
    /// signal interrupts the build.
    pub(crate) fn build_from_commits(
        builder: &PairBuilder<'_>,
        base: &CommitId,
    ) -> Result<PairAttempt> {
        // Plan: remove what killed checks left, and find out whether the change touches what the
        // base was built from. If it does, build the base, build the head, then find the bench
        // targets that are the same program on both sides.
        let repository = builder.repository;
        repository.remove_stale_worktrees().map_err(CommandError::from)?;
        builder.interrupt.guard_worktrees(repository.folder());
        let original = OriginalWorkspace::read(builder.selection, repository.folder())?
            .with_line_tables(builder.has_line_tables);
        let [base_side, head_side] = [builder.base_recipe, builder.recipe].map(|recipe| {
            SideBuilder { original: &original, recipe, interrupt: builder.interrupt }
        });
        let head = builder.project.read_head()?;
        let target_folder = &original.parts.target_folder;
        let head_commit = builder.commit_head(head.as_ref(), target_folder)?;
        let base_commit = repository.read_commit(base).map_err(CommandError::from)?;
        let commits = [Some(base_commit), head];
        let folder = PairFolder::claim(repository, builder.interrupt)?;
        let setting = BuildSetting::read(builder, &original, &folder);
        if let Some(unaffected) =
            builder.find_unaffected(&setting, &original, base, &head_commit)?
        {
            return Ok(PairAttempt::Ready(Box::new(Self::from_unaffected(unaffected, commits))));
        }
        // Programs with line tables share no dependency with the others. In folders of their own, those
        // of the second side are copied from the first one.
        let [base_name, head_name] =
            if builder.has_line_tables { ["base-lines", "head-lines"] } else { ["base", "head"] };
        let base_checkout = folder.check_out(repository, base_name, base)?;
        let baseline = match base_side.build(&base_checkout, &original.parts)? {
            Ok(baseline) => baseline,
            Err(obstacle) => return Ok(PairAttempt::NoBase(obstacle)),
        };
        folder.seed_build(head_name, base_name)?;
        let head_checkout = folder.check_out(repository, head_name, &head_commit)?;
        let candidate = match head_side.build(&head_checkout, &baseline.parts)? {
            Ok(candidate) => candidate,
            Err(obstacle) => return Ok(PairAttempt::NoHead(obstacle.describe_for_head())),
        };
        let same_targets = builder
            .find_same_targets((base, &baseline.subject), (&head_commit, &candidate.subject))?;
        let drafts = [
            setting.draft_record(base, &base_checkout, &baseline),
            setting.draft_record(&head_commit, &head_checkout, &candidate),
        ];
        Ok(PairAttempt::Ready(Box::new(Self {
            compilers: Some([baseline.rustc, candidate.rustc]),
            same_targets,
            drafts,
            worktrees: vec![base_checkout.worktree, head_checkout.worktree],
            _folder: Some(folder),
            ..Self::from_subjects(
                [baseline.subject, candidate.subject],
                SampleSource::Criterion,
                commits,
            )
        })))
    }

    /// Returns a pair whose sides are not built, because the change affects no benchmark.
    fn from_unaffected(
        unaffected: UnaffectedBenches,
        commits: [Option<MeasuredCommit>; 2],
    ) -> Self {
        let subjects = [(); 2].map(|()| MeasureSubject::Criterion(BuiltBenches::default()));
        let pair = Self::from_subjects(subjects, SampleSource::Criterion, commits);
        Self { unaffected: Some(unaffected), ..pair }
    }

    /// Returns the folders in which both commits are checked out, or `None` for commands.
    pub(crate) fn checkout_folders(&self) -> Option<[&Path; 2]> {
        let [base, head] = self.worktrees.as_slice() else { return None };
        Some([base.path(), head.path()])
    }

    /// Runs a pilot launch of the candidate, and of what only the base has. Returns the launch plans
    /// of base and candidate, merged so that they agree.
    ///
    /// # Errors
    ///
    /// Fails if a pilot launch fails.
    pub(crate) fn plan(
        &self,
        selection: &Selection,
        effort: &Effort,
        interrupt: &Interrupt,
        output: &mut ProgressOutput,
    ) -> Result<[LaunchPlan; 2]> {
        if let Some(unaffected) = &self.unaffected {
            let planned = Some(Vec::new());
            let notes = unaffected.notes.clone();
            let candidate = LaunchPlan { planned, notes, ..LaunchPlan::default() };
            return Ok([LaunchPlan { notes: Vec::new(), ..candidate.clone() }, candidate]);
        }
        let mut run_pilot = |subject: &MeasureSubject,
                             known: Option<&LaunchPlan>|
         -> Result<LaunchPlan, MeasureError> {
            subject.plan_launches(selection, effort, known, interrupt, &mut |progress| {
                output.show_measurement(&progress);
            })
        };
        // The candidate is launched, because a slowdown is the surprise that costs time. Of the
        // base, only what the candidate lacks is.
        let mut candidate = run_pilot(&self.candidate, None).map_err(explain_measure_error)?;
        let mut baseline =
            run_pilot(&self.baseline, Some(&candidate)).map_err(explain_measure_error)?;
        for (draft, plan) in self.drafts.iter().zip([&baseline, &candidate]) {
            if let Some(draft) = draft {
                draft.complete(selection, plan);
            }
        }
        // Advice on how to add a bench is for the candidate.
        baseline.notes.retain(|note| *note != Note::NoBenches);
        // A benchmark that only one side has is new or missing. Only what matches nothing on both
        // sides is a mistake.
        let unmatched = (baseline.take_nothing_selected(), candidate.take_nothing_selected());
        if let (Some(_), Some(note)) = unmatched {
            output.print_line(&describe_note(&note));
            candidate.notes.push(note);
        }
        let (candidate, baseline) = candidate.merge_with(baseline);
        Ok([baseline, candidate].map(|mut plan| {
            plan.choose_effort(effort, EffortLevel::Full);
            plan
        }))
    }
}

impl PairBuilder<'_> {
    /// Returns a builder of programs with line tables.
    pub(crate) fn with_line_tables(self) -> Self {
        Self { has_line_tables: true, ..self }
    }

    /// Returns the commit of the candidate: the head if the tree is clean, else a snapshot of the
    /// working tree without untracked files in `target_folder`.
    ///
    /// Fails if git fails.
    fn commit_head(&self, head: Option<&MeasuredCommit>, target_folder: &Path) -> Result<CommitId> {
        if let Some(head) = head.filter(|head| !head.dirty) {
            return CommitId::parse(&head.id).context("the commit id of the head is invalid");
        }
        let scratch = self.interrupt.create_temporary_folder()?;
        let snapshot = self
            .repository
            .snapshot_working_tree(target_folder, scratch.path())
            .map_err(CommandError::from);
        snapshot.context("failed to take a snapshot of the working tree")
    }

    /// Returns the bench targets that are the same program on both sides, as package and target
    /// name.
    ///
    /// Returns none if a file changed that a program could read while it runs. Also returns none
    /// between a commit and itself, because that comparison is a trial of the gate.
    fn find_same_targets(
        &self,
        base: (&CommitId, &MeasureSubject),
        head: (&CommitId, &MeasureSubject),
    ) -> Result<Vec<(String, String)>> {
        let (MeasureSubject::Criterion(baseline), MeasureSubject::Criterion(candidate)) =
            (base.1, head.1)
        else {
            return Ok(Vec::new());
        };
        let changed_paths =
            self.repository.list_changed_files(base.0, head.0).map_err(CommandError::from)?;
        if base.0 == head.0 || changed_paths.iter().any(|path| may_be_read_at_run_time(path)) {
            return Ok(Vec::new());
        }
        find_same_targets(baseline, candidate)
            .context("failed to compare the programs of both sides")
    }
}

/// Returns whether a benchmark could read the file at `path` while it runs.
///
/// It does not read Rust sources, Markdown, Cargo manifests or `.github`: their effect, if any, is
/// already in the compiled program.
fn may_be_read_at_run_time(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let is_source =
        path.extension().is_some_and(|extension| extension == "rs" || extension == "md");
    let is_manifest = name == "Cargo.toml" || name == "Cargo.lock";
    !(is_source || is_manifest || path.starts_with(".github"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_may_read_makes_it_worth_measuring() {
        for path in ["data/model.onnx", "Makefile", "build.toml", "lfs", ".cargo/config.toml"] {
            assert!(may_be_read_at_run_time(Path::new(path)), "{path}");
        }
        for path in ["src/lib.rs", "README.md", "crates/a/Cargo.toml", "Cargo.lock", ".github/x"] {
            assert!(!may_be_read_at_run_time(Path::new(path)), "{path}");
        }
    }
}
