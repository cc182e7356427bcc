//! The loop: waits for keys, events, signals and the clock, lets the state change, and draws when something did.
//!
//! Keys come first and are drawn at once; everything else is drawn at most thirty times a second, the last change always.
//! Nothing is drawn while nothing changes. Reading the history happens on a thread of its own.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, mpsc as blocking};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossterm::event::{Event as Input, EventStream, MouseEvent, MouseEventKind};
use futures::StreamExt;
use jiff::tz::TimeZone;
use rustix::process::{Signal as RawSignal, kill_current_process_group};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use crate::crash;
use crate::event::{Command, Event, Level, Record};
use crate::report::plot;
use crate::run::history::HistorySource;

use super::action::{Effect, News, Next};
use super::app::App;
use super::bin_details::{self, BinRequest};
use super::draw::draw;
use super::history_tab::worker::{self, Answer};
use super::options::{LiveRun, TuiExit, TuiOptions};
use super::terminal::Screen;
use super::terminal::abilities::{Abilities, Depth};
use super::terminal::pictures::PictureMode;
use super::terminal::stdio::StdioCapture;
use super::theme::Styles;
use super::ui_state::UiState;

/// Shortest time between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(33);

/// Events taken in between two looks at the keyboard.
const BATCH: usize = 256;

/// Whether the loop continues.
enum Flow {
    Go,
    Leave,
}

/// Runs the front end on the current thread's runtime.
pub(super) async fn main(
    live: Option<LiveRun>,
    history: Box<dyn HistorySource>,
    options: TuiOptions,
) -> io::Result<TuiExit> {
    let mut signals = Signals::listen()?;
    let (print, printed) = mpsc::unbounded_channel();
    let capture = StdioCapture::start(options.log_file.as_deref(), move |line| {
        // The front end may be gone while a library still prints.
        let _ = print.send(line);
    })?;
    let (events, commands) = live.map_or((None, None), |live| (Some(live.events), Some(live.commands)));
    let zone = options.zone.unwrap_or_else(TimeZone::system);
    let (answers, read) = mpsc::unbounded_channel();
    let requests = worker::start(history, answers.clone())?;
    let mut app = App::new(events.is_some(), now(), zone);
    app.restore_ui_state(options.state_file.as_deref().map(UiState::read).unwrap_or_default());
    app.keys = options.settings.keys.clone();
    let mouse = app.view.mouse;
    let mut front = Front {
        app: App { role: options.role, picture_mode: options.pictures.unwrap_or_else(PictureMode::detect), ..app },
        // Abilities that are given say nothing of more than sixteen colours.
        styles: match options.abilities {
            Some(abilities) => Styles::chosen(abilities, Depth::Sixteen, &options.settings.look),
            None => Styles::chosen(Abilities::detect(), Depth::detect(), &options.settings.look),
        },
        screen: Screen::take(capture, mouse)?,
        events,
        commands,
        printed,
        requests,
        read,
        answers,
        journal: options.journal,
        before_frame: options.before_frame,
        state_file: options.state_file,
        dirty: true,
        then: None,
        moved: None,
        last_draw: None,
    };
    let (signal, gone) = match front.attend(&mut signals).await {
        Ok(signal) => (signal, None),
        // Everything that fails in there is the terminal.
        Err(error) => (None, Some(error)),
    };
    front.screen.leave();
    let live = match (front.events.take(), front.commands.take()) {
        (Some(events), Some(commands)) => Some(LiveRun { events, commands }),
        _ => None,
    };
    Ok(TuiExit { state: front.app.live.take().map(|run| run.state), signal, gone, live, then: front.then.take() })
}

/// The moment, in seconds since the Unix epoch.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The signals that concern a front end.
struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
    resume: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            resume: signal(SignalKind::from_raw(RawSignal::CONT.as_raw()))?,
        })
    }
}

/// Everything the loop holds.
struct Front {
    app: App,
    styles: Styles,
    screen: Screen,
    events: Option<UnboundedReceiver<Arc<Record>>>,
    commands: Option<crossbeam_channel::Sender<Command>>,
    printed: UnboundedReceiver<String>,
    requests: blocking::Sender<Effect>,
    read: UnboundedReceiver<Answer>,
    /// Where threads answer.
    answers: UnboundedSender<Answer>,
    /// The live run's journal.
    journal: Option<PathBuf>,
    before_frame: Option<fn()>,
    /// Where what was chosen about the screen is kept.
    state_file: Option<PathBuf>,
    /// What is to be done after this.
    then: Option<Next>,
    dirty: bool,
    /// Where the mouse went since the last frame.
    moved: Option<MouseEvent>,
    last_draw: Option<Instant>,
}

