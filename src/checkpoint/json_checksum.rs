//! The checksum of a small JSON file: its last member, `crc`, the CRC-32 of all bytes before the comma in front of it. Other
//! programs see one member more. A file without it (an older one, or another program's) is read as it is.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checksum::Checksum;

/// The member's name.
const NAME: &str = "\"crc\"";

/// What is said of a file whose checksum is not that of its bytes.
pub const BROKEN: &str = "it is damaged: its bytes are not those of its checksum";

/// An object as indented JSON with its checksum.
///
/// # Errors
/// A value that JSON cannot hold.
pub fn to_text(object: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    Ok(append(serde_json::to_vec_pretty(object)?))
}

/// Puts the checksum into the text of an object; other values stay as they are.
pub fn append(mut text: Vec<u8>) -> Vec<u8> {
    let Some(inner) = text.trim_ascii_end().strip_suffix(b"}").map(<[u8]>::trim_ascii_end) else { return text };
    let length = inner.len();
    let lines = text[length..].starts_with(b"\n");
    if text[..length].ends_with(b"{") {
        return text;
    }
    text.truncate(length);
    let sum = crc32fast::hash(&text);
    let (before, after) = if lines { (",\n  ", "\n}\n") } else { (",", "}\n") };
    text.extend_from_slice(format!("{before}{NAME}: \"{sum:08x}\"{after}").as_bytes());
    text
}

/// Compares a file's bytes with its checksum.
pub fn check(text: &[u8]) -> Checksum {
    let Some((before, stated)) = split(text) else { return Checksum::None };
    let same = stated == format!("{:08x}", crc32fast::hash(before)).as_bytes();
    if same { Checksum::Whole } else { Checksum::Broken }
}

/// What the checksum is of, and its digits.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end().strip_suffix(b"\"")?;
    let (text, stated) = text.split_last_chunk::<8>()?;
    let text = text.strip_suffix(b"\"")?.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end();
    let text = text.strip_suffix(NAME.as_bytes())?.trim_ascii_end().strip_suffix(b",")?;
    Some((text, &stated[..]))
}

/// Reads what [`to_text`] gave, or an older file without a checksum.
///
/// # Errors
/// A file that is damaged, or holds something else, in words that begin with `it`.
pub fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    if check(text) == Checksum::Broken {
        return Err(BROKEN.to_owned());
    }
    serde_json::from_slice(text).map_err(|error| format!("it cannot be understood: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_changed_byte_of_the_content_is_noticed() {
        let object = json!({"version": 1, "classes": ["ann", "b\"ob"], "deep": {"crc": "00000000"}, "x": 0.1});
        for text in [to_text(&object).expect("JSON"), append(object.to_string().into_bytes())] {
            assert_eq!(check(&text), Checksum::Whole);
            let read: Value = parse(&text).expect("reads");
            assert_eq!(
                (&read["classes"], &read["deep"], &read["x"]),
                (&object["classes"], &object["deep"], &object["x"])
            );
            let content = text.windows(NAME.len()).rposition(|part| part == NAME.as_bytes()).expect("is there");
            let content = text[..content].iter().rposition(|byte| *byte == b',').expect("a comma");
            for at in 0..content {
                let mut damaged = text.clone();
                damaged[at] ^= 1 << (at % 7);
                assert_eq!(check(&damaged), Checksum::Broken, "byte {at}");
                assert_eq!(parse::<Value>(&damaged), Err(BROKEN.to_owned()));
            }
            for length in 0..text.len() - 1 {
                assert!(parse::<Value>(&text[..length]).is_err() || text[length..].trim_ascii().is_empty(), "{length}");
            }
        }
    }

    #[test]
    fn files_without_a_checksum_are_read() {
        assert_eq!(parse::<Value>(b"{\"a\": 1}"), Ok(json!({"a": 1})));
        assert_eq!(parse::<Value>(b"[1]"), Ok(json!([1])));
        assert_eq!(parse::<Value>(&append(b"{}".to_vec())), Ok(json!({})));
        assert!(parse::<Value>(b"").expect_err("is nothing").contains("cannot be understood"));
    }
}
