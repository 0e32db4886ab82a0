//! What a check is asked for, and the inputs that are resolved before anything is measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::base_rules::{RulesBase, apply_base_rules};
use super::change_base::{BaseSearch, ChangeBase};
use crate::cli::{CheckArgs, ModelArgs};
use crate::measure::SampleNeeds;
use crate::measure::harness::HarnessCommand;
use crate::measure::onnx::ModelCommand;
use crate::note::Note;
use crate::run::{BenchmarkId, MeasuredCommit};
use crate::session::model::ModelSettings;
use crate::session::recipe::RequestedSource;
use crate::session::settings::resolve_budget;
use crate::session::workflow::WorkflowTrigger;
use crate::session::{CommandError, Session, SessionRequest};
use crate::verdict::NoiseHistory;

/// The conditions of a run that change with its model: its sha256, and its nodes.
const MODEL_CONDITIONS: [&str; 2] = ["model", "nodes"];

/// The kind of baseline that the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BaselineChoice {
    /// Stored runs screen, and rounds confirm.
    Auto,
    /// Stored runs alone.
    Stored,
    /// No baseline.
    None,
    /// A run file.
    File(PathBuf),
    /// A branch, tag or commit.
    Revision(String),
    /// The command of the baseline and the command of the candidate.
    Commands(String, String),
    /// The model of the baseline and the model of the candidate.
    Models(PathBuf, PathBuf),
}

/// A model that is measured in place of benches.
pub(super) struct CheckedModel {
    /// How it is run.
    pub(super) settings: ModelSettings,
    /// The model of the working tree, or of the candidate.
    pub(super) command: ModelCommand,
}

impl BaselineChoice {
    /// Returns what the command line asks to compare with.
    fn from_args(args: &CheckArgs) -> Self {
        if let (Some(baseline), Some(candidate)) = (&args.baseline_command, &args.candidate_command)
        {
            return Self::Commands(baseline.clone(), candidate.clone());
        }
        if let (Some(baseline), Some(candidate)) = (&args.baseline_model, &args.candidate_model) {
            return Self::Models(baseline.clone(), candidate.clone());
        }
        Self::parse(&args.baseline)
    }

    /// Parses the value of `--baseline`: a keyword, else an existing file, else a revision.
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "auto" => Self::Auto,
            "stored" => Self::Stored,
            "none" => Self::None,
            path if Path::new(path).is_file() => Self::File(path.into()),
            revision => Self::Revision(revision.to_owned()),
        }
    }
}

/// The inputs of one check, resolved before anything is measured.
pub(super) struct CheckInputs<'a> {
    /// The command line.
    pub(super) args: &'a CheckArgs,
    /// What `--baseline`, or the two commands, ask to compare with.
    pub(super) choice: BaselineChoice,
    /// What is measured, as far as the command line decides it.
    pub(super) source: RequestedSource,
    /// The commit that is judged; `None` without a repository or a commit.
    pub(super) head: Option<MeasuredCommit>,
    /// The commits that the candidate is measured against and judged by.
    pub(super) base: BaseSearch,
    /// What a reader must know about the rules of the base.
    pub(super) rule_notes: Vec<Note>,
    /// The calibrated noise of each benchmark on the machine of the session. Empty without a
    /// calibration.
    pub(super) noise: BTreeMap<BenchmarkId, NoiseHistory>,
    /// The model of the working tree or of the candidate, if models are measured.
    pub(super) model: Option<CheckedModel>,
    /// What the commands share.
    pub(super) session: Session,
}

impl<'a> CheckInputs<'a> {
    /// Resolves the command line of a check.
    ///
    /// Fails if the repository, the configuration or the given run cannot be read, if a flag is not
    /// valid, or if signals cannot be watched.
    pub(super) fn open(args: &'a CheckArgs) -> Result<Self> {
        let choice = BaselineChoice::from_args(args);
        let request = SessionRequest {
            selection: &args.selection,
            effort: &args.effort,
            gate: &args.gate,
            store: &args.store,
            source: match (&choice, args.adapter) {
                (BaselineChoice::Commands(..) | BaselineChoice::Models(..), _) => {
                    RequestedSource::Commands
                }
                (_, Some(adapter)) => {
                    RequestedSource::Harness(HarnessCommand::new(args.words.clone(), adapter))
                }
                _ if args.onnx.is_some() => RequestedSource::Commands,
                _ => RequestedSource::Configured,
            },
            given_run: args.run.as_deref(),
        };
        let mut session = Session::open(&request)?;
        let base = find_change_base(&session, &choice)?;
        let rule_notes = match find_rules_base(&session, &choice, &base) {
            Some(rules) => apply_base_rules(&mut session, &request, &rules)?,
            None => Vec::new(),
        };
        session.policy = session
            .policy
            .with_required_baseline(args.require_baseline)
            .with_varied_conditions(&list_varied_conditions(args));
        // Read before anything is written: a file next to the sources makes the tree dirty.
        let head = match &session.given_run {
            Some(run) => run.commit.clone(),
            None => session.project.read_head()?,
        };
        let model = open_candidate_model(args, &choice, &session)?;
        let SessionRequest { source, .. } = request;
        let noise = session.read_noise();
        Ok(Self { args, choice, source, head, base, rule_notes, noise, model, session })
    }

