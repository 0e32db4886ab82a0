//! Runs of a branch in order, and change points over them.
