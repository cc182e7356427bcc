//! Pickles read as data: the objects that evaluation bins are made of, by a reader of our own.
//!
//! A pickle is a program for a small stack machine, which in Python may import and call anything. Here nothing is ever
//! imported or called: the few names that byte strings and `NumPy` arrays need are understood by their meaning
//! ([`object`]), any other name is refused. Protocols 0 to 5 of Python 2 and 3 and `NumPy` 1 and 2 are read.
//!
//! Memory is bounded by the file: every object costs at least a byte of it, byte strings are borrowed from it, what the
//! memo repeats is one object, and no part of the reader calls itself.

mod calls;
mod error;
mod machine;
pub mod object;
mod text;
pub mod write;

#[cfg(test)]
mod tests;

pub use error::PickleError;
pub use object::{Array, Dtype, Id, Object};
pub use text::latin1;

/// A pickle's objects. They refer to each other by [`Id`], circles included: follow them with a bound.
#[derive(Debug)]
pub struct Pickle<'a> {
    objects: Vec<(Object<'a>, usize)>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at the start of `bytes`; what follows its end is ignored, as Python does.
    ///
    /// # Errors
    /// A pickle that is cut short or damaged, or that names anything but byte strings and `NumPy` arrays.
    pub fn read(bytes: &'a [u8]) -> Result<Self, PickleError> {
        let (objects, root) = machine::Machine::new(bytes).run()?;
        Ok(Self { objects, root })
    }

    /// The object that was pickled.
    pub const fn root(&self) -> Id {
        self.root
    }

    /// An object.
    pub fn get(&self, id: Id) -> &Object<'a> {
        &self.objects[id.0 as usize].0
    }

    /// Where an object begins in the file; none for `None`, `True` and `False`, which are one object each.
    pub fn offset(&self, id: Id) -> Option<usize> {
        (id.0 >= machine::CONSTANTS).then(|| self.objects[id.0 as usize].1)
    }

    /// The items of a list, a tuple, or an array of objects.
    pub fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::List(items) | Object::Tuple(items) => Some(items),
            Object::Array(array) if array.dtype.is_some_and(|dtype| dtype.kind == b'O') => {
                match self.get(array.data?) {
                    Object::List(items) => Some(items),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The object that holds an array's bytes, and those bytes; none when they are not as many as its shape and type
    /// ask for.
    pub fn array_bytes(&self, array: &Array) -> Option<(Id, &[u8])> {
        let data = array.data?;
        let Object::Bytes(bytes) = self.get(data) else { return None };
        let size = array.dtype?.size;
        let wanted = array.shape.iter().try_fold(size, |product, side| product.checked_mul(*side));
        (wanted == Some(bytes.len() as u64)).then_some((data, bytes))
    }

    /// What an object is, for messages: `a list of 3 objects`.
    pub fn describe(&self, id: Id) -> String {
        self.get(id).describe()
    }
}
