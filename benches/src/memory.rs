//! The peak memory of a piece of work.

use std::fs;

/// Does `work`, and measures by how many bytes the resident memory of this process rose at its peak.
///
/// Returns `None` for the bytes if the kernel does not report them: only Linux can reset the peak. Memory that the
/// allocator kept from an earlier call is not counted again, so the first call of its kind shows the most.
pub fn measure_peak_memory<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    // Writing 5 resets the peak to the current size: proc_pid_clear_refs(5).
    let before =
        fs::write("/proc/self/clear_refs", "5").ok().and_then(|()| read_status_bytes("VmRSS:"));
    let result = work();
    let peak = read_status_bytes("VmHWM:");
    (result, before.zip(peak).map(|(before, peak)| peak.saturating_sub(before)))
}

fn read_status_bytes(field: &str) -> Option<u64> {
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
        let (sum, peak) = measure_peak_memory(|| {
            std::hint::black_box(vec![1_u8; BYTES]).iter().map(|&b| u64::from(b)).sum::<u64>()
        });
        assert_eq!(sum, BYTES as u64);
        assert!(peak.unwrap() >= BYTES as u64 * 9 / 10, "{peak:?}");
    }
}
