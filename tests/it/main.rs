//! One integration binary: a module a subject.

mod change_points;
#[cfg(feature = "inference")]
mod inference;
mod layers;
mod measure;
mod reference;
