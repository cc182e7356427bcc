//! How busy the machine is: GPUs, processor, memory, disk, each with what it was lately. Nothing is drawn of hardware
//! that is not there.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::event::{GpuSample, MachineSample};
use crate::run::state::RunState;
use crate::tui::format;
use crate::tui::layout::{centred, machine_lines};
use crate::tui::theme::Styles;

use super::sparkline::spark;
use super::{left, put, window};

/// The columns of the first words.
const LABEL: usize = 8;

pub(in crate::tui) fn render(area: Rect, buffer: &mut Buffer, state: &RunState, styles: &Styles) {
    let Some(sample) = state.machine.back() else {
        put(buffer, area, 0, vec![Span::styled("no samples of the machine yet", styles.dim)], styles);
        return;
    };
    let mut row = 0;
    let mut line = |label: &str, value: &str, short: &str, past: Option<&dyn Fn(&MachineSample) -> f64>| {
        let room = usize::from(area.width).saturating_sub(LABEL);
        let value = if format::width(value) + 6 <= room || past.is_none() { value } else { short };
        let columns = room.saturating_sub(format::width(value) + 1).min(60);
        let mut spans = vec![Span::styled(left(label, LABEL, styles), styles.dim)];
        if let (Some(past), true) = (past, columns >= 4) {
            let bars = spark(state.machine.iter().map(past), columns, (0.0, 1.0), styles);
            spans.push(Span::styled(bars, styles.bar));
            spans.push(Span::raw(" "));
        }
        spans.push(Span::styled(value.to_owned(), styles.text));
        put(buffer, area, row, spans, styles);
        row += 1;
    };
    for (number, gpu) in sample.gpus.iter().enumerate() {
        let past = |sample: &MachineSample| sample.gpus.get(number).map_or(f64::NAN, |gpu| gpu.busy);
        let busy = format!("{:>4}", format::percent(gpu.busy));
        line(&format!("gpu {number}"), &format!("{busy}  {}", facts(gpu, styles)), &busy, Some(&past));
    }
    let cpu = format!("{:>4}", format::percent(sample.cpu));
    line("cpu", &cpu, &cpu, Some(&|sample| sample.cpu));
    let used = |sample: &MachineSample| sample.memory_used as f64 / sample.memory_total.max(1) as f64;
    let share = format!("{:>4}", format::percent(used(sample)));
    let whole = format!("{share}  {} of {}", format::bytes(sample.memory_used), format::bytes(sample.memory_total));
    line("memory", &whole, &share, Some(&used));
    if let Some(free) = sample.disk_free {
        let free = format!("{} free", format::bytes(free));
        line("disk", &free, &free, None);
    }
}

/// The same in a window of its own.
pub(in crate::tui) fn window(area: Rect, buffer: &mut Buffer, state: &RunState, styles: &Styles) {
    let shape = centred(area, 92, machine_lines(state).max(1) as u16 + 2);
    let inner = window::window(shape, buffer, styles, vec![Span::styled("machine", styles.title)]);
    render(inner, buffer, state, styles);
}

/// A GPU's memory, temperature and power.
fn facts(gpu: &GpuSample, styles: &Styles) -> String {
    let mut text = format!("{} of {}", format::bytes(gpu.memory_used), format::bytes(gpu.memory_total));
    if let Some(degrees) = gpu.temperature {
        let _ = write!(text, "  {degrees}{}C", if styles.glyphs.unicode { "°" } else { " " });
    }
    if let Some(watts) = gpu.power {
        let _ = write!(text, "  {watts:.0} W");
    }
    text
}
