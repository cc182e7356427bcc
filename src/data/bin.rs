//! Evaluation bins: a pickle of `(list of 2N encoded images, list of N flags)`, as MXNet's face sets ship them.
//!
//! Every dialect is read that Python 2 and 3 and `NumPy` 1 and 2 write, as data: nothing in a pickle is ever called or
//! imported (see [`super::pickle`]). An image that the pickle refers to several times is held once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use super::pickle::{Array, Id, Object, Pickle, PickleError, latin1};

/// A bin as it lies on the disk: encoded images and what the pairs are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalBin {
    /// The file's stem.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// JPEG or PNG bytes, each once however many pairs show it.
    pub images: Vec<Vec<u8>>,
    /// The two images of each pair, as places in `images`.
    pub pairs: Vec<[u32; 2]>,
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
    /// No pickle, a damaged one, or one with more than data in it.
    #[error("the pickle of the bin `{}` cannot be read: {source}", path.display())]
    #[diagnostic(help(
        "expected a pickled pair: a list of 2N JPEG or PNG images and a list of N flags, as lfw.bin of MXNet's face sets"
    ))]
    Pickle {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        source: PickleError,
    },
    /// Not the shape of a bin.
    #[error("`{}` is not an evaluation bin: {reason}", path.display())]
    #[diagnostic(help(
        "expected a pickled pair: a list of 2N JPEG or PNG images (byte strings or uint8 arrays) and a list of N flags"
    ))]
    Shape {
        /// The file.
        path: PathBuf,
        /// What was found, and where.
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
        Self::read(path, &bytes)
    }

    /// As [`EvalBin::open`], from bytes; `path` stands in messages and gives the name.
    ///
    /// # Errors
    /// Bytes that are no pickle, or another pickle.
    pub fn read(path: &Path, bytes: &[u8]) -> Result<Self, BinError> {
        let pickle = Pickle::read(bytes).map_err(|source| BinError::Pickle { path: path.to_path_buf(), source })?;
        let content = Content { pickle: &pickle };
        let (images, pairs, same) =
            content.read().map_err(|reason| BinError::Shape { path: path.to_path_buf(), reason })?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Self { name, path: path.to_path_buf(), images, pairs, same })
    }
}

/// The images, the pairs, the flags.
type Parts = (Vec<Vec<u8>>, Vec<[u32; 2]>, Vec<bool>);

/// A pickle that should be a bin.
struct Content<'a> {
    pickle: &'a Pickle<'a>,
}

impl Content<'_> {
    fn read(&self) -> Result<Parts, String> {
        let root = self.pickle.root();
        let Some(&[images, flags]) = self.pickle.items(root) else {
            return Err(format!("it holds {}; expected a pair of two lists", self.pickle.describe(root)));
        };
        let same = self.flags(flags)?;
        let Some(images) = self.pickle.items(images) else {
            return Err(format!("a list of images was expected, but there is {}", self.found(images)));
        };
        if same.is_empty() || images.len() != 2 * same.len() {
            return Err(format!(
                "it holds {} images and {} flags; expected two images for each flag",
                images.len(),
                same.len()
            ));
        }
        let (unique, places) = self.images(images)?;
        let pairs = places.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
        Ok((unique, pairs, same))
    }

    /// Each image once, and which of them stands at every place.
    fn images(&self, images: &[Id]) -> Result<(Vec<Vec<u8>>, Vec<u32>), String> {
        let mut unique = Vec::new();
        let mut known: HashMap<Id, u32> = HashMap::new();
        let mut places = Vec::with_capacity(images.len());
        for (at, image) in images.iter().enumerate() {
            let source = self.source(*image);
            let seen = source.and_then(|source| known.get(&source).copied());
            let place = if let Some(place) = seen {
                place
            } else {
                let bytes = source.and_then(|source| self.bytes(source)).ok_or_else(|| {
                    let expected = "expected the bytes of a JPEG or PNG file, or a uint8 array of them";
                    format!("image {at} is {}; {expected}", self.found(*image))
                })?;
                let place = unique.len() as u32;
                known.extend(source.map(|source| (source, place)));
                unique.push(bytes);
                place
            };
            places.push(place);
        }
        Ok((unique, places))
    }

    /// The object that holds an image's bytes: itself, or what an array lies over.
    fn source(&self, image: Id) -> Option<Id> {
        let Object::Array(array) = self.pickle.get(image) else { return Some(image) };
        let bytes = array.dtype.is_some_and(|dtype| matches!(dtype.kind, b'u' | b'i') && dtype.size == 1);
        // An array of pixels has more than one side.
        let flat = array.shape.iter().filter(|side| **side != 1).count() <= 1;
        (bytes && flat).then(|| self.pickle.array_bytes(array))?.map(|(source, _)| source)
    }

    fn bytes(&self, source: Id) -> Option<Vec<u8>> {
        match self.pickle.get(source) {
            Object::Bytes(bytes) => Some(bytes.to_vec()),
            // Python 2's strings that Python 3 wrote again: one character a byte.
            Object::Text(text) => latin1(text),
            Object::List(items) | Object::Tuple(items) => {
                let byte = |item: &Id| match self.pickle.get(*item) {
                    Object::Int(number) => u8::try_from(*number).ok(),
                    _ => None,
                };
                items.iter().map(byte).collect()
            }
            _ => None,
        }
    }

    fn flags(&self, flags: Id) -> Result<Vec<bool>, String> {
        if let Some(items) = self.pickle.items(flags) {
            let items = items.iter().enumerate();
            return items
                .map(|(at, item)| {
                    let wrong = || format!("flag {at} is {}; expected true or false", self.found(*item));
                    self.flag(*item).ok_or_else(wrong)
                })
                .collect();
        }
        let wrong = || format!("a list of flags was expected, but there is {}", self.found(flags));
        let Object::Array(array) = self.pickle.get(flags) else { return Err(wrong()) };
        self.numbers(array).ok_or_else(wrong)
    }

    fn flag(&self, id: Id) -> Option<bool> {
        match self.pickle.get(id) {
            Object::Bool(flag) => Some(*flag),
            Object::Int(number) => truth(*number as f64),
            Object::Float(number) => truth(*number),
            Object::Array(array) => match self.numbers(array)?.as_slice() {
                [flag] => Some(*flag),
                _ => None,
            },
            _ => None,
        }
    }

    /// The elements of an array of flags.
    fn numbers(&self, array: &Array) -> Option<Vec<bool>> {
        let (dtype, (_, bytes)) = (array.dtype?, self.pickle.array_bytes(array)?);
        let size = usize::try_from(dtype.size).ok().filter(|size| *size > 0)?;
        bytes.chunks_exact(size).map(|element| truth(dtype.number(element)?)).collect()
    }

    /// An object and its place, for messages.
    fn found(&self, id: Id) -> String {
        let place = self.pickle.offset(id).map_or_else(String::new, |offset| format!(" (at byte {offset})"));
        self.pickle.describe(id) + &place
    }
}

