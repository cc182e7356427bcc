//! Whole screens and whole journeys: scripted runs in, frames and effects out, no terminal.

mod charts;
mod evaluation;
mod every;
mod history_tab;
mod journeys;
mod mouse;
mod screens;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::event::{Event, Record};

use super::action::{Effect, News};
use super::app::App;
use super::draw::draw;
use super::terminal::abilities::Abilities;
use super::testing::Script;
use super::theme::Styles;

/// A colour terminal with UTF-8 and a dark ground.
const USUAL: Abilities = Abilities { color: true, unicode: true, light: false };

/// The front end after a script's records, one second after the last.
fn app(script: Script) -> App {
    let mut app = App::new(true, 0.0, TimeZone::UTC);
    hear(&mut app, &script.records());
    app
}

/// Feeds records in; gives the effects.
fn hear(app: &mut App, records: &[Record]) -> Vec<Effect> {
    let effects = records.iter().flat_map(|record| app.hear(News::Event(record))).collect();
    app.now = records.last().map_or(app.now, |record| record.at + 1.0);
    effects
}

/// Presses a key: `q`, `C-c` or a named one.
fn press(app: &mut App, key: &str) -> Vec<Effect> {
    let (code, modifiers) = match key {
        "Esc" => (KeyCode::Esc, KeyModifiers::NONE),
        "Enter" => (KeyCode::Enter, KeyModifiers::NONE),
        "Tab" => (KeyCode::Tab, KeyModifiers::NONE),
        "Up" => (KeyCode::Up, KeyModifiers::NONE),
        "Down" => (KeyCode::Down, KeyModifiers::NONE),
        "End" => (KeyCode::End, KeyModifiers::NONE),
        "Left" => (KeyCode::Left, KeyModifiers::NONE),
        "Right" => (KeyCode::Right, KeyModifiers::NONE),
        "S-Left" => (KeyCode::Left, KeyModifiers::SHIFT),
        "C-c" => (KeyCode::Char('c'), KeyModifiers::CONTROL),
        other => (KeyCode::Char(other.chars().next().expect("a key")), KeyModifiers::NONE),
    };
    let event = KeyEvent::new(code, modifiers);
    app.type_key(&event).unwrap_or_else(|| {
        let action = app.keys.action(&app.scopes(), &event);
        action.map_or_else(Vec::new, |action| app.act(action))
    })
}

/// The first step of a run.
fn one_step() -> Event {
    Event::Steps {
        index: 1,
        step: 1,
        loss: vec![6.0],
        accuracy: vec![0.1],
        images_per_second: 400.0,
        waited: 0.0,
        memory: 1,
        gradient_norm: Some(3.0),
    }
}

/// A frame of the given size.
fn frame(app: &App, width: u16, height: u16, abilities: Abilities) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(area, &mut buffer, app, &Styles::new(abilities));
    buffer
}

/// A frame's text, without spaces at the ends of lines.
fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut text = String::new();
    for y in area.top()..area.bottom() {
        let mut row = String::new();
        let mut skip = 0;
        for x in area.left()..area.right() {
            if skip == 0 {
                let symbol = buffer[(x, y)].symbol();
                row.push_str(symbol);
                skip = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            } else {
                skip -= 1;
            }
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
