//! Writing a bin: `(list of byte strings, list of booleans)` under protocol 4, which Python 3.4 and later read without
//! any encoding. An image that several pairs show is written once and referred to.

/// Pickles images in their order, two a pair, and `same`.
pub fn pairs(images: &[Vec<u8>], same: &[bool]) -> Vec<u8> {
    let places: Vec<u32> = (0..images.len() as u32).collect();
    bin(images, &places, same)
}

/// Pickles `images` in the order of `places`, and `same`.
pub fn bin(images: &[Vec<u8>], places: &[u32], same: &[bool]) -> Vec<u8> {
    let mut uses = vec![0u32; images.len()];
    for place in places {
        uses[*place as usize] += 1;
    }
    let size: usize = images.iter().map(|image| image.len() + 10).sum();
    let mut out = Vec::with_capacity(size + places.len() * 5 + same.len() + 16);
    out.extend(b"\x80\x04"); // PROTO 4
    out.extend(b"]("); // EMPTY_LIST MARK
    let mut memo: Vec<Option<u32>> = vec![None; images.len()];
    let mut memorised = 0u32;
    for place in places {
        let place = *place as usize;
        if let Some(number) = memo[place] {
            out.push(b'j'); // LONG_BINGET
            out.extend(number.to_le_bytes());
            continue;
        }
        let image = &images[place];
        if let Ok(length) = u32::try_from(image.len()) {
            out.push(b'B'); // BINBYTES
            out.extend(length.to_le_bytes());
        } else {
            out.push(0x8e); // BINBYTES8
            out.extend((image.len() as u64).to_le_bytes());
        }
        out.extend(image);
        if uses[place] > 1 {
            out.push(0x94); // MEMOIZE
            memo[place] = Some(memorised);
            memorised += 1;
        }
    }
    out.push(b'e'); // APPENDS
    out.extend(b"](");
    out.extend(same.iter().map(|&yes| if yes { 0x88 } else { 0x89 })); // NEWTRUE, NEWFALSE
    out.push(b'e');
    out.extend(b"\x86."); // TUPLE2 STOP
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::data::bin::EvalBin;

    #[test]
    fn a_bin_is_read_as_it_was_written() {
        let images = [b"first".to_vec(), b"second".to_vec(), b"third".to_vec()];
        let written = super::bin(&images, &[0, 1, 2, 0], &[true, false]);
        let bin = EvalBin::read(Path::new("x.bin"), &written).expect("reads");
        assert_eq!((bin.images, bin.pairs), (images.to_vec(), vec![[0, 1], [2, 0]]));
        assert_eq!(bin.same, [true, false]);
    }
}
