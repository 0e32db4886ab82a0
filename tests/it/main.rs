//! One integration binary: a module a subject.

mod change_points;
mod layers;
mod reference;
