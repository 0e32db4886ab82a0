//! What the commands share: the settings, the project, the store, how a pair of builds is made, and
//! what they print.

mod command_line;
mod error;
pub(crate) mod workflow;
pub(crate) mod recording;
pub(crate) mod print;
pub(crate) mod progress;
pub(crate) mod project;
mod prepare;
pub(crate) mod recipe;
pub(crate) mod bench_edits;
mod input_files;
mod signals;
mod store;
pub(crate) mod settings;
pub(crate) mod measurement;
pub(crate) mod model;
pub(crate) mod calibration;
pub(crate) mod pair;
pub(crate) mod explanation;
pub(crate) mod output_files;

use std::collections::BTreeMap;

use anyhow::Result;

pub(crate) use self::error::{CommandError, ExitStatus, explain_error};
pub(crate) use self::input_files::{ReportInput, read_decision_file, read_report_input, read_run};
pub(crate) use self::signals::watch_signals;
pub(crate) use self::store::SessionStore;

use self::pair::PairBuilder;
use self::project::Project;
use self::recipe::{RequestedSource, SideRecipe};
use self::settings::{EffortSettings, GateSettings};
use self::workflow::WorkflowTrigger;
use crate::cli::{EffortArgs, GateArgs, SelectionArgs, StoreArgs};
use crate::git::Repository;
use crate::host::Host;
use crate::policy::{Config, Policy};
use crate::process::Interrupt;
use crate::run::{BenchmarkId, Run, RunRequest, SampleSource};
use crate::store::RunKind;
use crate::verdict::NoiseHistory;

/// What the command line of a command that measures builds asks for.
pub(crate) struct SessionRequest<'a> {
    /// Which benchmarks, and how to build them.
    pub(crate) selection: &'a SelectionArgs,
    /// How much to measure.
    pub(crate) effort: &'a EffortArgs,
    /// What must hold.
    pub(crate) gate: &'a GateArgs,
    /// Where baselines are kept.
    pub(crate) store: &'a StoreArgs,
    /// What is measured, unless the run to judge was measured before.
    pub(crate) source: RequestedSource,
    /// The run to judge if it was measured before; `None` if the command measures.
    pub(crate) given_run: Option<&'a std::path::Path>,
}

/// The inputs of a command that measures or judges builds, each resolved once, before anything is
/// measured.
pub(crate) struct Session {
    /// Which benchmarks, and how to build them.
    pub(crate) selection: SelectionArgs,
    /// The workspace and its repository.
    pub(crate) project: Project,
    /// The configuration file.
    pub(crate) config: Config,
    /// How the candidate is prepared and measured.
    pub(crate) recipe: SideRecipe,
    /// How a base is prepared and measured.
    pub(crate) base_recipe: SideRecipe,
    /// The configuration, overridden by the flags.
    pub(crate) policy: Policy,
    /// How much to measure.
    pub(crate) effort: EffortSettings,
    /// What the command line asks for, as runs record it.
    pub(crate) request: RunRequest,
    /// The store of baselines.
    pub(crate) store: SessionStore,
    /// The run to judge, which was measured before; `None` if the command measures.
    pub(crate) given_run: Option<Run>,
    /// What produced the samples of the given run, or else what is measured.
    pub(crate) source: SampleSource,
    /// The machine that measured the given run, or else this machine.
    pub(crate) host: Host,
    /// Raised when a signal asks perfgate to end.
    pub(crate) interrupt: Interrupt,
    /// The event of the workflow; `None` outside of workflows.
    pub(crate) trigger: Option<WorkflowTrigger>,
}

