//! HDF5's global heaps, which hold the texts of variable length, read without HDF5: its library walks the objects
//! of a damaged heap for ever when one of them says that it has no length, and takes as much memory as a reference to a
//! text asks for before it looks whether the text is as long.
//!
//! A heap begins with `GCOL` and its size; then come objects, each with a header of 16 bytes (number, uses, four bytes
//! unused, length) and its bytes, padded to eight. Number 0 is what is free, and its length counts the header too.
//! A reference is the length of the text, the place of its heap (eight bytes) and the number of its object, four bytes
//! each. ("HDF5 File Format Specification", III.E and IV.A.2.d)

use std::io::{Read, Seek};

use super::byte_scan;

/// How a heap begins: its name, version 1 and three zeros.
const START: [u8; 8] = *b"GCOL\x01\0\0\0";
/// Bytes of the header of a heap, and of one of its objects.
const HEADER: u64 = 16;
/// Bytes of a reference to a text.
pub(super) const REFERENCE: usize = 16;

/// What a text is referred to by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference {
    /// Bytes of the text.
    pub(super) length: u32,
    /// Where its heap begins, from the beginning of the HDF5 part of the file.
    pub(super) heap: u64,
    /// Its number in the heap.
    pub(super) number: u32,
}

impl Reference {
    /// From its bytes.
    pub(super) fn new(bytes: [u8; REFERENCE]) -> Self {
        let [a, b, c, d, heap @ .., e, f, g, h] = bytes;
        let (length, number) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        Self { length, heap: u64::from_le_bytes(heap), number }
    }

    /// Whether it refers to no text.
    pub(super) const fn is_null(self) -> bool {
        self.heap == 0 || self.length == 0
    }
}

/// Where a text lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    /// Where its heap begins.
    heap: u64,
    /// Its number there.
    number: u16,
    /// Its first byte in the file.
    at: u64,
    /// Its bytes.
    length: u64,
}

/// The objects of all heaps of a file.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Heaps(Vec<Object>);

impl Heaps {
    /// Walks every heap of a file of `length` bytes.
    ///
    /// # Errors
    /// A heap whose objects do not lie one behind the other, heaps that lie in each other, or a file that cannot be
    /// read, in words.
    pub(super) fn find(file: &mut (impl Read + Seek), length: u64) -> Result<Self, String> {
        let mut objects = Vec::new();
        let mut walked = 0;
        for start in byte_scan::places(file, length, START)? {
            walked += walk(file, start, length, &mut objects)?;
            if walked > length {
                return Err(format!("it is damaged: its heap at byte {start} lies in another one"));
            }
        }
        objects.sort_unstable();
        Ok(Self(objects))
    }

    /// Reads the text of a reference, where the HDF5 part of the file begins at byte `base`.
    ///
    /// # Errors
    /// There is no text of that length, or the file cannot be read, in words.
    pub(super) fn text(&self, file: &mut (impl Read + Seek), base: u64, of: Reference) -> Result<Vec<u8>, String> {
        if of.is_null() {
            return Ok(Vec::new());
        }
        let found = u16::try_from(of.number).ok().zip(base.checked_add(of.heap)).and_then(|(number, heap)| {
            let first = self.0.partition_point(|object| (object.heap, object.number) < (heap, number));
            self.0.get(first).filter(|object| object.number == number && object.heap == heap)
        });
        let object = found.filter(|object| object.number > 0 && object.length == u64::from(of.length));
        let Some(object) = object else {
            return Err(format!("refers to a text of {} bytes that the file does not hold", of.length));
        };
        let mut text = vec![0; object.length as usize];
        byte_scan::read_at(file, object.at, &mut text)?;
        Ok(text)
    }
}

