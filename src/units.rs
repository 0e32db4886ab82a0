//! Durations, ratios and ranges whose values are settled where they are built.
