//! The other end of the wire: what kitty, a sixel terminal and iTerm2 make of what they are sent, as their documents say.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A picture that kitty was sent.
pub(super) struct Kitty {
    pub(super) id: u32,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgba: Vec<u8>,
}

/// Reads graphics commands: `ESC _ G keys ; base64 ESC \\`, in chunks of at most 4096 letters.
pub(super) fn kitty(text: &str) -> Kitty {
    let mut rest = text;
    let mut first: Option<HashMap<String, String>> = None;
    let mut payload = String::new();
    while let Some(start) = rest.find("\u{1b}_G") {
        let command = &rest[start + 3..];
        let end = command.find("\u{1b}\\").expect("every command ends");
        let (keys, data) = command[..end].split_once(';').expect("keys and data");
        let keys: HashMap<String, String> = keys
            .split(',')
            .map(|pair| pair.split_once('=').expect("a key and its value"))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        rest = &command[end + 2..];
        let last = !rest.contains("\u{1b}_G");
        assert!(data.len() <= 4096 && (last || data.len() % 4 == 0), "a chunk of {} letters", data.len());
        assert_eq!(keys["m"], if last { "0" } else { "1" }, "whether more follows");
        assert_eq!(keys["q"], "2", "the terminal must not answer: its answer would be keys");
        payload.push_str(data);
        match &first {
            None => first = Some(keys),
            Some(_) => assert!(keys.keys().all(|key| key == "m" || key == "q"), "only the first chunk has keys"),
        }
    }
    let keys = first.expect("a command");
    // Sent and shown, as a virtual placement for placeholders, 32 bits a pixel, in the command itself.
    for (key, value) in [("a", "T"), ("U", "1"), ("f", "32"), ("t", "d")] {
        assert_eq!(keys[key], value, "{key}");
    }
    let number = |key: &str| keys[key].parse::<usize>().expect("a number");
    let rgba = BASE64_STANDARD.decode(payload).expect("base64");
    let (width, height) = (number("s"), number("v"));
    assert_eq!(rgba.len(), 4 * width * height);
    Kitty { id: u32::try_from(number("i")).expect("32 bits"), width, height, rgba }
}

/// The settings and the file of `ESC ] 1337 ; File = settings : base64 BEL`.
pub(super) fn iterm(text: &str) -> (String, Vec<u8>) {
    let start = text.find("\u{1b}]1337;File=").expect("a file") + "\u{1b}]1337;File=".len();
    let command = &text[start..];
    let (settings, data) = command[..command.find('\u{7}').expect("an end")].split_once(':').expect("data");
    (settings.to_owned(), BASE64_STANDARD.decode(data).expect("base64"))
}

/// A picture in sixels.
pub(super) struct Sixel {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<u8>,
}

/// Reads `ESC P parameters q data ESC \\`: colours in percent, bands of six rows.
pub(super) fn sixel(text: &str) -> Sixel {
    let start = text.find("\u{1b}P").expect("a picture");
    let data = &text[start..];
    let data = &data[data.find('q').expect("sixels") + 1..data.find("\u{1b}\\").expect("an end")];
    let mut letters = data.chars().peekable();
    let numbers = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        let mut text = String::new();
        while let Some(letter) = letters.next_if(|letter| letter.is_ascii_digit() || *letter == ';') {
            text.push(letter);
        }
        text.split(';').filter_map(|number| number.parse::<usize>().ok()).collect::<Vec<usize>>()
    };
    let mut colors: HashMap<usize, [u8; 3]> = HashMap::new();
    let (mut color, mut x, mut band, mut repeat) = (0, 0, 0, 1);
    let (mut width, mut height) = (0, 0);
    let mut pixels: HashMap<(usize, usize), [u8; 3]> = HashMap::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                let raster = numbers(&mut letters);
                (width, height) = (raster[2], raster[3]);
            }
            '#' => {
                let told = numbers(&mut letters);
                color = told[0];
                if let [_, model, red, green, blue] = told[..] {
                    assert_eq!(model, 2, "red, green and blue");
                    colors.insert(color, [red, green, blue].map(|percent| (percent * 255 / 100) as u8));
                }
            }
            '!' => repeat = numbers(&mut letters)[0],
            '$' => x = 0,
            '-' => (x, band) = (0, band + 1),
            '?'..='~' => {
                let bits = letter as usize - '?' as usize;
                for _ in 0..std::mem::replace(&mut repeat, 1) {
                    for bit in (0..6).filter(|bit| bits >> bit & 1 == 1) {
                        pixels.insert((x, 6 * band + bit), colors[&color]);
                    }
                    x += 1;
                }
            }
            letter => assert!(letter.is_whitespace(), "`{letter}` is no sixel"),
        }
    }
    let at = |place: usize| pixels.get(&(place % width, place / width)).expect("every pixel is painted").to_owned();
    Sixel { width, height, rgb: (0..width * height).flat_map(at).collect() }
}
