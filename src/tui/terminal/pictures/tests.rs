//! Pictures: in blocks, and as terminals with pictures of their own take them.

mod decode;

use super::*;
use crate::tui::terminal::abilities::Abilities;

/// White above, red below.
fn face() -> Face {
    let pixels = (0..8 * 8).flat_map(|at| if at < 32 { [255, 255, 255] } else { [200, 0, 0] }).collect();
    Face { width: 8, height: 8, pixels }
}

fn drawn(mode: PictureMode, abilities: Abilities, (width, height): (u16, u16)) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    let area = buffer.area;
    draw(&face(), 0, area, &mut buffer, &mut Pictures::default(), mode, &Styles::new(abilities));
    buffer
}

const USUAL: Abilities = Abilities { color: true, unicode: true, light: false };

#[test]
fn half_blocks_keep_the_shape() {
    let buffer = drawn(PictureMode::Blocks, USUAL, (8, 9));
    assert_eq!((buffer[(0, 0)].symbol(), buffer[(7, 3)].symbol(), buffer[(0, 4)].symbol()), ("▀", "▀", " "));
    assert_eq!((buffer[(0, 0)].fg, buffer[(3, 3)].bg), (Color::Rgb(255, 255, 255), Color::Rgb(200, 0, 0)));
    let buffer = drawn(PictureMode::Palette, USUAL, (8, 4));
    assert_eq!((buffer[(0, 0)].fg, buffer[(3, 3)].fg), (Color::Indexed(255), Color::Indexed(160)));
}

#[test]
fn without_colour_there_are_shades_and_without_unicode_letters() {
    let plain = Abilities { color: false, unicode: true, light: false };
    assert_eq!(drawn(PictureMode::Blocks, plain, (8, 4))[(0, 0)].symbol(), "█");
    let letters = Abilities { color: true, unicode: false, light: false };
    assert_eq!(drawn(PictureMode::Blocks, letters, (8, 4))[(0, 0)].symbol(), "@");
}

/// What a terminal is sent for a face of 4 rows of 8 cells, a cell of 8x16 pixels: the first cell's text, and the frame.
fn sent(graphics: Graphics) -> (String, Buffer) {
    let buffer = drawn(PictureMode::Own(graphics, (8, 16)), USUAL, (8, 4));
    (buffer[(0, 0)].symbol().to_owned(), buffer)
}

/// The pixels that the terminal should show.
fn wanted() -> RgbImage {
    scaled(&face(), 64, 64)
}

/// How kitty's list of marks begins.
const MARKS: [char; 4] = ['\u{305}', '\u{30d}', '\u{30e}', '\u{310}'];

#[test]
fn kitty_is_sent_every_pixel_in_chunks_and_told_where_they_go() {
    let (text, buffer) = sent(Graphics::Kitty);
    let picture = decode::kitty(&text);
    assert_eq!((picture.width, picture.height), (64, 64));
    let rgb: Vec<u8> = picture.rgba.chunks(4).flat_map(|pixel| pixel[..3].to_vec()).collect();
    assert!(rgb == *wanted().as_raw() && picture.rgba.chunks(4).all(|pixel| pixel[3] == 255));
    // The cells of the picture hold placeholders whose colour is its number, each row its own mark.
    let [high, red, green, blue] = picture.id.to_be_bytes();
    let mut marks = Vec::new();
    for y in 0..4 {
        for x in 0..8 {
            let cell = &buffer[(x, y)];
            assert!(cell.symbol().contains('\u{10eeee}') && cell.fg == Color::Rgb(red, green, blue), "{x}, {y}");
        }
        let symbol = buffer[(0, y)].symbol();
        marks.push(symbol[symbol.rfind('\u{10eeee}').expect("one")..].chars().skip(1).collect::<Vec<char>>());
    }
    // Row, column, and the number's highest byte.
    for (row, marks) in marks.iter().enumerate() {
        assert_eq!((marks[0], marks[1]), (MARKS[row], MARKS[0]));
    }
    assert!(high > 3 || marks[0][2] == MARKS[usize::from(high)]);
    // Drawn again, it is not sent again.
    let (mut again, mut pictures) = (Buffer::empty(buffer.area), Pictures::default());
    for _ in 0..2 {
        let mode = PictureMode::Own(Graphics::Kitty, (8, 16));
        draw(&face(), 0, buffer.area, &mut again, &mut pictures, mode, &Styles::new(USUAL));
    }
    assert!(!again[(0, 0)].symbol().contains("\u{1b}_G"));
}

#[test]
fn sixel_has_the_size_of_the_cells_and_the_colours_of_the_face() {
    let (text, buffer) = sent(Graphics::Sixel);
    let picture = decode::sixel(&text);
    assert_eq!((picture.width, picture.height), (64, 64));
    let far = |(one, other): (&u8, &u8)| one.abs_diff(*other);
    let furthest = picture.rgb.iter().zip(wanted().as_raw()).map(far).max().expect("pixels");
    // A channel is told in percent.
    assert!(furthest <= 6, "a pixel is off by {furthest}");
    assert!(buffer.content()[1..].iter().all(|cell| cell.symbol() == " "), "nothing is written over it");
}

#[test]
fn iterm_is_sent_a_png_that_does_not_move_the_cursor() {
    let (text, _) = sent(Graphics::Iterm);
    let (settings, png) = decode::iterm(&text);
    for setting in ["inline=1", "width=64px", "height=64px", "doNotMoveCursor=1", &format!("size={}", png.len())] {
        assert!(settings.split(';').any(|known| known == setting), "{setting} is missing in {settings}");
    }
    let picture = image::load_from_memory(&png).expect("a picture").to_rgb8();
    assert_eq!(picture, wanted());
}

#[test]
fn the_environment_tells_what_there_is() {
    let of = |variables: &[(&str, &str)], cell| {
        PictureMode::from(
            |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
            cell,
        )
    };
    let cell = Some((8, 16));
    assert_eq!(of(&[("TERM", "xterm-kitty")], cell), PictureMode::Own(Graphics::Kitty, (8, 16)));
    assert_eq!(of(&[("TERM", "xterm-kitty")], None), PictureMode::Blocks);
    assert_eq!(of(&[("TERM", "xterm-kitty"), ("TMUX", "x")], cell), PictureMode::Palette);
    assert_eq!(of(&[("TERM_PROGRAM", "iTerm.app")], cell), PictureMode::Own(Graphics::Iterm, (8, 16)));
    assert_eq!(of(&[("TERM", "foot")], cell), PictureMode::Own(Graphics::Sixel, (8, 16)));
    assert_eq!(of(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], cell), PictureMode::Blocks);
    assert_eq!(of(&[("TERM", "xterm-256color")], cell), PictureMode::Palette);
}

#[test]
fn any_size_of_anything_is_drawn() {
    for mode in [PictureMode::Blocks, PictureMode::Own(Graphics::Kitty, (8, 16))] {
        for size in [(0, 0), (1, 1), (30, 1), (1, 30)] {
            drawn(mode, USUAL, size);
        }
    }
    let mut buffer = Buffer::empty(Rect::new(0, 0, 4, 4));
    let broken = Face { width: 9, height: 9, pixels: vec![1, 2] };
    let area = Rect::new(2, 2, 40, 40);
    draw(&broken, 0, area, &mut buffer, &mut Pictures::default(), PictureMode::Blocks, &Styles::new(USUAL));
}
