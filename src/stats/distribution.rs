//! Distributions: tails and quantiles that keep their digits far from the centre.

pub(crate) mod normal;
pub(super) mod beta;
pub(crate) mod t;
pub(crate) mod f;
