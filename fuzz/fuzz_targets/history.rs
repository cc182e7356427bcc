#![no_main]
//! The target `history` of `facetui::fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| facetui_fuzz::read("history", bytes));
