//! Baselines: stored runs, in the repository's own git or in a folder.
