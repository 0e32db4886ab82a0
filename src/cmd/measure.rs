//! stub
use crate::cli::{EffortArgs, SelectionArgs};
pub(super) fn measure_criterion(
    _: &SelectionArgs,
    _: &EffortArgs,
) -> anyhow::Result<crate::run::Run> {
    anyhow::bail!("stub")
}
