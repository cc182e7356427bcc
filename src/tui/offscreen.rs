//! The front end without a terminal: frames of a run as they would be shown, for benchmarks and pictures.

use crossterm::event::{KeyEvent, MouseEvent};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::event::Record;

use super::action::News;
use super::app::App;
use super::draw::draw;
use super::terminal::abilities::Abilities;
use super::theme::Styles;

/// A front end that is drawn on demand.
#[derive(Debug)]
pub struct Offscreen {
    app: App,
    styles: Styles,
    buffer: Buffer,
}

impl Offscreen {
    /// A front end of `width` by `height` cells before anything happened.
    pub fn new(width: u16, height: u16, abilities: Abilities) -> Self {
        let area = Rect::new(0, 0, width, height);
        let mut app = App::new(true, 0.0, TimeZone::UTC);
        app.area = area;
        Self { app, styles: Styles::new(abilities), buffer: Buffer::empty(area) }
    }

    /// Takes in an event of the run. The moment that is drawn is that of the newest one.
    pub fn hear(&mut self, record: &Record) {
        self.app.now = record.at;
        self.app.hear(News::Event(record));
    }

    /// Presses a key; what it would do outside the screen is not done.
    pub fn press(&mut self, key: KeyEvent) {
        if self.app.type_key(&key).is_some() {
            return;
        }
        if let Some(action) = self.app.keys.action(&self.app.scopes(), &key) {
            self.app.act(action);
        }
    }

    /// Moves or presses the mouse.
    pub fn mouse(&mut self, event: MouseEvent) {
        self.app.mouse(event);
    }

    /// Draws a frame.
    pub fn draw(&mut self) -> &Buffer {
        self.buffer.reset();
        draw(self.buffer.area, &mut self.buffer, &self.app, &self.styles);
        &self.buffer
    }
}
