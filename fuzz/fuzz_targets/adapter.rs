#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    perfgate::internals::accepts_adapter(bytes);
});
