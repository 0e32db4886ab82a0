//! How much memory a piece of work needs at its peak.

use std::fs;

/// The result of `work`, and by how many bytes it raised the resident memory of this process at its peak.
///
/// `None` where the kernel does not tell: the peak can be reset on Linux only. Memory that an earlier call has left
/// with the allocator is not seen again, so that the first call of its kind says most.
pub fn peak_during<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    // Writing 5 resets the peak to the present size: proc_pid_clear_refs(5).
    let before = fs::write("/proc/self/clear_refs", "5").ok().and_then(|()| status_bytes("VmRSS:"));
    let result = work();
    let peak = status_bytes("VmHWM:");
    (result, before.zip(peak).map(|(before, peak)| peak.saturating_sub(before)))
}

fn status_bytes(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn touched_pages_are_in_the_peak_of_the_work_that_touched_them() {
        const BYTES: usize = 64 << 20;
        let (sum, peak) = peak_during(|| {
            std::hint::black_box(vec![1_u8; BYTES]).iter().map(|&b| u64::from(b)).sum::<u64>()
        });
        assert_eq!(sum, BYTES as u64);
        assert!(peak.unwrap() >= BYTES as u64 * 9 / 10, "{peak:?}");
    }
}
