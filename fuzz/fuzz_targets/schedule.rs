#![no_main]
//! The target `schedule` of `facetui::fuzz`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| facetui_fuzz::read("schedule", bytes));
