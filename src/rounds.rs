//! Interleaving: measure base and candidate in turn, look, go on with the undecided.
