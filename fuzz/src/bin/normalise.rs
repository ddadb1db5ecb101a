//! Any query and body, chosen by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    postback_fuzz::normalise::check(input);
});
