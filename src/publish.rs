//! A decision on GitHub: comment, commit status, step summary, annotations.
