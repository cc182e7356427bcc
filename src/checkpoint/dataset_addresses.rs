//! Gives datasets their addresses behind the end of a file that HDF5 made without their numbers.
//!
//! A dataset that nothing was written to says so in its object header: the layout message has no address. Here each gets the
//! next place behind the file's end, and the superblock the new end. Both are of HDF5's first format, which has no
//! checksums and which every HDF5 reads ("HDF5 File Format Specification", II.A, IV.A.1.a and IV.A.2.i).

/// How a file begins: its name and version 0 of the superblock.
const START: [u8; 9] = *b"\x89HDF\r\n\x1a\n\0";
/// Where the superblock says how long places and sizes are, and where the file ends.
const WIDTHS: usize = 13;
const END: usize = 40;
/// Bytes of an object header before its messages, and of a message before its content.
const HEADER: usize = 16;
const MESSAGE: usize = 8;
/// Kinds of messages.
const LAYOUT: u64 = 8;
const CONTINUATION: u64 = 16;
/// A place that is none.
const NOWHERE: u64 = u64::MAX;

/// A dataset without its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dataset {
    /// Where its object header begins.
    pub(super) header: u64,
    /// Bytes of its numbers.
    pub(super) bytes: u64,
}

/// Changes the file `image` so that the numbers of `datasets` follow behind it, one after the other.
///
/// # Errors
/// A file or a dataset of another kind than is known here, in words.
pub(super) fn assign(image: &mut Vec<u8>, datasets: &[Dataset]) -> Result<(), String> {
    if !image.starts_with(&START) || image.get(WIDTHS..WIDTHS + 2) != Some(&[8, 8]) {
        return Err("HDF5 made a file of another version than 0".to_owned());
    }
    image.resize(image.len().next_multiple_of(8), 0);
    let mut end = image.len() as u64;
    for dataset in datasets.iter().filter(|dataset| dataset.bytes > 0) {
        let place = layout(image, *dataset).ok_or_else(|| {
            format!("HDF5 made no empty dataset of {} bytes at byte {}", dataset.bytes, dataset.header)
        })?;
        put(image, place, end);
        end += dataset.bytes;
    }
    put(image, END, end);
    Ok(())
}

/// Where a dataset without numbers has the address of its numbers.
fn layout(image: &[u8], dataset: Dataset) -> Option<usize> {
    let header = usize::try_from(dataset.header).ok()?;
    // Version, number of messages, length of the first block of them.
    if number(image, header, 1)? != 1 {
        return None;
    }
    let mut left = number(image, header + 2, 2)?;
    let mut blocks = vec![(header + HEADER, number(image, header + 8, 4)? as usize)];
    while let Some((mut at, length)) = blocks.pop() {
        let end = at.checked_add(length)?;
        while end.saturating_sub(at) >= MESSAGE && left > 0 {
            let (kind, size) = (number(image, at, 2)?, number(image, at + 2, 2)? as usize);
            let content = at + MESSAGE;
            match kind {
                CONTINUATION => {
                    blocks.push((number(image, content, 8)? as usize, number(image, content + 8, 8)? as usize));
                }
                LAYOUT => {
                    let contiguous = [number(image, content, 1)?, number(image, content + 1, 1)?] == [3, 1];
                    let place = content + 2;
                    let empty = [number(image, place, 8)?, number(image, place + 8, 8)?] == [NOWHERE, dataset.bytes];
                    return (contiguous && empty).then_some(place);
                }
                _ => {}
            }
            at = content + size;
            left -= 1;
        }
    }
    None
}

/// A number of `width` bytes; none where the file ends before.
fn number(image: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = image.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
}

/// Writes a number of eight bytes, whose place was read before.
fn put(image: &mut [u8], at: usize, value: u64) {
    if let Some(place) = image.get_mut(at..at + 8) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A superblock, then an object header whose layout message lies in a second block.
    fn file(version: u8, address: u64, bytes: u64) -> Vec<u8> {
        let mut image = [&START[..], &[0; 87]].concat();
        image[WIDTHS..WIDTHS + 2].fill(8);
        let message = |kind: u8, content: &[u8]| [&[kind, 0, content.len() as u8, 0, 0, 0, 0, 0], content].concat();
        let numbers = |numbers: [u64; 2]| numbers.map(u64::to_le_bytes).concat();
        let first = [message(0, &[7; 8]), message(16, &numbers([160, 32]))].concat();
        image.extend([1, 0, 3, 0, 1, 0, 0, 0, first.len() as u8, 0, 0, 0, 0, 0, 0, 0]);
        image.extend(first);
        image.resize(160, 0);
        image.extend(message(8, &[&[version, 1][..], &numbers([address, bytes]), &[0; 6]].concat()));
        image.resize(201, 0);
        image
    }

    #[test]
    fn numbers_follow_behind_the_end() {
        let dataset = Dataset { header: 96, bytes: 20 };
        let mut image = file(3, NOWHERE, 20);
        let nothing = Dataset { header: 1 << 40, bytes: 0 };
        assert_eq!(assign(&mut image, &[nothing, dataset]), Ok(()));
        assert_eq!((image.len(), number(&image, 170, 8), number(&image, END, 8)), (208, Some(208), Some(228)));
        // It has a place now.
        assert!(assign(&mut image, &[dataset]).expect_err("is refused").contains("20 bytes at byte 96"));
    }

    #[test]
    fn what_is_not_known_is_refused_and_never_panics() {
        for (image, header) in [
            (file(4, NOWHERE, 20), 96),
            (file(3, 77, 20), 96),
            (file(3, NOWHERE, 24), 96),
            (file(3, NOWHERE, 20), 97),
            (file(3, NOWHERE, 20), u64::MAX),
            (file(3, NOWHERE, 20)[..180].to_vec(), 96),
        ] {
            let mut image = image;
            assert!(assign(&mut image, &[Dataset { header, bytes: 20 }]).is_err(), "{header}");
        }
        let mut newer = file(3, NOWHERE, 20);
        newer[8] = 2;
        assert!(assign(&mut newer, &[]).expect_err("is refused").contains("another version"));
    }
}
