#![no_main]
//! The target `bin` of `facetui::fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| facetui_fuzz::read("bin", bytes));
