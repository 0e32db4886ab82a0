//! Defects that are switched on by environment variables, so that a gate has something to find.

use std::env;
use std::hint;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Bytes that each request to `/embed` keeps for ever, in KiB.
const LEAK_VARIABLE: &str = "SERVE_LEAK_KIB";
/// Extra work of each request, in percent of its work.
const EXTRA_WORK_VARIABLE: &str = "SERVE_EXTRA_WORK";
/// Extra work that is added with each minute since the start, in percent of the work.
const SLOW_DOWN_VARIABLE: &str = "SERVE_SLOW_DOWN";

/// The defects that are switched on.
pub(crate) struct SeededDefects {
    leak_bytes: usize,
    extra_share: f64,
    slow_down_per_minute: f64,
    started: Instant,
    leaked: Mutex<Vec<Vec<u8>>>,
}

impl SeededDefects {
    /// Reads the variables. None of them is set in a service without defects.
    ///
    /// Fails if a value is not a number.
    pub(crate) fn from_environment() -> Result<Self> {
        Ok(Self {
            leak_bytes: (read_number(LEAK_VARIABLE)? * 1024.0) as usize,
            extra_share: read_number(EXTRA_WORK_VARIABLE)? / 100.0,
            slow_down_per_minute: read_number(SLOW_DOWN_VARIABLE)? / 100.0,
            started: Instant::now(),
            leaked: Mutex::default(),
        })
    }

    /// Shows the defects once, after `work` of real work.
    pub(crate) fn show_once(&self, work: Duration) {
        if self.leak_bytes > 0
            && let Ok(mut leaked) = self.leaked.lock()
        {
            // Bytes other than zero, so that the pages are touched.
            leaked.push(vec![1; self.leak_bytes]);
        }
        let minutes = self.started.elapsed().as_secs_f64() / 60.0;
        let extra = work.mul_f64(self.extra_share + self.slow_down_per_minute * minutes);
        let until = Instant::now() + extra;
        while Instant::now() < until {
            hint::spin_loop();
        }
    }
}

fn read_number(variable: &str) -> Result<f64> {
    let Ok(value) = env::var(variable) else { return Ok(0.0) };
    let number: f64 = value.parse().with_context(|| format!("`{variable}` is `{value}`"))?;
    anyhow::ensure!(number.is_finite() && number >= 0.0, "`{variable}` is `{value}`");
    Ok(number)
}
