//! `perfgate.toml`: thresholds and targets by benchmark pattern.
