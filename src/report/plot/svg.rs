//! A drawing as the text of an SVG file. Every text says how wide it is, so that another font shifts nothing.

use std::fmt::Write as _;

use super::font;
use super::scene::{Anchor, Colour, Item, Scene, Stroke, Text};

/// The text of an SVG file.
pub fn render(scene: &Scene) -> String {
    let (width, height) = (scene.width, scene.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
         font-family=\"{}\" role=\"img\">\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        font::FAMILY,
        escaped(&scene.title),
        w = number(width),
        h = number(height),
    );
    for item in &scene.items {
        put(&mut svg, item);
    }
    svg.push_str("</svg>\n");
    svg
}

fn put(svg: &mut String, item: &Item) {
    let _ = match item {
        Item::Lines { parts, stroke, class, label } => {
            let mut path = String::new();
            for part in parts {
                for (at, (x, y)) in part.iter().enumerate() {
                    let _ = write!(path, "{}{} {}", if at == 0 { 'M' } else { 'L' }, number(*x), number(*y));
                }
            }
            let look = look(stroke);
            match label {
                Some(label) => writeln!(
                    svg,
                    "<path class=\"{class}\" d=\"{path}\" fill=\"none\"{look}><title>{}</title></path>",
                    escaped(label)
                ),
                None => writeln!(svg, "<path class=\"{class}\" d=\"{path}\" fill=\"none\"{look}/>"),
            }
        }
        Item::Rect { area: [x, y, width, height], fill } => writeln!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
            number(*x),
            number(*y),
            number(width.max(0.0)),
            number(height.max(0.0)),
            hex(*fill)
        ),
        Item::Point { at: (x, y), radius, square: false, fill, stroke, class } => writeln!(
            svg,
            "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"{}/>",
            number(*x),
            number(*y),
            number(*radius),
            hex(*fill),
            look(stroke)
        ),
        Item::Point { at: (x, y), radius, square: true, fill, stroke, class } => writeln!(
            svg,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{side}\" height=\"{side}\" fill=\"{}\"{}/>",
            number(x - radius),
            number(y - radius),
            hex(*fill),
            look(stroke),
            side = number(2.0 * radius),
        ),
        Item::Text(text) => put_text(svg, text),
    };
}

fn put_text(svg: &mut String, text: &Text) -> std::fmt::Result {
    let anchor = match text.anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    let rim = if text.rim {
        " stroke=\"#ffffff\" stroke-width=\"3\" stroke-linejoin=\"round\" paint-order=\"stroke\""
    } else {
        ""
    };
    writeln!(
        svg,
        "<text class=\"{}\" x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{anchor}{rim} textLength=\"{}\" \
         lengthAdjust=\"spacingAndGlyphs\">{}</text>",
        text.class,
        number(text.at.0),
        number(text.at.1),
        number(text.size),
        hex(text.colour),
        number(font::width(&text.content, text.size).max(0.1)),
        escaped(&text.content)
    )
}

fn look(stroke: &Stroke) -> String {
    let mut look = format!(" stroke=\"{}\" stroke-width=\"{}\"", hex(stroke.colour), number(stroke.width));
    if stroke.width > 1.0 {
        look.push_str(" stroke-linejoin=\"round\"");
        // Round ends would close the gaps between dashes.
        look.push_str(if stroke.dash.is_empty() { " stroke-linecap=\"round\"" } else { "" });
    }
    if !stroke.dash.is_empty() {
        let lengths: Vec<String> = stroke.dash.iter().map(|length| number(f64::from(*length))).collect();
        let _ = write!(look, " stroke-dasharray=\"{}\"", lengths.join(" "));
    }
    look
}

fn hex([red, green, blue]: Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A length with at most two decimals.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The text as XML wants it; characters that XML forbids are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_file() {
        assert_eq!(escaped("a<b>&\"\u{0}\u{1b}c\nd"), "a&lt;b&gt;&amp;&quot;c d");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([1.0, 1.5, 1.256, 100.0, -0.25].map(number), ["1", "1.5", "1.26", "100", "-0.25"]);
    }
}
