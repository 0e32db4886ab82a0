//! The same code on both sides: the noise floor of this machine.
