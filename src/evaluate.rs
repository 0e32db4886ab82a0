//! How often the shipped decision is wrong: error rates on labelled and A/A data.
