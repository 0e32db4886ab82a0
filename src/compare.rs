//! Two runs side by side, benchmark by benchmark. Knows no threshold.
