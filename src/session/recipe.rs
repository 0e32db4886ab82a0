//! What is measured, and how a side of a comparison is prepared for it.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::error::CommandError;
use super::prepare::run_prepare;
use crate::cli::SelectionArgs;
use crate::measure::harness::HarnessCommand;
use crate::policy::{MeasureConfig, SourceConfig};
use crate::process::Interrupt;
use crate::run::SampleSource;

/// What a command measures, as far as its command line decides it.
#[derive(Clone, Debug)]
pub(crate) enum RequestedSource {
    /// What `measure.source` names, else Criterion benches.
    Configured,
    /// Commands that print samples.
    Commands,
    /// The harness that this command starts.
    Harness(HarnessCommand),
}

/// How one side is prepared, and which harness measures it.
#[derive(Clone, Debug)]
pub(crate) struct SideRecipe {
    /// Shell command that prepares the side, if any.
    pub(crate) prepare: Option<String>,
    /// Folder of the working tree in which the configuration's commands run. In a checkout they run
    /// in the same folder of the repository.
    pub(crate) folder: PathBuf,
    /// The harness that measures the side; `None` for Criterion benches and for commands that print
    /// samples.
    pub(crate) harness: Option<HarnessCommand>,
}

impl SideRecipe {
    /// Returns the recipe for `requested` and the section `[measure]` of a configuration whose
    /// commands run in `folder`.
    pub(crate) fn resolve(
        requested: &RequestedSource,
        config: &MeasureConfig,
        folder: &Path,
    ) -> Self {
        let harness = match (requested, &config.source) {
            (RequestedSource::Harness(command), _) => Some(command.clone()),
            (RequestedSource::Configured, Some(SourceConfig::Harness { adapter, command })) => {
                let command = HarnessCommand::new(vec![command.clone()], *adapter);
                Some(command.in_folder(folder.to_owned()))
            }
            (RequestedSource::Commands, _) | (RequestedSource::Configured, None) => None,
        };
        Self { prepare: config.prepare.clone(), folder: folder.to_owned(), harness }
    }

    /// Returns the recipe of the base of a change for which this is the recipe: that of the base's
    /// own configuration, whose commands run in `folder`.
    ///
    /// If the harness comes from the configuration and the base has none there, the change brings
    /// the gate, and its recipe holds for both sides.
    pub(crate) fn resolve_for_base(
        &self,
        requested: &RequestedSource,
        config: &MeasureConfig,
        folder: &Path,
    ) -> Self {
        let base = Self::resolve(requested, config, folder);
        if self.harness.is_some() && base.harness.is_none() { self.clone() } else { base }
    }

    /// Returns the source of the samples for `requested`.
    pub(crate) fn find_sample_source(&self, requested: &RequestedSource) -> SampleSource {
        match (&self.harness, requested) {
            (None, RequestedSource::Configured) => SampleSource::Criterion,
            _ => SampleSource::Command,
        }
    }

    /// Refuses flags that choose what Cargo builds if a harness is measured.
    ///
    /// # Errors
    ///
    /// Fails if `selection` has such a flag.
    pub(crate) fn refuse_build_flags(&self, selection: &SelectionArgs) -> Result<()> {
        let Some(harness) = &self.harness else { return Ok(()) };
        let flags = [
            ("--package", !selection.package.is_empty()),
            ("--workspace", selection.workspace),
            ("--features", !selection.features.is_empty()),
            ("--profile", selection.profile.is_some()),
        ];
        let Some((flag, _)) = flags.into_iter().find(|(_, is_given)| *is_given) else {
            return Ok(());
        };
        let message =
            format!("`{flag}` is for Criterion benches, and {} is measured", harness.adapter());
        Err(CommandError::new_usage(message)
            .with_help("leave it out; measure.prepare in perfgate.toml builds what is measured")
            .into())
    }

    /// Prepares the working tree for the harness of the configuration, in the folder of the
    /// configuration. Does nothing for benches, which Cargo builds, and for a harness of the command
    /// line, which the user starts as the working tree is.
    ///
    /// # Errors
    ///
    /// Fails if the command cannot be started or does not succeed.
    pub(crate) fn prepare_working_tree(
        &self,
        requested: &RequestedSource,
        interrupt: &Interrupt,
    ) -> Result<()> {
        if self.harness.is_none() || !matches!(requested, RequestedSource::Configured) {
            return Ok(());
        }
        run_prepare(self.prepare.as_deref(), &self.folder, &self.folder, interrupt)
    }
}
