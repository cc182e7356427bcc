//! The objects of a pickle, and the few names of Python's that are understood without calling anything.

use std::borrow::Cow;

/// An object's number in its pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub(super) u32);

/// An object of a pickle.
#[derive(Debug, Clone, PartialEq)]
pub enum Object<'a> {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number beyond 64 bits.
    HugeInt,
    /// A number.
    Float(f64),
    /// `bytes`, `bytearray`, or a string of Python 2.
    Bytes(Cow<'a, [u8]>),
    /// A text, in UTF-8 as Python writes it (lone surrogates included).
    Text(Cow<'a, [u8]>),
    /// A list.
    List(Vec<Id>),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A dictionary; what is in it is of no use here.
    Dict,
    /// A set; what is in it is of no use here.
    Set,
    /// A function or class that is understood.
    Name(Name),
    /// The type of an array's elements.
    Dtype(Dtype),
    /// A `NumPy` array, or a `NumPy` scalar as an array without dimensions.
    Array(Box<Array>),
}

/// The type of an array's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dtype {
    /// `NumPy`'s letter: `u`, `i`, `b`, `f`, `O`, ...
    pub kind: u8,
    /// Bytes of an element.
    pub size: u64,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
}

/// A `NumPy` array whose elements lie in another object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Array {
    /// Its elements' type; none while it is not filled.
    pub dtype: Option<Dtype>,
    /// Its dimensions.
    pub shape: Vec<u64>,
    /// The bytes (or the list, for an array of objects).
    pub data: Option<Id>,
}

/// A name of Python's that a bin may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// `numpy.core.multiarray._reconstruct`: an empty array, filled by its state.
    Reconstruct,
    /// `numpy.core.numeric._frombuffer`: an array over bytes (protocol 5).
    FromBuffer,
    /// `numpy.core.multiarray.scalar`: a number of a type.
    Scalar,
    /// `numpy.ndarray`.
    NdArray,
    /// `numpy.dtype`.
    Dtype,
    /// `_codecs.encode`: bytes under protocols that have none.
    Encode,
    /// `bytes` or `bytearray`.
    Bytes,
}

impl Name {
    /// The name that `module` and `name` spell, if it is understood. `NumPy` 2 moved `numpy.core` to `numpy._core`.
    pub fn find(module: &[u8], name: &[u8]) -> Option<Self> {
        let core = module.strip_prefix(b"numpy.core.").or_else(|| module.strip_prefix(b"numpy._core."));
        match (core.unwrap_or(module), name) {
            (b"multiarray", b"_reconstruct") if core.is_some() => Some(Self::Reconstruct),
            (b"multiarray", b"scalar") if core.is_some() => Some(Self::Scalar),
            (b"multiarray" | b"numeric", b"_frombuffer") if core.is_some() => Some(Self::FromBuffer),
            (b"numpy", b"ndarray") => Some(Self::NdArray),
            (b"numpy", b"dtype") => Some(Self::Dtype),
            (b"_codecs", b"encode") => Some(Self::Encode),
            (b"builtins" | b"__builtin__", b"bytes" | b"bytearray") => Some(Self::Bytes),
            _ => None,
        }
    }
}

impl Dtype {
    /// The type that a code such as `u1` or `<f8` spells.
    pub fn parse(code: &[u8]) -> Option<Self> {
        let (order, code) = match code {
            [order @ (b'<' | b'>' | b'=' | b'|'), code @ ..] => (*order, code),
            code => (b'=', code),
        };
        let (kind, size) = code.split_first()?;
        let size = match (kind, size) {
            (b'O', _) => 0,
            (b'?', []) => return Some(Self { kind: b'b', size: 1, big_endian: false }),
            _ => std::str::from_utf8(size).ok()?.parse().ok()?,
        };
        Some(Self { kind: *kind, size, big_endian: order == b'>' })
    }

    /// As `NumPy` calls it: `uint8`.
    pub fn describe(self) -> String {
        let bits = self.size.saturating_mul(8);
        match self.kind {
            b'u' => format!("uint{bits}"),
            b'i' => format!("int{bits}"),
            b'f' => format!("float{bits}"),
            b'b' => "bool".to_owned(),
            b'O' => "object".to_owned(),
            kind => format!("type `{}{}`", kind.escape_ascii(), self.size),
        }
    }

    /// The number in an element's bytes; none for types that are not numbers of usual sizes.
    pub fn number(self, bytes: &[u8]) -> Option<f64> {
        let mut little = [0u8; 8];
        let place = little.get_mut(..bytes.len())?;
        place.copy_from_slice(bytes);
        if self.big_endian {
            place.reverse();
        }
        let unsigned = u64::from_le_bytes(little);
        match (self.kind, bytes.len()) {
            (b'u' | b'b', 1 | 2 | 4 | 8) => Some(unsigned as f64),
            (b'i', size @ (1 | 2 | 4 | 8)) => {
                let unused = 64 - 8 * size as u32;
                Some((((unsigned << unused) as i64) >> unused) as f64)
            }
            (b'f', 4) => Some(f64::from(f32::from_bits(unsigned as u32))),
            (b'f', 8) => Some(f64::from_bits(unsigned)),
            _ => None,
        }
    }
}

impl Object<'_> {
    /// What it is, for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::None => "None".to_owned(),
            Self::Bool(flag) => if *flag { "True" } else { "False" }.to_owned(),
            Self::Int(number) => format!("the number {number}"),
            Self::HugeInt => "a number beyond 64 bits".to_owned(),
            Self::Float(number) => format!("the number {number}"),
            Self::Bytes(bytes) => format!("a byte string of {} bytes", bytes.len()),
            Self::Text(text) => match text.get(..24) {
                None => format!("the text `{}`", String::from_utf8_lossy(text).escape_debug()),
                Some(start) => format!("a text that begins with `{}`", String::from_utf8_lossy(start).escape_debug()),
            },
            Self::List(items) => format!("a list of {} objects", items.len()),
            Self::Tuple(items) => format!("a tuple of {} objects", items.len()),
            Self::Dict => "a dictionary".to_owned(),
            Self::Set => "a set".to_owned(),
            Self::Name(name) => format!("the name of a function or class ({name:?})"),
            Self::Dtype(dtype) => format!("the array type {}", dtype.describe()),
            Self::Array(array) => {
                let shape: Vec<String> = array.shape.iter().map(u64::to_string).collect();
                let kind = array.dtype.map_or_else(|| "an unknown type".to_owned(), Dtype::describe);
                format!("a NumPy array of {kind} and shape ({})", shape.join(", "))
            }
        }
    }
}
