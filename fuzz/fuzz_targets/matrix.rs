#![no_main]
//! The target `matrix` of `facetui::fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| facetui_fuzz::read("matrix", bytes));
