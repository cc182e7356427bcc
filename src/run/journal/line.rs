//! One line of a journal: a record as JSON, with a checksum behind it.

use crate::event::Record;

/// What comes before a line's checksum, the CRC-32 of all before it in eight digits, its last member.
pub(super) const CHECKSUM: &[u8] = b",\"crc\":\"";

/// Ends a line that was torn, when a run resumes behind it.
pub(super) const TORN: &[u8] = b" #torn\n";

/// Values of a line at most, far beyond what any event has (the stages of a run have a dozen each). More would take many times
/// their bytes to read.
pub(super) const MAX_VALUES: usize = 1 << 17;

/// A record as the journal's line, its end included.
pub fn line(record: &Record) -> Vec<u8> {
    // Plain data without maps of strange keys cannot fail to be written.
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    // Version 1 of the checksum: of all that comes before its comma.
    if line.pop() == Some(b'}') {
        let sum = crc32fast::hash(&line);
        line.extend_from_slice(CHECKSUM);
        line.extend_from_slice(format!("{sum:08x}\"}}").as_bytes());
    }
    line.push(b'\n');
    line
}

/// The record of a line, with its end or without; none when it is no record, or not as it was written, or has more than
/// `MAX_VALUES`. Lines of versions without a checksum are taken as they are.
pub fn parse(line: &[u8]) -> Option<Record> {
    let line = line.trim_ascii_end();
    // A value, or a member, stands behind each of these.
    let begins = |byte: &&u8| matches!(byte, b',' | b'[' | b'{');
    if line.len() > MAX_VALUES && line.iter().filter(begins).count() > MAX_VALUES {
        return None;
    }
    if checksum_fits(line) == Some(false) {
        return None;
    }
    serde_json::from_slice(line).ok()
}

/// Whether a line's checksum is that of its bytes; none when it has none.
fn checksum_fits(line: &[u8]) -> Option<bool> {
    let place = line.len().checked_sub(CHECKSUM.len() + 10).filter(|place| line[*place..].starts_with(CHECKSUM))?;
    let stated = &line[place + CHECKSUM.len()..line.len() - 2];
    Some(stated == format!("{:08x}", crc32fast::hash(&line[..place])).as_bytes())
}

/// Whether a line that is no record is one that was damaged, and not one that was torn when a run was killed or that a newer
/// facetui wrote.
pub fn is_damaged(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    !line.is_empty() && !line.ends_with(TORN.trim_ascii()) && checksum_fits(line) != Some(true)
}

/// Whether a line is one of the many that only say how far something is.
pub(super) fn is_progress(line: &[u8]) -> bool {
    let head = &line[..line.len().min(80)];
    let holds = |needle: &[u8]| head.windows(needle.len()).any(|window| window == needle);
    holds(br#""event":"steps""#)
        || holds(br#""event":"evaluating""#)
        || holds(br#""event":"preparing""#)
        || holds(br#""event":"machine""#)
}