/// Adds the objects of a heap; its bytes.
fn walk(file: &mut (impl Read + Seek), start: u64, length: u64, objects: &mut Vec<Object>) -> Result<u64, String> {
    let damaged = |what: String| format!("it is damaged: its heap at byte {start} {what}");
    if start + HEADER > length {
        return Err(damaged("is cut off".to_owned()));
    }
    let mut size = [0; 8];
    byte_scan::read_at(file, start + 8, &mut size)?;
    let size = u64::from_le_bytes(size);
    let end = start.checked_add(size).filter(|end| *end <= length && size >= HEADER);
    let end = end.ok_or_else(|| damaged(format!("is {size} bytes long in a file of {length}")))?;
    let mut at = start + HEADER;
    while at + HEADER <= end {
        let mut header = [0; HEADER as usize];
        byte_scan::read_at(file, at, &mut header)?;
        let [a, b, _, _, _, _, _, _, held @ ..] = header;
        let (number, held) = (u16::from_le_bytes([a, b]), u64::from_le_bytes(held));
        let takes = match number {
            0 => Some(held),
            _ => held.checked_next_multiple_of(8).and_then(|held| held.checked_add(HEADER)),
        };
        let takes = takes.filter(|takes| (HEADER..=end - at).contains(takes));
        let takes = takes.ok_or_else(|| damaged(format!("has an object of {held} bytes at byte {at}")))?;
        if number > 0 {
            objects.push(Object { heap: start, number, at: at + HEADER, length: held });
        }
        at += takes;
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::byte_scan::BLOCK;
    use super::*;

    fn object(number: u16, held: u64, bytes: usize) -> Vec<u8> {
        let mut object = number.to_le_bytes().to_vec();
        object.extend([1, 0, 0, 0, 0, 0]);
        object.extend(held.to_le_bytes());
        object.resize(16 + bytes, b'x');
        object
    }

    fn heap(objects: &[Vec<u8>], before: usize) -> Vec<u8> {
        let objects = objects.concat();
        let mut file = vec![7; before];
        file.extend(START);
        file.extend((16 + objects.len() as u64).to_le_bytes());
        file.extend(objects);
        file
    }

    fn checked(file: &[u8]) -> Result<Heaps, String> {
        Heaps::find(&mut Cursor::new(file), file.len() as u64)
    }

    fn text(file: &[u8], length: u32, heap: u64, number: u32) -> Result<Vec<u8>, String> {
        checked(file)?.text(&mut Cursor::new(file), 3, Reference { length, heap, number })
    }

    #[test]
    fn a_reference_is_its_bytes() {
        let bytes = [5, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0];
        assert_eq!(Reference::new(bytes), Reference { length: 5, heap: 0x201, number: 7 });
    }

    #[test]
    fn texts_are_read_where_they_are_and_as_long_as_they_are() {
        let mut second = object(2, 3, 8);
        second[16..19].copy_from_slice(b"abc");
        let file = heap(&[object(1, 5, 8), second, object(0, 40, 24)], 11);
        assert_eq!(text(&file, 5, 8, 1), Ok(b"xxxxx".to_vec()));
        assert_eq!(text(&file, 3, 8, 2), Ok(b"abc".to_vec()));
        assert_eq!(text(&file, 0, 8, 2), Ok(Vec::new()));
        assert_eq!(text(&file, 3, 0, 2), Ok(Vec::new()));
        let claims = [(u32::MAX, 8, 1), (4, 8, 1), (6, 8, 1), (5, 16, 1), (5, 8, 3), (40, 8, 0), (5, u64::MAX, 1)];
        for (length, heap, number) in claims.into_iter().chain([(5, 8, 0x1_0001)]) {
            let error = text(&file, length, heap, number).expect_err("is refused");
            assert!(error.contains(&format!("a text of {length} bytes")), "{error}");
        }
    }

    #[test]
    fn heaps_within_heaps_are_refused() {
        // Each object of the heap is a heap to the end of the file.
        let mut file = heap(&vec![object(1, 16, 16); 60], 0);
        let end = file.len();
        for at in (32..end - 16).step_by(32) {
            file[at..at + 8].copy_from_slice(&START);
            file[at + 8..at + 16].copy_from_slice(&((end - at) as u64).to_le_bytes());
        }
        assert!(checked(&file).expect_err("is refused").contains("lies in another one"));
    }

    #[test]
    fn sound_heaps_pass_wherever_they_lie() {
        let objects = [object(1, 5, 8), object(2, 8, 8), object(0, 40, 24)];
        for before in [0, 512, BLOCK - 3, BLOCK + 1, 2 * BLOCK - 8] {
            assert_eq!(checked(&heap(&objects, before)).map(|heaps| heaps.0.len()), Ok(2), "{before}");
        }
        assert_eq!(checked(b"GCOL"), Ok(Heaps::default()));
        assert_eq!(checked(&[]), Ok(Heaps::default()));
    }

    #[test]
    fn objects_that_lead_nowhere_are_named() {
        for (wrong, before) in [(object(0, 0, 24), 0), (object(3, u64::MAX - 3, 8), 9), (object(3, 99, 8), BLOCK - 4)] {
            let error = checked(&heap(&[object(1, 5, 8), wrong], before)).expect_err("is refused");
            assert!(error.contains(&format!("heap at byte {before}")), "{error}");
        }
        let mut long = heap(&[object(1, 5, 8)], 0);
        long[8] = 200;
        assert!(checked(&long).expect_err("is refused").contains("200 bytes long"));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut file = START.to_vec();
            file.extend(&bytes);
            let _ = checked(&file);
        }
    }
}
