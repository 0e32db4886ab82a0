//! Reads from the system what the machine is.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use sha2::{Digest as _, Sha256};

use super::Host;
use crate::note::MachineName;
use crate::secrets::hide_secrets;

/// Facts about the machine that the caller must supply: a process cannot find them out by itself,
/// or should not read them without its caller's knowledge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BuildEnvironment {
    /// Name of the machine image, from `ImageOS` on hosted runners; `None` if it is not known.
    pub(crate) image: Option<String>,
    /// Version of the machine image, from `ImageVersion`; `None` if it is not known.
    pub(crate) image_version: Option<String>,
    /// Release that `rustc -V` prints in the folder where the benchmarks are built; `None` if it is
    /// not known.
    pub(crate) rustc: Option<String>,
}

/// The processor of a machine, as its kernel reports it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Processor {
    model: String,
    /// Family, model, stepping, cache and features. In virtual machines, the model name alone does
    /// not identify the processor, because many processors share a name.
    signature: String,
}

impl Host {
    /// Reads the description of the current machine.
    pub(crate) fn detect(environment: &BuildEnvironment) -> Self {
        // Memory, the rest of the kernel's release and the image version are not part of the
        // fingerprint: they are for display only.
        let processor = detect_processor();
        let (system, system_name) = detect_system();
        let kernel = detect_kernel();
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let BuildEnvironment { image, image_version, rustc } = environment;
        let fingerprint = compute_fingerprint(&[
            std::env::consts::ARCH,
            &processor.model,
            &processor.signature,
            &cores.to_string(),
            &system,
            trim_kernel_release(&kernel),
            image.as_deref().unwrap_or_default(),
            rustc.as_deref().unwrap_or_default(),
        ]);
        Self {
            fingerprint,
            cpu_model: processor.model,
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            memory_bytes: detect_memory_bytes(),
            os: system_name,
            kernel,
            image: image.as_ref().map(|image| match image_version {
                Some(version) => format!("{image} {version}"),
                None => image.clone(),
            }),
            rustc: rustc.clone(),
        }
    }
}

/// Number of bytes of a fingerprint.
const FINGERPRINT_BYTES: usize = 8;

/// Returns the first [`FINGERPRINT_BYTES`] bytes of the SHA-256 hash of the parts, in hexadecimal.
fn compute_fingerprint(parts: &[&str]) -> String {
    hex::encode(&Sha256::digest(parts.join("\n"))[..FINGERPRINT_BYTES])
}

/// Returns a kernel release without the distribution's own suffix: `6.8.0` for `6.8.0-1021-azure`.
fn trim_kernel_release(kernel: &str) -> &str {
    kernel.split(['-', '+']).next().unwrap_or_default()
}

fn detect_processor() -> Processor {
    let linux = fs::read_to_string("/proc/cpuinfo").ok();
    let parsed =
        linux.as_deref().map(parse_cpuinfo).filter(|processor| !processor.model.is_empty());
    parsed.or_else(detect_apple_processor).unwrap_or_else(|| Processor {
        model: std::env::consts::ARCH.to_owned(),
        signature: String::new(),
    })
}

fn parse_cpuinfo(text: &str) -> Processor {
    let first = text.split("\n\n").next().unwrap_or_default();
    // ARM kernels report no name, but the numbers of the manufacturer and of the part.
    let model = find_processor_field(first, "model name").map(str::to_owned).or_else(|| {
        let implementer = find_processor_field(first, "CPU implementer")?;
        Some(format!("{implementer} {}", find_processor_field(first, "CPU part")?))
    });
    let signature = ["cpu family", "model", "stepping", "cache size", "flags", "Features"];
    let signature = signature.iter().filter_map(|name| find_processor_field(first, name));
    Processor {
        model: model.unwrap_or_default(),
        signature: signature.collect::<Vec<_>>().join(";"),
    }
}

/// Returns the value of a field in the part of `/proc/cpuinfo` that describes one processor.
fn find_processor_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn detect_apple_processor() -> Option<Processor> {
    let model = run_and_read("sysctl", &["-n", "machdep.cpu.brand_string"])?;
    Some(Processor { model, signature: run_and_read("sysctl", &["-n", "hw.cpufamily"])? })
}

/// Returns the operating system in two forms: for comparison, and for display.
fn detect_system() -> (String, String) {
    if let Ok(text) = fs::read_to_string("/etc/os-release") {
        return parse_os_release(&text);
    }
    let version = run_and_read("sw_vers", &["-productVersion"]).unwrap_or_default();
    let name = format!("{} {version}", std::env::consts::OS).trim_end().to_owned();
    (name.clone(), name)
}

