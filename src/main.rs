//! The `perfgate` program. All its code is in the library.

fn main() -> std::process::ExitCode {
    perfgate::main()
}
