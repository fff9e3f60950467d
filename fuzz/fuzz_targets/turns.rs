//! The `turns` target.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tpexec_fuzz::canary::sing();
    tpexec_fuzz::turns::run(data);
});
