#![no_main]
//! The target `records` of `facetui::fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| facetui_fuzz::read("records", bytes));
