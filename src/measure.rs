//! Where samples come from: one module a source, each ending in a `Run`.
