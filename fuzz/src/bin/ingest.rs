//! Any bytes as a connection to ingest, chosen by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    postback_fuzz::connection::check(input);
});
