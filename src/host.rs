//! The machine: what must match for two runs to be comparable, and what makes it unfit to measure.