impl Front {
    /// The loop; gives the signal that ended it, if one did.
    async fn attend(&mut self, signals: &mut Signals) -> io::Result<Option<i32>> {
        let mut keys = EventStream::new();
        let mut clock = clock();
        let start = self.app.start();
        self.carry_out(start)?;
        loop {
            let due = self.last_draw.map_or_else(Instant::now, |last| last + FRAME);
            if Instant::now() >= due {
                self.catch_up();
                if self.dirty {
                    self.draw()?;
                }
            }
            let ticking = self.app.training() || self.app.follows_history();
            let next = tokio::select! {
                biased;
                _ = signals.terminate.recv() => return Ok(Some(SignalKind::terminate().as_raw_value())),
                _ = signals.hang_up.recv() => return Ok(Some(SignalKind::hangup().as_raw_value())),
                _ = signals.interrupt.recv() => return Ok(Some(SignalKind::interrupt().as_raw_value())),
                _ = signals.resume.recv() => { self.reenter()?; Flow::Go }
                input = keys.next() => match input {
                    Some(input) => self.input(&input?)?,
                    // The terminal is gone.
                    None => return Ok(Some(SignalKind::hangup().as_raw_value())),
                },
                record = next_event(&mut self.events) => self.record(record)?,
                Some(line) = self.printed.recv() => self.print(line),
                Some(read) = self.read.recv() => self.answered(read)?,
                () = sleep_until(due), if self.dirty || self.moved.is_some() => Flow::Go,
                _ = clock.tick(), if ticking => {
                    self.app.now = now();
                    self.dirty = true;
                    let effects = self.app.hear(News::Tick);
                    self.carry_out(effects)?
                }
            };
            if let Flow::Leave = next {
                return Ok(None);
            }
        }
    }

