//! A look at the free lists in HDF5's local heaps, which hold the names of groups: its library follows a list that leads
//! back to itself for ever, and takes memory with each step.
//!
//! A heap of names begins with `HEAP`, version 0; then come the size of its bytes, the place of the first free block in them
//! and where they begin, eight bytes each. A free block begins with the place of the next one, or 1 for none, and its size.
//! ("HDF5 File Format Specification", III.D)

use std::io::{Read, Seek};

use super::byte_scan;

/// How a heap begins: its name, version 0 and three zeros.
const START: [u8; 8] = *b"HEAP\0\0\0\0";
/// The place of a block that is not there.
const NONE: u64 = 1;
/// The smallest free block.
const BLOCK: u64 = 16;

/// Follows every list of a file of `length` bytes whose HDF5 part begins at byte `base`.
///
/// # Errors
/// A list that has more blocks than there is room for, or a file that cannot be read, in words.
pub(super) fn check(file: &mut (impl Read + Seek), length: u64, base: u64) -> Result<(), String> {
    // Heaps do not share bytes, so that all lists together are no longer.
    let mut left = length / BLOCK;
    for start in byte_scan::places(file, length, START)? {
        let Some([size, mut next, bytes]) = numbers(file, start + 8, length)? else { continue };
        while next != NONE && next < size {
            let at = base.checked_add(bytes).and_then(|at| at.checked_add(next));
            // What lies nowhere is refused by HDF5.
            let Some([following, _]) = at.map_or(Ok(None), |at| numbers(file, at, length))? else { break };
            next = following;
            left = left.checked_sub(1).ok_or_else(|| {
                format!("it is damaged: the list of what is free in its heap at byte {start} has no end")
            })?;
        }
    }
    Ok(())
}

/// Numbers of eight bytes; none where the file ends before.
fn numbers<const N: usize>(file: &mut (impl Read + Seek), at: u64, length: u64) -> Result<Option<[u64; N]>, String> {
    if at.checked_add(8 * N as u64).is_none_or(|end| end > length) {
        return Ok(None);
    }
    let mut bytes = [[0; 8]; N];
    byte_scan::read_at(file, at, bytes.as_flattened_mut())?;
    Ok(Some(bytes.map(u64::from_le_bytes)))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// A heap with the free list of these places, whose bytes follow.
    fn heap(base: u64, first: u64, blocks: &[(u64, u64)]) -> Vec<u8> {
        let mut file = vec![0; base as usize];
        file.extend(START);
        for number in [128, first, 32] {
            file.extend(u64::to_le_bytes(number));
        }
        file.extend([0; 128]);
        for (at, next) in blocks {
            let at = (base + 32 + at) as usize;
            file[at..at + 8].copy_from_slice(&next.to_le_bytes());
        }
        file
    }

    fn checked(file: &[u8], base: u64) -> Result<(), String> {
        check(&mut Cursor::new(file), file.len() as u64, base)
    }

    #[test]
    fn lists_that_end_pass_and_others_are_named() {
        for base in [0, 512] {
            assert_eq!(checked(&heap(base, NONE, &[]), base), Ok(()));
            assert_eq!(checked(&heap(base, 16, &[(16, 64), (64, NONE)]), base), Ok(()));
            assert_eq!(checked(&heap(base, 120, &[]), base), Ok(()), "left to HDF5");
            assert_eq!(checked(&heap(base, u64::MAX, &[]), base), Ok(()), "left to HDF5");
            for endless in [&[(16, 16)][..], &[(16, 64), (64, 16)]] {
                let error = checked(&heap(base, 16, endless), base).expect_err("is refused");
                assert!(error.contains(&format!("heap at byte {base} has no end")), "{error}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let file = [&START[..], &bytes].concat();
            let _ = checked(&file, 0);
        }
    }
}
