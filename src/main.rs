//! facetui.
fn main() {}
