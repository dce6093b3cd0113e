#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sparkctl::fuzz::translate(bytes));
