#![no_main]
//! The target `journal` of `facetui::fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| facetui_fuzz::read("journal", bytes));
