//! The settings of a node.

use super::super::proto::{AttributeProto, NodeProto, TensorProto};

/// Reads a node's settings.
pub(super) struct Attributes<'a>(pub(super) &'a NodeProto);

impl Attributes<'_> {
    fn find(&self, name: &str) -> Option<&AttributeProto> {
        self.0.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.find(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    pub(super) fn float(&self, name: &str, default: f64) -> f64 {
        self.find(name).and_then(|attribute| attribute.f).map_or(default, f64::from)
    }

    /// Whether the node has the setting.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub(super) fn word(&self, name: &str, default: &str) -> String {
        let bytes = self.find(name).and_then(|attribute| attribute.s.as_deref());
        bytes.map_or_else(|| default.to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn list(&self, name: &str) -> Option<&[i64]> {
        self.find(name).map(|attribute| &*attribute.ints)
    }

    pub(super) fn floats(&self, name: &str) -> Option<&[f32]> {
        self.find(name).map(|attribute| &*attribute.floats)
    }

    pub(super) fn tensor(&self, name: &str) -> Option<&TensorProto> {
        self.find(name).and_then(|attribute| attribute.t.as_ref())
    }

    /// A list of `N` numbers that lie between 0 and a million, so that arithmetic with them cannot overflow.
    pub(super) fn sizes<const N: usize>(&self, name: &str, default: i64) -> Result<[i64; N], String> {
        let Some(values) = self.list(name) else { return Ok([default; N]) };
        let fits = values.iter().all(|value| (0..=1_000_000).contains(value));
        let sizes = <[i64; N]>::try_from(values).ok().filter(|_| fits);
        sizes.ok_or_else(|| format!("`{name}` is {values:?}; expected {N} numbers from 0 on"))
    }
}
