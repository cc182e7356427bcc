//! The targets of `facetui::fuzz`, by name.

/// Reads `bytes` with a target.
///
/// # Panics
/// There is no such target; and whatever is found.
pub fn read(target: &str, bytes: &[u8]) {
    let target = facetui::fuzz::TARGETS.iter().find(|known| known.name == target).expect("a line of TARGETS");
    (target.read)(bytes);
}
