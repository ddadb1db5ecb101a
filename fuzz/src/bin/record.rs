//! Any bytes as a record and as its fields, chosen by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    postback_fuzz::record::check(input);
});
