//! Statistics on slices: pure functions that know no benchmark, no clock and no file.
