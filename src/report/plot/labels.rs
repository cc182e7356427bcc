//! Where the values of marked points are written: beside their points, clear of each other, of the curves where possible,
//! and inside the plot.

/// Side of a cell of the map of what is drawn, in pixels.
const CELL: f64 = 2.0;

/// Where a text may lie around its point: the direction of its middle.
const DIRECTIONS: [(f64, f64); 8] =
    [(0.0, -1.0), (0.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (1.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (-1.0, 0.0)];

/// Distances from the point, in pixels.
const DISTANCES: [f64; 5] = [4.5, 11.0, 20.0, 32.0, 48.0];

/// Farthest distance at which a text needs no line that leads to its point.
const BESIDE: f64 = 12.0;

/// Cost of a leading line that crosses another text or mark, in drawn cells.
const CROSSED: usize = 60;

/// Left, top, right, bottom.
type Area = [f64; 4];

/// What is drawn in a plot already.
#[derive(Debug, Clone)]
pub struct Labels {
    area: Area,
    columns: usize,
    rows: usize,
    drawn: Vec<bool>,
    taken: Vec<Area>,
}

/// A place for a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Middle of the text, on its baseline.
    pub at: (f64, f64),
    /// Where a line that leads to the point begins, where the text is not beside it.
    pub leader: Option<(f64, f64)>,
}

impl Labels {
    /// A plot in which nothing is drawn: left, top, right, bottom.
    pub fn new(area: Area) -> Self {
        let cells = |length: f64| (length.max(0.0) / CELL).ceil().min(10_000.0) as usize + 1;
        let (columns, rows) = (cells(area[2] - area[0]), cells(area[3] - area[1]));
        Self { area, columns, rows, drawn: vec![false; columns * rows], taken: Vec::new() }
    }

    fn cell(&self, (x, y): (f64, f64)) -> Option<(usize, usize)> {
        let (column, row) = ((x - self.area[0]) / CELL, (y - self.area[1]) / CELL);
        let inside = column >= 0.0 && row >= 0.0 && (column as usize) < self.columns && (row as usize) < self.rows;
        inside.then_some((column as usize, row as usize))
    }

    /// Tells of a line through points.
    pub fn line(&mut self, points: &[(f64, f64)]) {
        for pair in points.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let steps = (length / CELL).ceil().clamp(1.0, 20_000.0) as usize;
            for step in 0..=steps {
                let share = step as f64 / steps as f64;
                let point = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
                if let Some((column, row)) = self.cell(point) {
                    self.drawn[row * self.columns + column] = true;
                }
            }
        }
    }

    /// Tells of something no text may lie on: left, top, right, bottom.
    pub fn take(&mut self, area: Area) {
        self.taken.push(area);
    }

    /// Drawn cells under an area.
    fn cost(&self, [left, top, right, bottom]: Area) -> usize {
        let (Some(from), Some(to)) = (self.cell((left, top)), self.cell((right, bottom))) else { return usize::MAX };
        (from.1..=to.1)
            .map(|row| {
                let row = &self.drawn[row * self.columns..(row + 1) * self.columns];
                row[from.0..=to.0].iter().filter(|drawn| **drawn).count()
            })
            .sum()
    }

    /// A place for a text of this width and height that belongs to `point`, which is then taken. With `clear`, only a
    /// place on which nothing is drawn will do.
    pub fn place(&mut self, point: (f64, f64), (width, height): (f64, f64), clear: bool) -> Option<Place> {
        let mut best: Option<(usize, f64, (f64, f64), Area)> = None;
        // What must be clear must be beside its point too: without a line that leads there.
        for distance in DISTANCES.into_iter().filter(|distance| !clear || *distance <= BESIDE) {
            for (right, down) in DIRECTIONS {
                let middle = (point.0 + right * (distance + width / 2.0), point.1 + down * (distance + height / 2.0));
                // Towards a corner the text comes nearer.
                let middle =
                    if right != 0.0 && down != 0.0 { (middle.0 - right * distance * 0.6, middle.1) } else { middle };
                let area =
                    [middle.0 - width / 2.0, middle.1 - height / 2.0, middle.0 + width / 2.0, middle.1 + height / 2.0];
                let inside = area[0] >= self.area[0] + 1.0
                    && area[1] >= self.area[1] + 1.0
                    && area[2] <= self.area[2] - 1.0
                    && area[3] <= self.area[3] - 1.0;
                if !inside || self.taken.iter().any(|taken| overlap(taken, &area)) {
                    continue;
                }
                let mut cost = self.cost(area);
                if distance > BESIDE && self.crosses(point, nearest(point, area)) {
                    cost += CROSSED;
                }
                if best.is_none_or(|(least, ..)| cost < least) {
                    best = Some((cost, distance, middle, area));
                }
            }
            if best.is_some_and(|(cost, ..)| cost == 0) {
                break;
            }
        }
        let (cost, distance, middle, area) = best?;
        if clear && cost > 0 {
            return None;
        }
        self.taken.push([area[0] - 1.5, area[1] - 0.5, area[2] + 1.5, area[3] + 0.5]);
        let leader = (distance > BESIDE).then(|| nearest(point, area));
        if let Some(leader) = leader {
            self.line(&[leader, point]);
        }
        Some(Place { at: (middle.0, middle.1 + 0.36 * height), leader })
    }

    /// Whether a line from a point would cross something that is taken, its own mark aside.
    fn crosses(&self, from: (f64, f64), to: (f64, f64)) -> bool {
        let inside = |area: &Area, (x, y): (f64, f64)| area[0] < x && x < area[2] && area[1] < y && y < area[3];
        (1..24).any(|step| {
            let share = f64::from(step) / 24.0;
            let at = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            self.taken.iter().any(|taken| inside(taken, at) && !inside(taken, from))
        })
    }
}

