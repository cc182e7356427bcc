//! A writer of one pickle: `([bytes, ...], [bool, ...])`, the shape of `InsightFace`'s evaluation bins.
//!
//! Protocol 3, the first with an opcode for `bytes`: Python 3's `pickle.load` gives bytes and bools, with or without
//! `encoding="bytes"`.

/// Pickles the pictures and the labels.
pub fn pairs(jpegs: &[Vec<u8>], same: &[bool]) -> Vec<u8> {
    let size: usize = jpegs.iter().map(|jpeg| jpeg.len() + 5).sum();
    let mut out = Vec::with_capacity(size + same.len() + 16);
    out.extend(b"\x80\x03"); // PROTO 3
    out.extend(b"]("); // EMPTY_LIST MARK
    for jpeg in jpegs {
        out.push(b'B'); // BINBYTES, length as u32
        out.extend((jpeg.len() as u32).to_le_bytes());
        out.extend(jpeg);
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
    #[test]
    fn the_bytes_are_those_of_the_protocol() {
        let written = super::pairs(&[b"ab".to_vec(), Vec::new()], &[true, false]);
        assert_eq!(written, b"\x80\x03](B\x02\0\0\0abB\0\0\0\0e](\x88\x89e\x86.");
    }
}
