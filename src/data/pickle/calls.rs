//! What stands in for a pickle's calls: each of the understood names by its meaning, and nothing else.

use std::borrow::Cow;

use super::error::PickleError;
use super::machine::{Machine, Result};
use super::object::{Array, Dtype, Id, Name, Object};
use super::text;

/// Dimensions that an array may have; a bin's have one.
const MOST_DIMENSIONS: usize = 8;

impl<'a> Machine<'a> {
    pub(super) fn name(&mut self, module: &[u8], name: &[u8]) -> Result<()> {
        let known = Name::find(module, name).ok_or_else(|| self.refused(module, name))?;
        self.push(Object::Name(known))
    }

    pub(super) fn refused(&self, module: &[u8], name: &[u8]) -> PickleError {
        let short = |text: &[u8]| text.iter().take(60).copied().collect::<Vec<u8>>().escape_ascii().to_string();
        self.error(format!(
            "the pickle names `{}.{}`, which is refused: a bin needs byte strings, lists, flags and NumPy arrays only",
            short(module),
            short(name)
        ))
    }

    pub(super) fn apply(&mut self, function: Id, arguments: Id) -> Result<()> {
        let &Object::Name(name) = self.get(function) else {
            return Err(self.error(format!("a function was expected, but there is {}", self.get(function).describe())));
        };
        let Object::Tuple(arguments) = self.get(arguments) else {
            return Err(self.error(format!("the arguments of {name:?} are not a tuple; the pickle is damaged")));
        };
        // A shared tuple is not copied: no function takes more than four arguments.
        let mut given = [Id(0); 4];
        let count = arguments.len();
        for (place, argument) in given.iter_mut().zip(arguments) {
            *place = *argument;
        }
        let made = match (name, &given[..count.min(4)]) {
            _ if count > 4 => None,
            (Name::Reconstruct, [class, _, _]) if *self.get(*class) == Object::Name(Name::NdArray) => {
                Some(Object::Array(Box::default()))
            }
            (Name::FromBuffer, [buffer, dtype, shape, _]) => self.array_of(*dtype, *shape, *buffer),
            (Name::Scalar, [dtype, bytes]) => self.element_type(*dtype).map(|dtype| {
                Object::Array(Box::new(Array { dtype: Some(dtype), shape: Vec::new(), data: Some(*bytes) }))
            }),
            (Name::Dtype, [code, ..]) => match self.get(*code) {
                Object::Bytes(code) | Object::Text(code) => Dtype::parse(code).map(Object::Dtype),
                _ => None,
            },
            (Name::Bytes, []) => Some(Object::Bytes(Cow::Borrowed(&[]))),
            (Name::Bytes, [bytes]) if matches!(self.get(*bytes), Object::Bytes(_)) => {
                self.stack.push(*bytes);
                return Ok(());
            }
            (Name::Encode | Name::Bytes, [text, codec]) if self.is_latin1(*codec) => return self.encode(*text),
            _ => None,
        };
        match made {
            Some(object) => self.push(object),
            None => Err(self.error(format!("{name:?} has {count} arguments that are not understood"))),
        }
    }

    fn is_latin1(&self, codec: Id) -> bool {
        let (Object::Text(codec) | Object::Bytes(codec)) = self.get(codec) else { return false };
        let plain: Vec<u8> = codec.iter().filter(|byte| byte.is_ascii_alphanumeric()).take(16).copied().collect();
        matches!(plain.to_ascii_lowercase().as_slice(), b"latin1" | b"iso88591" | b"ascii")
    }

    fn encode(&mut self, text: Id) -> Result<()> {
        if let Some(known) = self.encoded.get(&text) {
            self.stack.push(*known);
            return Ok(());
        }
        let Object::Text(utf8) = self.get(text) else {
            return Err(self.error(format!("a text was expected, but there is {}", self.get(text).describe())));
        };
        let bytes = text::latin1(utf8)
            .ok_or_else(|| self.error("a byte string is written as a text that holds other characters".to_owned()))?;
        self.push(Object::Bytes(Cow::Owned(bytes)))?;
        let made = self.top()?;
        self.encoded.insert(text, made);
        Ok(())
    }

    fn element_type(&self, id: Id) -> Option<Dtype> {
        match self.get(id) {
            Object::Dtype(dtype) => Some(*dtype),
            _ => None,
        }
    }

    fn array_of(&self, dtype: Id, shape: Id, data: Id) -> Option<Object<'a>> {
        let dtype = self.element_type(dtype)?;
        let shape: &[Id] = match self.get(shape) {
            Object::Tuple(sides) => sides,
            Object::Int(_) => &[shape],
            _ => return None,
        };
        let side = |id: &Id| match self.get(*id) {
            Object::Int(side) => u64::try_from(*side).ok(),
            _ => None,
        };
        let shape = (shape.len() <= MOST_DIMENSIONS).then(|| shape.iter().map(side).collect::<Option<_>>())??;
        Some(Object::Array(Box::new(Array { dtype: Some(dtype), shape, data: Some(data) })))
    }

    /// `object.__setstate__(state)` of arrays and their types.
    pub(super) fn set_state(&mut self, object: Id, state: Id) -> Result<()> {
        let made = match (self.get(object), self.get(state)) {
            // (version, byte order, ...)
            (Object::Dtype(dtype), Object::Tuple(state)) => state.get(1).and_then(|order| match self.get(*order) {
                Object::Bytes(order) | Object::Text(order) => {
                    Some(Object::Dtype(Dtype { big_endian: **order == *b">", ..*dtype }))
                }
                _ => None,
            }),
            // (version, shape, type, whether columns come first, elements); the oldest have no version.
            (Object::Array(_), Object::Tuple(state)) => match state.as_slice() {
                [_, shape, dtype, _, data] | [shape, dtype, _, data] => self.array_of(*dtype, *shape, *data),
                _ => None,
            },
            (object, _) => {
                return Err(self.error(format!("{} takes no state; the pickle is damaged", object.describe())));
            }
        };
        let made = made.ok_or_else(|| self.error("an array's state is not understood".to_owned()))?;
        self.objects[object.0 as usize].0 = made;
        Ok(())
    }
}
