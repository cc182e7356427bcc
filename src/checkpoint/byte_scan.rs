//! An `.h5` file looked through without HDF5: where a name stands, and bytes at a place.

use std::io::{Read, Seek, SeekFrom};

use memchr::memmem;

/// Bytes that are searched at a time.
pub(super) const BLOCK: usize = 1 << 20;
/// How the HDF5 part of a file begins.
const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// Every place of eight bytes in a file of `length` bytes, in order.
///
/// # Errors
/// The file cannot be read, in words.
pub(super) fn places(file: &mut (impl Read + Seek), length: u64, of: [u8; 8]) -> Result<Vec<u64>, String> {
    let mut block = vec![0; BLOCK.min(length as usize)];
    let mut places = Vec::new();
    let mut at = 0;
    while at + of.len() as u64 <= length {
        let here = block.len().min((length - at) as usize);
        read_at(file, at, &mut block[..here])?;
        places.extend(memmem::find_iter(&block[..here], &of).map(|place| at + place as u64));
        // The next block begins where a name that is cut in two would.
        at += here.saturating_sub(of.len() - 1).max(1) as u64;
    }
    Ok(places)
}

/// Where the HDF5 part of a file of `length` bytes begins: at its start, or behind bytes of somebody else's, 512 or a
/// doubling of that.
///
/// # Errors
/// The file cannot be read, or its places and sizes are not numbers of eight bytes, as those of all Kerases are, in words.
pub(super) fn base(file: &mut (impl Read + Seek), length: u64) -> Result<u64, String> {
    let mut at = 0;
    while at + 8 <= length {
        let mut start = [0; 8];
        read_at(file, at, &mut start)?;
        if start == SIGNATURE {
            let mut head = [0; 16];
            let here = head.len().min((length - at) as usize);
            read_at(file, at, &mut head[..here])?;
            let widths = if head[8] < 2 { [head[13], head[14]] } else { [head[9], head[10]] };
            return if widths == [8; 2] {
                Ok(at)
            } else {
                Err(format!("its places and sizes are of {} and {} bytes; expected 8", widths[0], widths[1]))
            };
        }
        at = if at == 0 { 512 } else { at * 2 };
    }
    Ok(0)
}

/// Reads bytes at a place.
///
/// # Errors
/// The file cannot be read there, in words.
pub(super) fn read_at(file: &mut (impl Read + Seek), at: u64, bytes: &mut [u8]) -> Result<(), String> {
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(bytes));
    read.map_err(|error| format!("it cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_name_is_found_wherever_it_lies() {
        for at in [0, 3, BLOCK - 9, BLOCK - 8, BLOCK - 7, BLOCK - 1, BLOCK, 2 * BLOCK - 10, 2 * BLOCK] {
            let mut bytes = vec![0; at];
            bytes.extend(SIGNATURE);
            let found = places(&mut Cursor::new(&bytes), bytes.len() as u64, SIGNATURE);
            assert_eq!(found, Ok(vec![at as u64]));
        }
        assert_eq!(places(&mut Cursor::new(b"HDF"), 3, SIGNATURE), Ok(Vec::new()));
    }

    #[test]
    fn a_file_may_begin_with_bytes_of_others() {
        for at in [0, 512, 2048] {
            let mut bytes = vec![0; at];
            bytes.extend(SIGNATURE);
            bytes.extend([2, 8, 8, 0]);
            assert_eq!(base(&mut Cursor::new(&bytes), bytes.len() as u64), Ok(at as u64));
        }
        assert_eq!(base(&mut Cursor::new(&[1; 5000]), 5000), Ok(0));
        let narrow = [&SIGNATURE[..], &[0, 0, 0, 0, 0, 8, 4, 0]].concat();
        assert!(base(&mut Cursor::new(&narrow), 16).expect_err("is refused").contains("8 and 4 bytes"));
    }
}
