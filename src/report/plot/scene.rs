//! A drawing as a list of plain shapes, in pixels from the upper left corner: what the SVG and the PNG are made from.

/// Red, green and blue.
pub type Colour = [u8; 3];

/// Text and axes.
pub const INK: Colour = [34, 34, 34];
/// Less important text.
pub const GREY: Colour = [96, 96, 96];
/// Borders of stages.
pub const BORDER: Colour = [150, 150, 150];
/// Grid lines.
pub const GRID: Colour = [230, 230, 230];
/// The background.
pub const WHITE: Colour = [255, 255, 255];

/// Colours that people with the common colour deficiencies tell apart: those of Okabe and Ito without the yellow that is
/// lost on white, then darker ones of Tol's.
pub const PALETTE: [Colour; 12] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [0, 0, 0],
    [230, 159, 0],
    [86, 180, 233],
    [136, 34, 85],
    [51, 34, 136],
    [153, 153, 51],
    [102, 102, 102],
    [170, 68, 153],
];

/// Dash patterns, so that no curve is told by its colour alone.
pub const DASHES: [&[f32]; 6] = [&[], &[6.0, 2.5], &[1.5, 2.0], &[7.0, 2.0, 1.5, 2.0], &[11.0, 3.0], &[3.5, 1.5]];

/// A colour mixed with white; `share` of the colour stays.
pub fn tint(colour: Colour, share: f64) -> Colour {
    colour.map(|part| (255.0 - (255.0 - f64::from(part)) * share).round() as u8)
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    /// Its colour.
    pub colour: Colour,
    /// Its width.
    pub width: f64,
    /// Lengths of dashes and gaps; none for a solid line.
    pub dash: &'static [f32],
}

impl Stroke {
    /// A solid line.
    pub const fn solid(colour: Colour, width: f64) -> Self {
        Self { colour, width, dash: &[] }
    }
}

/// Which end of a text lies at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The left one.
    Start,
    /// The middle.
    Middle,
    /// The right one.
    End,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// Where its anchor and its baseline lie.
    pub at: (f64, f64),
    /// Which end lies there.
    pub anchor: Anchor,
    /// Height of an em.
    pub size: f64,
    /// Its colour.
    pub colour: Colour,
    /// What it says.
    pub content: String,
    /// Whether it has a white rim, which keeps it readable over lines.
    pub rim: bool,
    /// Its class in the SVG.
    pub class: &'static str,
}

/// A shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Lines through points; several where there are gaps.
    Lines {
        /// The points of each.
        parts: Vec<Vec<(f64, f64)>>,
        /// How they are drawn.
        stroke: Stroke,
        /// The class in the SVG.
        class: &'static str,
        /// What a viewer tells about it.
        label: Option<String>,
    },
    /// A filled rectangle: left, top, width, height.
    Rect {
        /// Where.
        area: [f64; 4],
        /// Its colour.
        fill: Colour,
    },
    /// A point: a disc or a square with a border.
    Point {
        /// Its middle.
        at: (f64, f64),
        /// Half its size.
        radius: f64,
        /// A square instead of a disc.
        square: bool,
        /// Its colour.
        fill: Colour,
        /// Its border.
        stroke: Stroke,
        /// The class in the SVG.
        class: &'static str,
    },
    /// A line of text.
    Text(Text),
}

/// A drawing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scene {
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
    /// What it shows, in words.
    pub title: String,
    /// Its shapes, the lowest first.
    pub items: Vec<Item>,
}

impl Scene {
    /// Adds a straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke, class: &'static str) {
        self.items.push(Item::Lines { parts: vec![vec![from, to]], stroke, class, label: None });
    }

    /// Adds a text.
    pub fn text(
        &mut self,
        at: (f64, f64),
        anchor: Anchor,
        size: f64,
        colour: Colour,
        text: impl Into<String>,
        class: &'static str,
    ) {
        self.items.push(Item::Text(Text { at, anchor, size, colour, content: text.into(), rim: false, class }));
    }
}