    /// Takes in where the mouse went since the last frame.
    fn catch_up(&mut self) {
        if let Some(event) = self.moved.take() {
            self.dirty |= self.app.mouse(event).0;
            self.last_draw = Some(Instant::now());
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        if let Some(before) = self.before_frame {
            before();
        }
        crash::test("screen");
        self.app.now = now();
        let (app, styles) = (&mut self.app, &self.styles);
        self.screen.draw(|area, buffer| {
            app.area = area;
            draw(area, buffer, app, styles);
        })?;
        self.dirty = false;
        self.last_draw = Some(Instant::now());
        Ok(())
    }

    fn input(&mut self, input: &Input) -> io::Result<Flow> {
        match input {
            Input::Key(key) => {
                let effects = match self.app.type_key(key) {
                    Some(effects) => effects,
                    None => match self.app.keys.action(&self.app.scopes(), key) {
                        Some(action) => self.app.act(action),
                        None => return Ok(Flow::Go),
                    },
                };
                let next = self.carry_out(effects)?;
                if let Flow::Go = next {
                    // A key is answered at once, however lately the screen was drawn.
                    self.draw()?;
                }
                Ok(next)
            }
            // The mouse tells of every cell it crosses: only the last one before a frame is looked at.
            Input::Mouse(event) if event.kind == MouseEventKind::Moved => {
                self.moved = Some(*event);
                Ok(Flow::Go)
            }
            Input::Mouse(event) => {
                // A wheel tells of many notches at once: one frame shows them all.
                self.moved = None;
                let (changed, effects) = self.app.mouse(*event);
                self.dirty |= changed;
                self.carry_out(effects)
            }
            Input::Paste(text) => {
                self.dirty = true;
                let effects = self.app.paste(text);
                self.carry_out(effects)
            }
            Input::Resize(..) => {
                self.dirty = true;
                Ok(Flow::Go)
            }
            _ => Ok(Flow::Go),
        }
    }

    /// Takes in an event and those that wait behind it.
    fn record(&mut self, first: Option<Arc<Record>>) -> io::Result<Flow> {
        self.dirty = true;
        let mut next = first;
        let mut taken = 0;
        while let Some(record) = next {
            let effects = self.app.hear(News::Event(&record));
            if let Flow::Leave = self.carry_out(effects)? {
                return Ok(Flow::Leave);
            }
            taken += 1;
            if taken == BATCH {
                return Ok(Flow::Go);
            }
            next = match self.events.as_mut().map(UnboundedReceiver::try_recv) {
                Some(Ok(record)) => Some(record),
                Some(Err(TryRecvError::Disconnected)) => None,
                _ => return Ok(Flow::Go),
            };
        }
        // The engine's end of the channel is gone.
        self.events = None;
        let effects = self.app.hear(News::Silence);
        self.carry_out(effects)
    }

    fn print(&mut self, message: String) -> Flow {
        let record = Record { at: now(), event: Event::Log { level: Level::Info, message } };
        self.app.hear(News::Printed(&record));
        self.dirty = true;
        Flow::Go
    }

    fn answered(&mut self, answer: Answer) -> io::Result<Flow> {
        self.dirty = true;
        let effects = match answer {
            Answer::Listed(runs) => self.app.hear(News::Listed(runs)),
            Answer::Opened(id, state) => self.app.hear(News::Opened { id, state }),
            Answer::Compared(id, state) => self.app.hear(News::Compared { id, state }),
            Answer::Changed(changed) => self.app.hear(News::Changed(changed)),
            Answer::SchedulesDiffed(names, lines) => self.app.hear(News::SchedulesDiffed { names, lines }),
            Answer::Plotted(plot) => self.app.hear(News::Plotted(plot)),
            Answer::BinRead(request, details) => self.app.hear(News::BinRead(request, details)),
        };
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> io::Result<Flow> {
        for effect in effects {
            match effect {
                Effect::Send(command) => {
                    if let Some(commands) = &self.commands {
                        // An engine that is gone closes its events too; that is what the user is told.
                        let _ = commands.send(command);
                    }
                }
                // A history thread that died leaves the list as it is.
                Effect::ListRuns
                | Effect::OpenRun(_)
                | Effect::Compare(_)
                | Effect::Mark(..)
                | Effect::Discard(_)
                | Effect::DiffSchedules(..) => drop(self.requests.send(effect)),
                Effect::Then(then) => {
                    self.then = Some(then);
                    return Ok(Flow::Leave);
                }
                Effect::Plot(journal) => self.plot(journal.or_else(|| self.journal.clone()).into_iter().collect()),
                Effect::PlotTogether(journals) => self.plot(journals),
                Effect::ReadBin(request) => self.read_bin(request),
                Effect::Mouse(wanted) => self.screen.mouse(wanted)?,
                Effect::SaveUiState(state) => self.save_ui_state(state),
                Effect::Suspend => self.suspend()?,
                Effect::Redraw => {
                    self.screen.blank()?;
                    self.app.forget_pictures();
                }
                Effect::Quit => return Ok(Flow::Leave),
            }
        }
        Ok(Flow::Go)
    }

    /// Saves the layout on a thread of its own. Where it cannot be written the next start has the usual one.
    fn save_ui_state(&self, state: UiState) {
        let Some(path) = self.state_file.clone() else { return };
        let write = move || {
            if let Err(error) = state.write(&path) {
                tracing::debug!("cannot save the layout of the screen: {error}");
            }
        };
        let _ = thread::Builder::new().name("facetui-ui-state".to_owned()).spawn(write);
    }

    /// Writes a plot on a thread of its own, which answers when it is done.
    fn plot(&self, journals: Vec<PathBuf>) {
        let answers = self.answers.clone();
        let answer = move |plot| drop(answers.send(Answer::Plotted(plot)));
        if journals.is_empty() {
            return answer(Err("this run has no journal".to_owned()));
        }
        let work = {
            let answer = answer.clone();
            move || {
                let drawn = crash::expected(|| plot::beside(&journals).map_err(|error| error.to_string()));
                answer(drawn.unwrap_or_else(|_| Err("drawing failed".to_owned())));
            }
        };
        if let Err(error) = thread::Builder::new().name("facetui-plot".to_owned()).spawn(work) {
            answer(Err(error.to_string()));
        }
    }

    /// Reads the details of a bin on a thread of its own: a file, and faces to be decoded.
    fn read_bin(&self, request: BinRequest) {
        let answers = self.answers.clone();
        let journal = request.journal.clone().or_else(|| self.journal.clone());
        let asked = request.clone();
        let work = move || {
            let details = bin_details::read(&request, journal.as_deref());
            drop(answers.send(Answer::BinRead(request, Box::new(details))));
        };
        if let Err(error) = thread::Builder::new().name("facetui-bin".to_owned()).spawn(work) {
            let details = Err(format!("cannot start a thread to read it: {error}"));
            drop(self.answers.send(Answer::BinRead(asked, Box::new(details))));
        }
    }

    /// Goes to the background with everything that runs in this process, and comes back on `fg`.
    fn suspend(&mut self) -> io::Result<()> {
        self.screen.leave();
        kill_current_process_group(RawSignal::TSTP)?;
        // Another thread may be the one that stops the process, a moment later.
        thread::sleep(Duration::from_millis(50));
        self.reenter()
    }

    fn reenter(&mut self) -> io::Result<()> {
        self.screen.enter()?;
        self.app.forget_pictures();
        self.draw()
    }
}

/// A tick a second, for what counts seconds.
fn clock() -> Interval {
    let mut clock = interval(Duration::from_secs(1));
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    clock
}

/// The next event; never anything once the channel was given up.
async fn next_event(events: &mut Option<UnboundedReceiver<Arc<Record>>>) -> Option<Arc<Record>> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}