impl Session {
    /// Resolves the flags of `request` and the configuration, and finds the project and the host.
    ///
    /// # Errors
    ///
    /// Fails if the repository, the configuration or the given run cannot be read, if a flag is not
    /// valid, if signals cannot be watched, or if the workflow must not measure.
    pub(crate) fn open(request: &SessionRequest<'_>) -> Result<Self> {
        let trigger = WorkflowTrigger::detect();
        if request.given_run.is_none() {
            workflow::refuse_privileged_measuring(trigger.as_ref())?;
        }
        let project = Project::find(request.selection.manifest_path.as_deref())?;
        let GateSettings { config, policy, store } = GateSettings::read(
            &project.folder,
            request.gate,
            request.store,
            &request.selection.bench,
        )?;
        let policy = policy.with_partial_suite(!request.selection.package.is_empty());
        // With a given run no process is started, so a signal may simply end perfgate.
        let interrupt =
            if request.given_run.is_some() { Interrupt::default() } else { watch_signals()? };
        let given_run = request.given_run.map(read_run).transpose()?;
        let folder = settings::find_config_folder(request.gate, &project.folder);
        let recipe = SideRecipe::resolve(&request.source, &config.measure, &folder);
        let source = recipe.find_sample_source(&request.source);
        let host = if let Some(run) = &given_run {
            run.host.clone()
        } else {
            recipe.refuse_build_flags(request.selection)?;
            if recipe.harness.is_some() {
                // Else what perfgate writes would be a change of the working tree.
                output_files::hide_output_folder(&project.folder);
                output_files::hide_output_folder(&recipe.folder);
            }
            measurement::detect_host(source, &project.folder)
        };
        Ok(Self {
            base_recipe: recipe.clone(),
            recipe,
            selection: request.selection.clone(),
            effort: EffortSettings::resolve(request.effort, &config.measure).for_policy(&policy),
            request: record_request(request),
            project,
            config,
            policy,
            store,
            source: given_run.as_ref().map_or(source, |run| run.source),
            given_run,
            host,
            interrupt,
            trigger,
        })
    }

    /// Judges by `config` in place of the configuration of the working tree, and also by the targets
    /// and claims of `proposed` where they limit more. How much is measured and where baselines are kept
    /// follow `config` too.
    ///
    /// # Errors
    ///
    /// Fails if the resulting policy or the address of the store is not valid.
    pub(crate) fn replace_config(
        &mut self,
        config: Config,
        proposed: &Config,
        request: &SessionRequest<'_>,
    ) -> Result<()> {
        let path = settings::locate_config(request.gate, &self.project.folder);
        self.store = SessionStore::resolve(request.store, &config, &path, &self.project.folder)?;
        self.policy =
            settings::resolve_policy(config.clone(), request.gate, &self.selection.bench)?
                .with_partial_suite(!self.selection.package.is_empty())
                .with_proposed_limits(proposed)
                .map_err(|error| settings::explain_policy_error(&error))?;
        self.effort =
            EffortSettings::resolve(request.effort, &config.measure).for_policy(&self.policy);
        self.config = config;
        Ok(())
    }

    /// Returns the calibrated noise of each benchmark on the session's host. Returns none without a
    /// calibration, and prints a note if the calibration cannot be used.
    pub(crate) fn read_noise(&self) -> BTreeMap<BenchmarkId, NoiseHistory> {
        let (calibration, note) =
            calibration::read_calibration(&self.project.folder, &self.host.fingerprint);
        if let Some(note) = note {
            print::print_note(&note);
        }
        calibration.map(|calibration| calibration.noise_histories()).unwrap_or_default()
    }

    /// Returns what a stored run must have in common with the run that is judged.
    pub(crate) fn run_kind(&self) -> RunKind<'_> {
        RunKind { fingerprint: &self.host.fingerprint, source: self.source }
    }

    /// Returns how to build two commits of `repository`, which contains the project. Both are always
    /// built.
    pub(crate) fn pair_builder<'a>(&'a self, repository: &'a Repository) -> PairBuilder<'a> {
        PairBuilder {
            project: &self.project,
            repository,
            selection: &self.selection,
            recipe: &self.recipe,
            base_recipe: &self.base_recipe,
            host: &self.host,
            skip_policy: None,
            interrupt: &self.interrupt,
            has_line_tables: false,
        }
    }

    /// Returns a run without benchmarks for a measurement on this machine that begins now.
    pub(crate) fn create_run(&self, source: SampleSource) -> Run {
        let mut run = measurement::create_empty_run(source, self.host.clone(), &self.effort);
        run.settings.request = Some(self.request.clone());
        run
    }
}

/// Returns what a run records of the command line.
fn record_request(request: &SessionRequest<'_>) -> RunRequest {
    let SelectionArgs { manifest_path, features, profile, .. } = request.selection;
    RunRequest {
        manifest_path: manifest_path.as_ref().map(|path| path.display().to_string()),
        features: features.clone(),
        profile: profile.clone(),
        launches: request.effort.launches,
    }
}
