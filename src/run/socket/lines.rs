//! Lines of bounded length out of a stream of bytes that come in any pieces.

/// Collects bytes and gives whole lines. It holds one line at most, and never more than its limit of it.
#[derive(Debug)]
pub struct Lines {
    buffer: Vec<u8>,
    limit: usize,
    /// The rest of a line that was too long is skipped.
    skipping: bool,
}

/// A line that was longer than the limit; it is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line of more than {0} bytes")]
pub struct TooLong(pub usize);

impl Lines {
    /// Lines of up to `limit` bytes, their end not counted.
    pub const fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), limit, skipping: false }
    }

    /// Takes bytes in and hands each line that they complete to `take`, without its end.
    pub fn push(&mut self, mut bytes: &[u8], mut take: impl FnMut(Result<&[u8], TooLong>)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.skipping {
                self.skipping = false;
            } else if self.buffer.len() + line.len() > self.limit {
                take(Err(TooLong(self.limit)));
            } else if self.buffer.is_empty() {
                take(Ok(line));
            } else {
                self.buffer.extend_from_slice(line);
                take(Ok(&self.buffer));
            }
            self.buffer.clear();
            bytes = rest;
        }
        if self.skipping {
            return;
        }
        if self.buffer.len() + bytes.len() > self.limit {
            self.buffer = Vec::new();
            self.skipping = true;
            take(Err(TooLong(self.limit)));
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Bytes of a line that has not ended.
    pub const fn unfinished(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn collect(pieces: &[&[u8]], limit: usize) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::new(limit);
        let mut got = Vec::new();
        for piece in pieces {
            lines.push(piece, |line| got.push(line.ok().map(<[u8]>::to_vec)));
            assert!(lines.unfinished() <= limit);
        }
        got
    }

    #[test]
    fn lines_come_whole_and_long_ones_are_named_once() {
        let got = collect(&[b"ab", b"c\n", b"\n1234567", b"89\nxy\nz"], 6);
        assert_eq!(got, [Some(b"abc".to_vec()), Some(Vec::new()), None, Some(b"xy".to_vec())]);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a')], 0..200),
            size in 1_usize..20,
            limit in 0_usize..12,
        ) {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            prop_assert_eq!(collect(&pieces, limit), collect(&[&bytes], limit));
            let wanted: Vec<Option<Vec<u8>>> = match bytes.iter().rposition(|byte| *byte == b'\n') {
                Some(last) => bytes[..last]
                    .split(|byte| *byte == b'\n')
                    .map(|line| (line.len() <= limit).then(|| line.to_vec()))
                    .collect(),
                None => Vec::new(),
            };
            let mut got = collect(&pieces, limit);
            got.truncate(wanted.len());
            prop_assert_eq!(got, wanted);
        }
    }
}
