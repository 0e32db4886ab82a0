//! Pauses between the attempts to change a branch that other processes change too.

use std::thread;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use crate::git::CommitId;

/// Pauses with full jitter: each pause is drawn from zero to a limit that doubles.
pub(super) struct RetryBackoff {
    random: Pcg64Mcg,
    limit: Duration,
}

impl RetryBackoff {
    const FIRST_LIMIT: Duration = Duration::from_millis(10);
    const MAX_LIMIT: Duration = Duration::from_secs(2);
    const MAX_ATTEMPT_TIMES: u32 = 16;

    /// Creates pauses that differ between two processes: the seed combines the commit to be written
    /// with the process id.
    pub(super) fn new(target: Option<&CommitId>) -> Self {
        let digits = target.map_or("", |commit| &commit.as_str()[..16]);
        let seed = u64::from_str_radix(digits, 16).unwrap_or(0) ^ u64::from(std::process::id());
        Self { random: Pcg64Mcg::seed_from_u64(seed), limit: Self::FIRST_LIMIT }
    }

    /// Pauses after an attempt of unknown length.
    pub(super) fn pause(&mut self) {
        thread::sleep(self.limit.mul_f64(self.random.random_range(0.0..1.0)));
        self.limit = (self.limit * 2).min(Self::MAX_LIMIT);
    }

    /// Pauses after an attempt that took `attempt`.
    ///
    /// The limit grows with the duration of an attempt. On a busy machine or a slow line, pauses
    /// that are much shorter than an attempt would let all writers collide again and again.
    pub(super) fn pause_after_attempt(&mut self, attempt: Duration) {
        let limit = self.limit.max(attempt);
        thread::sleep(limit.mul_f64(self.random.random_range(0.0..1.0)));
        self.limit = (limit * 2).min(Self::MAX_LIMIT.max(attempt * Self::MAX_ATTEMPT_TIMES));
    }
}
