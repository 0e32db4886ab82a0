//! One integration binary: a module a subject.

mod change_points;
mod git;
mod git_server;
#[cfg(feature = "inference")]
mod inference;
mod layers;
mod measure;
mod reference;
mod repositories;
mod store;
mod store_shared;
