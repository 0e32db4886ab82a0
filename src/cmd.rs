//! One module a command; each reads like a table of contents.
