//! The stack machine of a pickle, without the instructions that would import or call anything unknown.

use std::borrow::Cow;
use std::collections::HashMap;

use super::error::PickleError;
use super::object::{Id, Object};
use super::text;

/// Objects that are there from the start: `None`, `False`, `True`.
pub(super) const CONSTANTS: u32 = 3;

/// Bytes of a pickle for each of its objects, at least; an image of hundreds of bytes has ten, its array's included.
const BYTES_AN_OBJECT: usize = 16;

/// Objects that any pickle may have.
const FEWEST_OBJECTS: usize = 10_000;

/// What a pickle's end, found in the middle of something, means.
const CUT_SHORT: &str = "the file is cut short: fetch it again";

pub(super) struct Machine<'a> {
    input: &'a [u8],
    at: usize,
    /// Where the present instruction begins.
    start: usize,
    pub(super) objects: Vec<(Object<'a>, usize)>,
    pub(super) stack: Vec<Id>,
    /// Heights of the stack at its marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// Bytes of texts that were encoded: a text is encoded once, however often it is referred to.
    pub(super) encoded: HashMap<Id, Id>,
}

pub(super) type Result<T, E = PickleError> = std::result::Result<T, E>;

impl<'a> Machine<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        // The commonest objects, made once.
        let objects = vec![(Object::None, 0), (Object::Bool(false), 0), (Object::Bool(true), 0)];
        Self {
            input,
            at: 0,
            start: 0,
            objects,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            encoded: HashMap::new(),
        }
    }

    pub(super) fn run(mut self) -> Result<(Vec<(Object<'a>, usize)>, Id)> {
        loop {
            self.start = self.at;
            let [code] = self.array("an instruction")?;
            if code == b'.' {
                let root = self.pop()?;
                return Ok((self.objects, root));
            }
            self.execute(code)?;
            self.check_room()?;
        }
    }

    /// Refuses more objects than a bin of so many bytes can have: an instruction of one byte would take fifty of memory.
    fn check_room(&self) -> Result<()> {
        let most = self.input.len() / BYTES_AN_OBJECT + FEWEST_OBJECTS;
        let longest = self.objects.len().max(self.stack.len()).max(self.memo.len()).max(self.marks.len());
        if longest <= most {
            return Ok(());
        }
        Err(self.error(format!("the pickle holds more than {most} objects, too many for a bin of its size")))
    }

    fn execute(&mut self, code: u8) -> Result<()> {
        match code {
            0x80 => {
                let [protocol] = self.array("the protocol")?;
                if protocol > 5 {
                    return Err(self.error(format!("the pickle has protocol {protocol}; 0 to 5 are known")));
                }
            }
            // A frame only says how much may be read at once.
            0x95 => drop(self.array::<8>("a frame")?),
            // The stack and the memo.
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'p' => {
                let number = self.memo_number()?;
                self.memoize(number)?;
            }
            b'q' => {
                let [number] = self.array("a memo number")?;
                self.memoize(u64::from(number))?;
            }
            b'r' => {
                let number = self.array("a memo number")?;
                self.memoize(u64::from(u32::from_le_bytes(number)))?;
            }
            0x94 => self.memoize(self.memo.len() as u64)?,
            b'g' => {
                let number = self.memo_number()?;
                self.recall(number)?;
            }
            b'h' => {
                let [number] = self.array("a memo number")?;
                self.recall(u64::from(number))?;
            }
            b'j' => {
                let number = self.array("a memo number")?;
                self.recall(u64::from(u32::from_le_bytes(number)))?;
            }
            // Constants and numbers.
            b'N' => self.stack.push(Id(0)),
            0x89 => self.stack.push(Id(1)),
            0x88 => self.stack.push(Id(2)),
            b'I' => {
                let line = self.line()?;
                let number = text::int(line).ok_or_else(|| self.unreadable("a whole number", line))?;
                self.push(number)?;
            }
            b'L' => {
                let line = self.line()?;
                let digits = line.strip_suffix(b"L").unwrap_or(line);
                let number = match text::int(digits) {
                    Some(Object::Bool(flag)) => Object::Int(i64::from(flag)),
                    Some(number) => number,
                    None => return Err(self.unreadable("a whole number", line)),
                };
                self.push(number)?;
            }
            b'J' => {
                let number = self.array("a number")?;
                self.push(Object::Int(i64::from(i32::from_le_bytes(number))))?;
            }
            b'K' => {
                let [number] = self.array("a number")?;
                self.push(Object::Int(i64::from(number)))?;
            }
            b'M' => {
                let number = self.array("a number")?;
                self.push(Object::Int(i64::from(u16::from_le_bytes(number))))?;
            }
            0x8a => {
                let [length] = self.array("a number's length")?;
                let number = text::long(self.take(u64::from(length), "a number")?);
                self.push(number)?;
            }
            0x8b => {
                let length = u32::from_le_bytes(self.array("a number's length")?);
                let number = text::long(self.take(u64::from(length), "a number")?);
                self.push(number)?;
            }
            b'F' => {
                let line = self.line()?;
                let number = std::str::from_utf8(line).ok().and_then(|text| text.trim().parse().ok());
                let number = number.ok_or_else(|| self.unreadable("a number", line))?;
                self.push(Object::Float(number))?;
            }
            b'G' => {
                let number = self.array("a number")?;
                self.push(Object::Float(f64::from_be_bytes(number)))?;
            }
            // Byte strings and texts.
            b'S' => {
                let line = self.line()?;
                let bytes = text::quoted(line).ok_or_else(|| self.unreadable("a quoted string", line))?;
                self.push(Object::Bytes(Cow::Owned(bytes)))?;
            }
            b'V' => {
                let line = self.line()?;
                let utf8 = text::raw_unicode(line).ok_or_else(|| self.unreadable("an escaped text", line))?;
                self.push(Object::Text(Cow::Owned(utf8)))?;
            }
            b'U' | b'C' | 0x8c => {
                let [length] = self.array("a length")?;
                self.sized(code == 0x8c, u64::from(length))?;
            }
            b'T' | b'B' | b'X' => {
                let length = u32::from_le_bytes(self.array("a length")?);
                self.sized(code == b'X', u64::from(length))?;
            }
            0x8d | 0x8e | 0x96 => {
                let length = u64::from_le_bytes(self.array("a length")?);
                self.sized(code == 0x8d, length)?;
            }
            _ => return self.build(code),
        }
        Ok(())
    }

    /// The instructions that put objects together, and those that are refused.
    fn build(&mut self, code: u8) -> Result<()> {
        match code {
            b']' => self.push(Object::List(Vec::new()))?,
            b'l' => {
                let items = self.pop_mark()?;
                self.push(Object::List(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(&[item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.extend(&items)?;
            }
            b')' => self.push(Object::Tuple(Vec::new()))?,
            b't' => {
                let items = self.pop_mark()?;
                self.push(Object::Tuple(items))?;
            }
            0x85..=0x87 => {
                let length = usize::from(code - 0x84);
                let height = self.stack.len().checked_sub(length).ok_or_else(|| self.underflow())?;
                self.above_mark(height)?;
                let items = self.stack.split_off(height);
                self.push(Object::Tuple(items))?;
            }
            b'}' => self.push(Object::Dict)?,
            b'd' => {
                self.pop_mark()?;
                self.push(Object::Dict)?;
            }
            b's' => {
                self.pop()?;
                self.pop()?;
                self.top()?;
            }
            b'u' | 0x90 => {
                self.pop_mark()?;
                self.top()?;
            }
            0x8f => self.push(Object::Set)?,
            0x91 => {
                self.pop_mark()?;
                self.push(Object::Set)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.name(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Object::Text(module), Object::Text(name)) = (self.get(module), self.get(name)) else {
                    return Err(self.error("a name is not text; the pickle is damaged".to_owned()));
                };
                let (module, name) = (module.clone(), name.clone());
                self.name(&module, &name)?;
            }
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.apply(function, arguments)?;
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.top()?);
                self.set_state(object, state)?;
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                return Err(self.refused(module, name));
            }
            // A buffer that is there and read-only.
            0x98 => drop(self.top()?),
            0x97 => {
                let reason =
                    "the pickle keeps its buffers outside of the file; pickle it again without `buffer_callback`";
                return Err(self.error(reason.to_owned()));
            }
            b'P' | b'Q' => {
                return Err(self.error("the pickle refers to an object outside of it; that is refused".to_owned()));
            }
            0x82..=0x84 | 0x92 | b'o' => {
                return Err(self.error("the pickle makes an object of a class of its own; that is refused".to_owned()));
            }
            other => {
                let place = if self.start == 0 { "the file is not a pickle" } else { "the pickle is damaged" };
                let reason = format!("{place}: there is no instruction `{}` (0x{other:02x})", other.escape_ascii());
                return Err(self.error(reason));
            }
        }
        Ok(())
    }

    // The input.

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let bytes = self.take(N as u64, what)?;
        let mut array = [0; N];
        array.copy_from_slice(bytes);
        Ok(array)
    }

    fn take(&mut self, length: u64, what: &str) -> Result<&'a [u8]> {
        let rest = &self.input[self.at..];
        let Some(taken) = usize::try_from(length).ok().and_then(|length| rest.get(..length)) else {
            let reason = match (self.input, rest.len()) {
                ([], _) => "the file is empty; a pickle was expected".to_owned(),
                (_, left) => format!("{what} of {length} bytes was expected, but {left} are left; {CUT_SHORT}"),
            };
            return Err(self.error(reason));
        };
        self.at += taken.len();
        Ok(taken)
    }

    /// Up to the end of the line, which is not part of it.
    fn line(&mut self) -> Result<&'a [u8]> {
        let rest = &self.input[self.at..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err(self.error(format!("a line has no end; {CUT_SHORT}")));
        };
        self.at += length + 1;
        Ok(&rest[..length])
    }

    fn sized(&mut self, is_text: bool, length: u64) -> Result<()> {
        let bytes = Cow::Borrowed(self.take(length, if is_text { "a text" } else { "a byte string" })?);
        self.push(if is_text { Object::Text(bytes) } else { Object::Bytes(bytes) })
    }

    fn memo_number(&mut self) -> Result<u64> {
        let line = self.line()?;
        let number = std::str::from_utf8(line).ok().and_then(|text| text.trim().parse().ok());
        number.ok_or_else(|| self.unreadable("a memo number", line))
    }

    // The stack.

    pub(super) fn get(&self, id: Id) -> &Object<'a> {
        &self.objects[id.0 as usize].0
    }

    pub(super) fn push(&mut self, object: Object<'a>) -> Result<()> {
        let id = u32::try_from(self.objects.len()).map_err(|_more| self.error("too many objects".to_owned()))?;
        self.objects.push((object, self.start));
        self.stack.push(Id(id));
        Ok(())
    }

    /// A mark is a floor of the stack: nothing below it is taken.
    fn above_mark(&self, height: usize) -> Result<()> {
        if self.marks.last().is_some_and(|mark| height < *mark) { Err(self.underflow()) } else { Ok(()) }
    }

    pub(super) fn top(&self) -> Result<Id> {
        let top = self.stack.last().copied().ok_or_else(|| self.underflow())?;
        self.above_mark(self.stack.len() - 1)?;
        Ok(top)
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(|| self.underflow())?;
        Ok(self.stack.split_off(mark))
    }

    fn extend(&mut self, items: &[Id]) -> Result<()> {
        let list = self.top()?;
        match &mut self.objects[list.0 as usize].0 {
            Object::List(known) => known.extend(items),
            other => {
                let found = other.describe();
                return Err(self.error(format!("items are added to {found}; the pickle is damaged")));
            }
        }
        Ok(())
    }

    fn memoize(&mut self, number: u64) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn recall(&mut self, number: u64) -> Result<()> {
        let Some(known) = self.memo.get(&number) else {
            return Err(self.error(format!("object {number} is referred to before it is there; the pickle is damaged")));
        };
        self.stack.push(*known);
        Ok(())
    }

    // Errors.

    pub(super) fn error(&self, reason: String) -> PickleError {
        PickleError { offset: self.start, reason }
    }

    fn underflow(&self) -> PickleError {
        self.error("an object is missing that the next instruction needs; the pickle is damaged".to_owned())
    }

    fn unreadable(&self, what: &str, line: &[u8]) -> PickleError {
        let start: Vec<u8> = line.iter().take(24).copied().collect();
        self.error(format!("{what} was expected, but the line begins with `{}`", start.escape_ascii()))
    }
}
