//! A look at the heaps of an `.h5` file before HDF5 reads them: its library walks the objects of a damaged heap for ever
//! when one of them says that it has no length.
//!
//! A heap holds the texts of variable length. It begins with `GCOL` and its size; then come objects, each with a header
//! of 16 bytes (number, uses, four bytes unused, length) and its bytes, padded to eight. Number 0 is what is free, and
//! its length counts the header too. ("HDF5 File Format Specification", III.E)

use std::io::{Read, Seek, SeekFrom};

use memchr::memmem;

/// How a heap begins: its name, version 1 and three zeros.
const START: [u8; 8] = *b"GCOL\x01\0\0\0";
/// Bytes of the header of a heap, and of one of its objects.
const HEADER: u64 = 16;
/// Bytes that are searched at a time.
const BLOCK: usize = 1 << 20;

/// Walks every heap of a file of `length` bytes.
///
/// # Errors
/// A heap whose objects do not lie one behind the other, or a file that cannot be read, in words.
pub(super) fn check(file: &mut (impl Read + Seek), length: u64) -> Result<(), String> {
    let mut block = vec![0; BLOCK.min(length as usize)];
    let mut at = 0;
    while at + HEADER <= length {
        let here = block.len().min((length - at) as usize);
        read_at(file, at, &mut block[..here])?;
        for place in memmem::find_iter(&block[..here], &START) {
            walk(file, at + place as u64, length)?;
        }
        // The next block begins where a name that is cut in two would.
        at += here.saturating_sub(START.len() - 1).max(1) as u64;
    }
    Ok(())
}

fn walk(file: &mut (impl Read + Seek), start: u64, length: u64) -> Result<(), String> {
    let damaged = |what: String| format!("it is damaged: its heap at byte {start} {what}");
    let size = number(file, start + 8)?;
    let end = start.checked_add(size).filter(|end| *end <= length && size >= HEADER);
    let end = end.ok_or_else(|| damaged(format!("is {size} bytes long in a file of {length}")))?;
    let mut at = start + HEADER;
    while at + HEADER <= end {
        let mut header = [0; HEADER as usize];
        read_at(file, at, &mut header)?;
        let held = u64::from_le_bytes([8, 9, 10, 11, 12, 13, 14, 15].map(|byte: usize| header[byte]));
        let takes = match header[..2] {
            [0, 0] => Some(held),
            _ => held.checked_next_multiple_of(8).and_then(|held| held.checked_add(HEADER)),
        };
        let takes = takes.filter(|takes| (HEADER..=end - at).contains(takes));
        at += takes.ok_or_else(|| damaged(format!("has an object of {held} bytes at byte {at}")))?;
    }
    Ok(())
}

fn number(file: &mut (impl Read + Seek), at: u64) -> Result<u64, String> {
    let mut bytes = [0; 8];
    read_at(file, at, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_at(file: &mut (impl Read + Seek), at: u64, bytes: &mut [u8]) -> Result<(), String> {
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(bytes));
    read.map_err(|error| format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

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

    fn checked(file: &[u8]) -> Result<(), String> {
        check(&mut Cursor::new(file), file.len() as u64)
    }

    #[test]
    fn sound_heaps_pass_wherever_they_lie() {
        let objects = [object(1, 5, 8), object(2, 8, 8), object(0, 40, 24)];
        for before in [0, 512, BLOCK - 3, BLOCK + 1, 2 * BLOCK - 8] {
            assert_eq!(checked(&heap(&objects, before)), Ok(()), "{before}");
        }
        assert_eq!(checked(b"GCOL"), Ok(()));
        assert_eq!(checked(&[]), Ok(()));
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
