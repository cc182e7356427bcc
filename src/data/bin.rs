//! Evaluation bins: a pickle of `(list of 2N encoded images, list of N flags)`, as MXNet's face sets ship them.
//!
//! The pickle is read as data: nothing in it is ever called or imported.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde_pickle::{DeOptions, Value};
use thiserror::Error;

/// A bin as it lies on the disk: encoded images and what the pairs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalBin {
    /// The file's stem.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// JPEG or PNG bytes: images 2i and 2i + 1 are pair i.
    pub images: Vec<Vec<u8>>,
    /// Whether each pair shows one person.
    pub same: Vec<bool>,
}

/// A bin that cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum BinError {
    /// Not there, or not readable.
    #[error("the bin `{}` cannot be read: {reason}", path.display())]
    #[diagnostic(help(
        "the bins lie in the training set's archive (lfw.bin, cfp_fp.bin, agedb_30.bin); name them under `data.bins`"
    ))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Not the shape of a bin.
    #[error("`{}` is no evaluation bin: {reason}", path.display())]
    #[diagnostic(help("expected a pickled pair: a list of 2N JPEG or PNG images and a list of N flags"))]
    Shape {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}

impl EvalBin {
    /// Reads a bin.
    ///
    /// # Errors
    /// A file that is missing, no pickle, or another pickle.
    pub fn open(path: &Path) -> Result<Self, BinError> {
        let bytes = fs_err::read(path)
            .map_err(|error| BinError::Read { path: path.to_path_buf(), reason: error.to_string() })?;
        let shape = |reason: String| BinError::Shape { path: path.to_path_buf(), reason };
        let value =
            serde_pickle::value_from_slice(&bytes, DeOptions::new().replace_unresolved_globals()).map_err(|error| {
                // The message may quote a whole image.
                let error: String = error.to_string().chars().take(160).collect();
                shape(format!("its pickle cannot be read: {error}"))
            })?;
        let (images, same) = parts(value).map_err(shape)?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Self { name, path: path.to_path_buf(), images, same })
    }
}

fn parts(value: Value) -> Result<(Vec<Vec<u8>>, Vec<bool>), String> {
    let pair = items(value)?;
    let [images, flags] = <[Value; 2]>::try_from(pair).map_err(|pair| format!("it holds {} objects", pair.len()))?;
    let images = items(images)?.into_iter().enumerate();
    let images = images.map(|(at, image)| bytes(image).ok_or_else(|| format!("image {at} is no byte string")));
    let images = images.collect::<Result<Vec<_>, _>>()?;
    let flags = items(flags)?.into_iter().enumerate();
    let flags = flags.map(|(at, value)| flag(&value).ok_or_else(|| format!("flag {at} is neither true nor false")));
    let flags = flags.collect::<Result<Vec<_>, _>>()?;
    if flags.is_empty() || images.len() != 2 * flags.len() {
        return Err(format!("it holds {} images and {} flags", images.len(), flags.len()));
    }
    Ok((images, flags))
}

fn items(value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::List(items) | Value::Tuple(items) => Ok(items),
        other => Err(format!("a list was expected, but there is {}", kind(&other))),
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        // Python 2's strings under a text protocol: one character a byte.
        Value::String(text) => text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect(),
        Value::List(_) | Value::Tuple(_) => items(value)
            .ok()?
            .into_iter()
            .map(|item| match item {
                Value::I64(number) => u8::try_from(number).ok(),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

const fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::I64(0) => Some(false),
        Value::I64(1) => Some(true),
        _ => None,
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Dict(_) => "a dictionary",
        Value::None => "nothing, or an object of Python's that is not data",
        Value::Bytes(_) => "a byte string",
        Value::String(_) => "a text",
        Value::Bool(_) | Value::I64(_) | Value::Int(_) | Value::F64(_) => "a number",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `pickle.dumps(([b"a", b"b"], [True]), protocol=2)` of Python 3, written out.
    fn small() -> Vec<u8> {
        let list = vec![Value::Bytes(b"a".to_vec()), Value::Bytes(b"b".to_vec())];
        let value = Value::Tuple(vec![Value::List(list), Value::List(vec![Value::Bool(true)])]);
        serde_pickle::value_to_vec(&value, serde_pickle::SerOptions::new()).expect("pickles")
    }

    fn open(bytes: &[u8]) -> Result<EvalBin, BinError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("small.bin");
        std::fs::write(&path, bytes).expect("writes");
        EvalBin::open(&path)
    }

    #[test]
    fn a_pair_is_read() {
        let bin = open(&small()).expect("reads");
        assert_eq!((bin.name.as_str(), bin.images.len(), bin.same.as_slice()), ("small", 2, &[true][..]));
    }

    #[test]
    fn a_call_in_a_pickle_is_not_made() {
        let error = open(b"cos\nsystem\n(S'touch /tmp/facetui-was-here'\ntR.").expect_err("is refused").to_string();
        assert!(error.contains("small.bin"), "{error}");
        assert!(!Path::new("/tmp/facetui-was-here").exists());
    }

    #[test]
    fn bins_of_real_pythons_are_read() {
        let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/cases");
        for (name, pairs) in
            [("train_run/tinyA.bin", 60), ("train_run/tinyB.bin", 60), ("recordio/bins/tiny_p3.bin", 20)]
        {
            let path = Path::new(cases).join(name);
            if path.exists() {
                let bin = EvalBin::open(&path).expect("reads");
                assert_eq!(bin.same.len(), pairs, "{name}");
                assert!(
                    bin.images.iter().all(|image| image.starts_with(&[0xff, 0xd8]) || image.starts_with(b"\x89PNG"))
                );
            }
        }
    }

    proptest! {
        #[test]
        fn damaged_pickles_are_errors(at in 0usize..60, byte in any::<u8>()) {
            let mut bytes = small();
            let place = at % bytes.len();
            bytes[place] = byte;
            let _ = open(&bytes);
        }
    }
}
