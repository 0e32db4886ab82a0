//! The real work that this repository's suites measure: tokenizers and models.
