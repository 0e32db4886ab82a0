//! Tests of the difference between two sides.

pub(crate) mod t;
pub(crate) mod rank;
pub(crate) mod sign;