    /// Returns whether every benchmark is measured, also one that has the same program on both sides.
    /// A run that is saved as a baseline has all benchmarks.
    pub(super) fn measures_everything(&self) -> bool {
        self.args.save_baseline || self.args.measure_unchanged
    }

    /// Returns the needs of targets, within the budget of the check. `find_needed` returns the
    /// number of samples that the targets of a benchmark need.
    pub(super) fn sample_needs<'b>(
        &self,
        find_needed: &'b dyn Fn(&str) -> usize,
    ) -> SampleNeeds<'b> {
        let budget = resolve_budget(self.args.budget, &self.session.config.measure);
        SampleNeeds { find_needed, budget: Some(budget) }
    }
}

/// Returns the conditions that may differ. A change of the model is what a check of a model is for.
fn list_varied_conditions(args: &CheckArgs) -> Vec<String> {
    let is_model = args.onnx.is_some() || args.candidate_model.is_some();
    let of_model = MODEL_CONDITIONS.into_iter().filter(|_| is_model).map(str::to_owned);
    args.vary.iter().cloned().chain(of_model).collect()
}

/// Opens the model of the candidate, if models are measured, so that what is missing ends the check
/// before anything else is done.
///
/// Fails if the model, an argument or the provider cannot be used.
fn open_candidate_model(
    args: &CheckArgs,
    choice: &BaselineChoice,
    session: &Session,
) -> Result<Option<CheckedModel>> {
    let path = match (choice, &args.onnx) {
        (BaselineChoice::Models(_, candidate), _) => candidate,
        (_, Some(model)) => model,
        _ if args.model == ModelArgs::default() => return Ok(None),
        _ => {
            let message = "batch sizes, threads, provider, inputs, sizes of dimensions and graph \
                           optimization are settings of a model";
            let help = "name one with --onnx MODEL, or two with --baseline-model and \
                        --candidate-model";
            return Err(CommandError::new_usage(message).with_help(help).into());
        }
    };
    let settings = ModelSettings::resolve(&args.model, &session.effort)?;
    let command = settings.open_model(path, &session.effort.effort, &session.interrupt)?;
    Ok(Some(CheckedModel { settings, command }))
}

/// Finds the base of the change that is checked out. Nothing is searched outside of a repository.
///
/// What is not compared with a base commit needs one only where strangers may have made the change,
/// for its rules. Fails if git fails.
fn find_change_base(session: &Session, choice: &BaselineChoice) -> Result<BaseSearch> {
    let trigger = session.trigger.as_ref();
    let is_proposed = trigger.is_some_and(WorkflowTrigger::is_proposal);
    let is_compared = matches!(choice, BaselineChoice::Auto | BaselineChoice::Revision(_));
    let Some(repository) = session.project.repository.as_ref() else {
        return Ok(BaseSearch::Unknown(None));
    };
    if !is_proposed && !is_compared {
        return Ok(BaseSearch::Unknown(None));
    }
    let Some(head) = session.project.read_head()? else { return Ok(BaseSearch::Unknown(None)) };
    // A run that was measured elsewhere is not what is checked out.
    let is_other = session
        .given_run
        .as_ref()
        .is_some_and(|run| run.commit.as_ref().is_none_or(|commit| commit.id != head.id));
    if is_other && !is_proposed {
        return Ok(BaseSearch::Unknown(None));
    }
    Ok(BaseSearch::run(repository, &head, trigger))
}

/// Returns the commit whose rules judge: that of the change. If it is not known whether there is one,
/// a named revision takes its place.
fn find_rules_base(
    session: &Session,
    choice: &BaselineChoice,
    base: &BaseSearch,
) -> Option<RulesBase> {
    match (base, choice) {
        (BaseSearch::Found(ChangeBase { rules, is_proposed, .. }), _) => {
            Some(RulesBase { commit: rules.clone()?, is_proposed: *is_proposed })
        }
        (BaseSearch::Unknown(_), BaselineChoice::Revision(revision)) => {
            // An unknown revision is reported when it is compared with.
            let (_, commit) = session.project.resolve_commit(revision).ok()?;
            Some(RulesBase { commit, is_proposed: false })
        }
        (BaseSearch::NoChange | BaseSearch::Unknown(_), _) => None,
    }
}