/// Parses `/etc/os-release`. Returns id and version for comparison, and the name for display.
fn parse_os_release(text: &str) -> (String, String) {
    let id = find_release_field(text, "ID").unwrap_or("linux");
    let version = find_release_field(text, "VERSION_ID").unwrap_or_default();
    let compared = format!("{id} {version}").trim_end().to_owned();
    let shown = find_release_field(text, "PRETTY_NAME").unwrap_or(&compared).to_owned();
    (compared, shown)
}

/// Returns the value of a field of `/etc/os-release`, without its quotes.
fn find_release_field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('"'))
}

/// Returns the memory of the machine in bytes, or 0 if the system does not report it.
fn detect_memory_bytes() -> u64 {
    let linux = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
    });
    linux
        .or_else(|| run_and_read("sysctl", &["-n", "hw.memsize"])?.parse().ok())
        .unwrap_or_default()
}

/// Returns the release of the compiler that Cargo uses in `folder`, or `None` if there is none.
/// `variables` are set for it, such as the one that names a toolchain.
pub(crate) fn detect_rustc<'a>(
    folder: &Path,
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Option<String> {
    let mut rustc = Command::new("rustc");
    let version = read_output(rustc.arg("-V").current_dir(folder).envs(variables))?;
    Some(version.strip_prefix("rustc ").unwrap_or(&version).to_owned())
}

/// Returns the name of the current machine. It changes if a virtual machine is moved.
pub(super) fn detect_machine() -> MachineName {
    MachineName { cpu_model: detect_processor().model, kernel: detect_kernel() }
}

fn detect_kernel() -> String {
    run_and_read("uname", &["-r"]).unwrap_or_else(|| "unknown".to_owned())
}

/// Returns the first line that `program --version` prints, or `None` if the program cannot be run.
pub(crate) fn detect_program_version(program: &str) -> Option<String> {
    run_and_read(program, &["--version"])?.lines().next().map(str::to_owned)
}

/// Returns the trimmed output of a program, or `None` if it fails or prints nothing.
fn run_and_read(program: &str, arguments: &[&str]) -> Option<String> {
    read_output(Command::new(program).args(arguments))
}

fn read_output(command: &mut Command) -> Option<String> {
    // A toolchain file of the commit can make `rustc` any program.
    hide_secrets(command);
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_clock_rate_is_not_part_of_the_processor() {
        let cpuinfo = |mhz: &str| {
            format!(
                "processor\t: 0\nmodel\t\t: 106\nmodel name\t: Xeon\ncpu MHz\t\t: {mhz}\nflags\t\t: fpu avx\n\n\
                 processor\t: 1\nmodel name\t: other\n"
            )
        };
        let processor = parse_cpuinfo(&cpuinfo("2000.1"));
        assert_eq!(processor, parse_cpuinfo(&cpuinfo("3500.0")));
        assert_eq!(processor.model, "Xeon");
        assert_eq!(processor.signature, "106;fpu avx");
    }

    #[test]
    fn an_arm_processor_without_a_name_goes_by_its_numbers() {
        let text = "processor\t: 0\nBogoMIPS\t: 48.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n\
                    CPU part\t: 0xd0c\n";
        assert_eq!(parse_cpuinfo(text).model, "0x41 0xd0c");
    }

    #[test]
    fn a_kernel_counts_by_its_release() {
        assert_eq!(trim_kernel_release("6.8.0-1021-azure"), "6.8.0");
        assert_eq!(trim_kernel_release("25.1.0"), "25.1.0");
    }

    #[test]
    fn the_system_is_compared_by_version_and_shown_by_name() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n";
        let (compared, shown) = parse_os_release(text);
        assert_eq!(
            (compared.as_str(), shown.as_str()),
            ("debian 12", "Debian GNU/Linux 12 (bookworm)")
        );
    }

    #[test]
    fn a_fingerprint_is_short_and_differs_with_every_part() {
        let one = compute_fingerprint(&["a", "b"]);
        assert_eq!(one.len(), 16);
        assert_ne!(one, compute_fingerprint(&["a", "c"]));
        assert_ne!(one, compute_fingerprint(&["ab", ""]));
    }

    #[test]
    fn the_compiler_and_the_image_change_the_fingerprint_and_the_image_version_does_not() {
        let with = |image: &str, version: &str, rustc: &str| {
            let [image, version, rustc] = [image, version, rustc].map(|text| Some(text.to_owned()));
            Host::detect(&BuildEnvironment { image, image_version: version, rustc }).fingerprint
        };
        let one = with("ubuntu24", "1", "1.95");
        assert_eq!(one, with("ubuntu24", "2", "1.95"));
        assert_ne!(one, with("ubuntu22", "1", "1.95"));
        assert_ne!(one, with("ubuntu24", "1", "1.96"));
    }
}