fn truth(number: f64) -> Option<bool> {
    if number == 0.0 {
        Some(false)
    } else if (number - 1.0).abs() < f64::EPSILON {
        Some(true)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `([b"a", b"b"], [True])` under protocol 3.
    const SMALL: &[u8] = b"\x80\x03]q\0(C\x01aq\x01C\x01bq\x02e]q\x03\x88a\x86q\x04.";

    fn open(bytes: &[u8]) -> Result<EvalBin, BinError> {
        EvalBin::read(Path::new("small.bin"), bytes)
    }

    fn message(bytes: &[u8]) -> String {
        open(bytes).expect_err("is refused").to_string()
    }

    #[test]
    fn a_pair_is_read() {
        let bin = open(SMALL).expect("reads");
        assert_eq!((bin.name.as_str(), bin.images.len(), bin.same.as_slice()), ("small", 2, &[true][..]));
        assert_eq!(bin.pairs, [[0, 1]]);
    }

    #[test]
    fn a_call_in_a_pickle_is_not_made() {
        let error = message(b"cos\nsystem\n(S'touch /tmp/facetui-was-here'\ntR.");
        assert!(error.contains("small.bin") && error.contains("`os.system`"), "{error}");
        assert!(!Path::new("/tmp/facetui-was-here").exists());
    }

    #[test]
    fn what_is_no_bin_says_what_it_is() {
        for (bytes, words) in [
            (&b"K\x05."[..], "it holds the number 5; expected a pair of two lists"),
            (b"}.", "it holds a dictionary"),
            (b"](K\x01K\x02K\x03e.", "it holds a list of 3 objects"),
            (b"(]]t.", "it holds 0 images and 0 flags"),
            (b"](](C\x01aC\x01bC\x01ce](\x88ee.", "it holds 3 images and 1 flags"),
            (b"(](C\x01aNe]\x88at.", "image 1 is None; expected the bytes of a JPEG"),
            (b"(](C\x01aK\x07e]\x88at.", "image 1 is the number 7 (at byte 6)"),
            (b"(](C\x01aC\x01be]K\x02at.", "flag 0 is the number 2 (at byte 11)"),
            (b"(](C\x01aC\x01beK\x02t.", "a list of flags was expected"),
            (b"(C\x01a]\x88at.", "a list of images was expected"),
        ] {
            let message = message(bytes);
            assert!(message.contains(words) && message.contains("small.bin"), "{}: {message}", bytes.escape_ascii());
        }
    }

    #[test]
    fn an_image_that_is_repeated_is_held_once() {
        let bin = open(b"(](C\x01aq\x00h\x00C\x01bh\x00e](\x88\x89et.").expect("reads");
        assert_eq!(bin.images, [b"a", b"b"]);
        assert_eq!(bin.pairs, [[0, 0], [1, 0]]);
    }

    #[test]
    fn flags_may_be_numbers() {
        for flags in [&b"(K\x01I00\nl"[..], b"(G\x3f\xf0\0\0\0\0\0\0K\0t", b"(\x88\x89t"] {
            let bytes = [b"(](C\x01aC\x01bC\x01cC\x01de", flags, b"t."].concat();
            assert_eq!(open(&bytes).expect("reads").same, [true, false]);
        }
    }

    proptest! {
        #[test]
        fn damaged_pickles_are_errors(at in 0usize..60, byte in any::<u8>()) {
            let mut bytes = SMALL.to_vec();
            let place = at % bytes.len();
            bytes[place] = byte;
            let _ = open(&bytes);
        }
    }
}
