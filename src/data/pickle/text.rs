//! What protocol 0 writes as text: numbers, quoted strings of Python 2, escaped texts.

use super::object::Object;

/// `I12`, and `I00` and `I01` for the two flags.
pub fn int(line: &[u8]) -> Option<Object<'static>> {
    match line {
        b"00" => return Some(Object::Bool(false)),
        b"01" => return Some(Object::Bool(true)),
        _ => {}
    }
    let text = std::str::from_utf8(line).ok()?.trim();
    if let Ok(number) = text.parse() {
        return Some(Object::Int(number));
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(Object::HugeInt)
}

/// A whole number's little-endian bytes in two's complement, as protocol 2 has long ones.
pub fn long(bytes: &[u8]) -> Object<'static> {
    let Some(place) = bytes.len().checked_sub(1) else { return Object::Int(0) };
    let fill = if bytes[place] & 0x80 == 0 { 0 } else { 0xff };
    if bytes.len() > 8 {
        return Object::HugeInt;
    }
    let mut number = [fill; 8];
    number[..bytes.len()].copy_from_slice(bytes);
    Object::Int(i64::from_le_bytes(number))
}

/// A string as Python 2's `repr` writes it, quotes included.
pub fn quoted(line: &[u8]) -> Option<Vec<u8>> {
    let line = line.trim_ascii();
    let (quote, rest) = line.split_first()?;
    let inside = rest.strip_suffix(std::slice::from_ref(quote))?;
    matches!(quote, b'\'' | b'"').then(|| unescape(inside))?
}

fn unescape(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&escape, tail) = rest.split_first()?;
        rest = tail;
        match escape {
            b'\n' => {}
            b'\\' | b'\'' | b'"' => bytes.push(escape),
            b'a' => bytes.push(7),
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'v' => bytes.push(11),
            b'x' => {
                bytes.push(hex(rest.get(..2)?)? as u8);
                rest = &rest[2..];
            }
            b'0'..=b'7' => {
                let more = rest.iter().take(2).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
                let digits = rest[..more]
                    .iter()
                    .fold(u32::from(escape - b'0'), |value, digit| value * 8 + u32::from(digit - b'0'));
                bytes.push(digits as u8);
                rest = &rest[more..];
            }
            // As Python: an unknown escape stands for itself.
            other => bytes.extend([b'\\', other]),
        }
    }
    Some(bytes)
}

/// The number that hexadecimal digits spell, up to eight of them.
fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0u32, |value, digit| value.checked_mul(16)?.checked_add(char::from(*digit).to_digit(16)?))
}

/// A text in Python's `raw-unicode-escape`, as UTF-8: `\uXXXX` and `\UXXXXXXXX`, every other byte a character of latin-1.
pub fn raw_unicode(line: &[u8]) -> Option<Vec<u8>> {
    let mut utf8 = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, rest) {
            (b'\\', [kind @ (b'u' | b'U'), tail @ ..]) => {
                let digits = if *kind == b'u' { 4 } else { 8 };
                push(&mut utf8, hex(tail.get(..digits)?)?)?;
                rest = &tail[digits..];
            }
            (b'\\', [next, tail @ ..]) => {
                utf8.push(b'\\');
                push(&mut utf8, u32::from(*next))?;
                rest = tail;
            }
            _ => push(&mut utf8, u32::from(byte))?,
        }
    }
    Some(utf8)
}

/// Appends a code point as UTF-8, a lone surrogate too, as Python's `surrogatepass` does.
fn push(utf8: &mut Vec<u8>, code: u32) -> Option<()> {
    if let Some(character) = char::from_u32(code) {
        utf8.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
        return Some(());
    }
    if !(0xd800..0xe000).contains(&code) {
        return None;
    }
    utf8.extend([0xe0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8]);
    Some(())
}

/// The bytes of a text whose characters are all below 256, one byte each.
pub fn latin1(utf8: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(utf8.len());
    let mut rest = utf8;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, rest) {
            (0..=0x7f, _) => bytes.push(byte),
            (0xc2, [low @ 0x80..=0xbf, tail @ ..]) => {
                bytes.push(*low);
                rest = tail;
            }
            (0xc3, [low @ 0x80..=0xbf, tail @ ..]) => {
                bytes.push(low + 0x40);
                rest = tail;
            }
            _ => return None,
        }
    }
    Some(bytes)
}
