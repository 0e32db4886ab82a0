//! The measurement file: a run, its benchmarks, their launches.