/// The place of an area that is nearest to a point.
fn nearest(point: (f64, f64), area: Area) -> (f64, f64) {
    (point.0.clamp(area[0], area[2]), point.1.clamp(area[1], area[3]))
}

fn overlap(a: &Area, b: &Area) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_clear_of_each_other_and_inside() {
        let mut labels = Labels::new([0.0, 0.0, 200.0, 100.0]);
        labels.line(&[(0.0, 50.0), (200.0, 50.0)]);
        let mut places = Vec::new();
        for at in 0..40 {
            if let Some(place) = labels.place((100.0 + f64::from(at % 3), 50.0), (30.0, 10.0), false) {
                places.push(place.at);
            }
        }
        assert!(places.len() > 4, "{places:?}");
        for (at, a) in places.iter().enumerate() {
            assert!((15.0..=185.0).contains(&a.0) && (8.0..=100.0).contains(&a.1), "{a:?}");
            let near = places[..at].iter().find(|b| (a.0 - b.0).abs() < 30.0 && (a.1 - b.1).abs() < 10.0);
            assert_eq!(near, None, "{a:?} lies on another");
        }
    }

    #[test]
    fn a_text_that_must_be_clear_is_left_out_where_all_is_drawn() {
        let mut labels = Labels::new([0.0, 0.0, 100.0, 100.0]);
        for row in 0..50 {
            let y = f64::from(row) * 2.0;
            labels.line(&[(0.0, y), (100.0, y)]);
        }
        assert_eq!(labels.place((50.0, 50.0), (20.0, 10.0), true), None);
        assert!(labels.place((50.0, 50.0), (20.0, 10.0), false).is_some());
    }

    #[test]
    fn a_plot_without_area_has_no_place() {
        let mut labels = Labels::new([10.0, 10.0, 5.0, 5.0]);
        labels.line(&[(0.0, 0.0), (1e9, f64::NAN)]);
        assert_eq!(labels.place((7.0, 7.0), (20.0, 10.0), false), None);
    }
}
