//! The loop: waits for keys, events, signals and the clock, lets the state change, and draws when something did.
//!
//! Keys come first and are drawn at once; everything else is drawn at most thirty times a second, the last change always.
//! Nothing is drawn while nothing changes. Reading the history happens on a thread of its own.

use std::io;
use std::path::{Path, PathBuf};
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

use crate::checkpoint::names;
use crate::crash;
use crate::eval::detail;
use crate::event::{Command, Event, Level, Record};
use crate::report::plot;
use crate::run::history::HistorySource;

use super::action::{Effect, News, Next as Then};
use super::app::App;
use super::draw::draw;
use super::drill::{Look, Wish};
use super::librarian::{self, Read};
use super::picture::Means;
use super::remembered::Remembered;
use super::stdio::StdioCapture;
use super::terminal::Screen;
use super::theme::{Abilities, Depth, Styles};
use super::{Left, LiveRun, TuiOptions};

/// Shortest time between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(33);

/// Events taken in between two looks at the keyboard.
const BATCH: usize = 256;

/// Whether to go on.
enum Next {
    Go,
    Leave,
}

/// Runs the front end on the current thread's runtime.
pub(super) async fn main(
    live: Option<LiveRun>,
    history: Box<dyn HistorySource>,
    options: TuiOptions,
) -> io::Result<Left> {
    let mut signals = Signals::listen()?;
    let (print, printed) = mpsc::unbounded_channel();
    let capture = StdioCapture::start(options.log_file.as_deref(), move |line| {
        // The front end may be gone while a library still prints.
        let _ = print.send(line);
    })?;
    let (events, commands) = live.map_or((None, None), |live| (Some(live.events), Some(live.commands)));
    let zone = options.zone.unwrap_or_else(TimeZone::system);
    let (answers, read) = mpsc::unbounded_channel();
    let requests = librarian::start(history, answers.clone())?;
    let mut app = App::new(events.is_some(), now(), zone);
    app.remember(options.state_file.as_deref().map(Remembered::read).unwrap_or_default());
    app.keys = options.settings.keys.clone();
    let mouse = app.view.mouse;
    let mut front = Front {
        app: App { role: options.role, means: options.pictures.unwrap_or_else(Means::detect), ..app },
        // Abilities that are given say nothing of more than sixteen colours.
        styles: match options.abilities {
            Some(abilities) => Styles::chosen(abilities, Depth::Sixteen, &options.settings),
            None => Styles::chosen(Abilities::detect(), Depth::detect(), &options.settings),
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
    Ok(Left { state: front.app.live.take().map(|run| run.state), signal, gone, live, then: front.then.take() })
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
    go_on: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            go_on: signal(SignalKind::from_raw(RawSignal::CONT.as_raw()))?,
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
    read: UnboundedReceiver<Read>,
    /// Where threads answer.
    answers: UnboundedSender<Read>,
    /// The live run's journal.
    journal: Option<PathBuf>,
    before_frame: Option<fn()>,
    /// Where what was chosen about the screen is kept.
    state_file: Option<PathBuf>,
    /// What is to be done after this.
    then: Option<Then>,
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
                _ = signals.go_on.recv() => { self.reenter()?; Next::Go }
                input = keys.next() => match input {
                    Some(input) => self.input(&input?)?,
                    // The terminal is gone.
                    None => return Ok(Some(SignalKind::hangup().as_raw_value())),
                },
                record = next_event(&mut self.events) => self.record(record)?,
                Some(line) = self.printed.recv() => self.print(line),
                Some(read) = self.read.recv() => self.heard_of_history(read)?,
                () = sleep_until(due), if self.dirty || self.moved.is_some() => Next::Go,
                _ = clock.tick(), if ticking => {
                    self.app.now = now();
                    self.dirty = true;
                    let effects = self.app.hear(News::Tick);
                    self.carry_out(effects)?
                }
            };
            if let Next::Leave = next {
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

    fn input(&mut self, input: &Input) -> io::Result<Next> {
        match input {
            Input::Key(key) => {
                let effects = match self.app.type_key(key) {
                    Some(effects) => effects,
                    None => match self.app.keys.action(&self.app.scopes(), key) {
                        Some(action) => self.app.act(action),
                        None => return Ok(Next::Go),
                    },
                };
                let next = self.carry_out(effects)?;
                if let Next::Go = next {
                    // A key is answered at once, however lately the screen was drawn.
                    self.draw()?;
                }
                Ok(next)
            }
            // The mouse tells of every cell it crosses: only the last one before a frame is looked at.
            Input::Mouse(event) if event.kind == MouseEventKind::Moved => {
                self.moved = Some(*event);
                Ok(Next::Go)
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
                Ok(Next::Go)
            }
            _ => Ok(Next::Go),
        }
    }

    /// Takes in an event and those that wait behind it.
    fn record(&mut self, first: Option<Arc<Record>>) -> io::Result<Next> {
        self.dirty = true;
        let mut next = first;
        let mut taken = 0;
        while let Some(record) = next {
            let effects = self.app.hear(News::Event(&record));
            if let Next::Leave = self.carry_out(effects)? {
                return Ok(Next::Leave);
            }
            taken += 1;
            if taken == BATCH {
                return Ok(Next::Go);
            }
            next = match self.events.as_mut().map(UnboundedReceiver::try_recv) {
                Some(Ok(record)) => Some(record),
                Some(Err(TryRecvError::Disconnected)) => None,
                _ => return Ok(Next::Go),
            };
        }
        // The engine's end of the channel is gone.
        self.events = None;
        let effects = self.app.hear(News::Silence);
        self.carry_out(effects)
    }

    fn print(&mut self, message: String) -> Next {
        let record = Record { at: now(), event: Event::Log { level: Level::Info, message } };
        self.app.hear(News::Printed(&record));
        self.dirty = true;
        Next::Go
    }

    fn heard_of_history(&mut self, read: Read) -> io::Result<Next> {
        self.dirty = true;
        let effects = match read {
            Read::Listed(runs) => self.app.hear(News::Listed(runs)),
            Read::Opened(id, state) => self.app.hear(News::Opened { id, state }),
            Read::Compared(id, state) => self.app.hear(News::Compared { id, state }),
            Read::Kept(kept) => self.app.hear(News::Kept(kept)),
            Read::Differs(names, lines) => self.app.hear(News::Differs { names, lines }),
            Read::Plotted(plot) => self.app.hear(News::Plotted(plot)),
            Read::Looked(wish, look) => self.app.hear(News::Looked(wish, look)),
        };
        self.carry_out(effects)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> io::Result<Next> {
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
                | Effect::Difference(..) => drop(self.requests.send(effect)),
                Effect::Then(then) => {
                    self.then = Some(then);
                    return Ok(Next::Leave);
                }
                Effect::Plot(journal) => self.plot(journal.or_else(|| self.journal.clone()).into_iter().collect()),
                Effect::PlotTogether(journals) => self.plot(journals),
                Effect::Look(wish) => self.look(wish),
                Effect::Mouse(wanted) => self.screen.mouse(wanted)?,
                Effect::Remember(kept) => self.keep(kept),
                Effect::Suspend => self.suspend()?,
                Effect::Redraw => {
                    self.screen.blank()?;
                    self.app.forget_pictures();
                }
                Effect::Leave => return Ok(Next::Leave),
            }
        }
        Ok(Next::Go)
    }

    /// Writes what is to be remembered, on a thread of its own. Where it cannot be written the screen is as usual next time.
    fn keep(&self, kept: Remembered) {
        let Some(path) = self.state_file.clone() else { return };
        let write = move || {
            if let Err(error) = kept.write(&path) {
                tracing::debug!("the screen's settings are not kept: {error}");
            }
        };
        let _ = thread::Builder::new().name("facetui-remember".to_owned()).spawn(write);
    }

    /// Writes a plot on a thread of its own, which answers when it is done.
    fn plot(&self, journals: Vec<PathBuf>) {
        let answers = self.answers.clone();
        let answer = move |plot| drop(answers.send(Read::Plotted(plot)));
        if journals.is_empty() {
            return answer(Err("this run has no journal".to_owned()));
        }
        let work = {
            let answer = answer.clone();
            move || {
                let drawn = crash::expected(|| plot::beside(&journals).map_err(|error| error.to_string()));
                answer(drawn.unwrap_or_else(|_| Err("drawing it failed".to_owned())));
            }
        };
        if let Err(error) = thread::Builder::new().name("facetui-plot".to_owned()).spawn(work) {
            answer(Err(error.to_string()));
        }
    }

    /// Reads what lies behind a bin's figures on a thread of its own: a file, and faces to be decoded.
    fn look(&self, wish: Wish) {
        let answers = self.answers.clone();
        let journal = wish.journal.clone().or_else(|| self.journal.clone());
        let asked = wish.clone();
        let work = move || {
            let look = look(&wish, journal.as_deref());
            drop(answers.send(Read::Looked(wish, Box::new(look))));
        };
        if let Err(error) = thread::Builder::new().name("facetui-look".to_owned()).spawn(work) {
            let look = Err(format!("nothing can be read: {error}"));
            drop(self.answers.send(Read::Looked(asked, Box::new(look))));
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

/// What lies behind a bin's figures, beside a journal.
fn look(wish: &Wish, journal: Option<&Path>) -> Result<Look, String> {
    let run = journal.and_then(Path::parent).ok_or("this run has no folder")?;
    let run = match &wish.branch {
        Some(branch) if names::stays_inside(branch) => run.parent().unwrap_or(run).join(branch),
        Some(branch) => {
            return Err(format!("the journal names a branch `{}`, which is no run's folder", branch.escape_debug()));
        }
        None => run.to_path_buf(),
    };
    let path = detail::path(&run, &wish.bin, wish.best);
    if !path.exists() {
        return Err(format!("nothing was kept of `{}` in this run yet: it is after an evaluation", wish.bin));
    }
    let read = crash::expected(|| detail::read(&path).map(Look::new).map_err(|error| error.to_string()));
    read.unwrap_or_else(|_| Err(format!("`{}` cannot be shown", path.display())))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journals_names_lead_to_no_file_outside_of_its_run() {
        let place = tempfile::tempdir().expect("a folder");
        let journal = place.path().join("runs/a/journal.jsonl");
        fs_err::create_dir_all(place.path().join("runs/a/evaluation")).expect("makes");
        fs_err::create_dir_all(place.path().join("evaluation")).expect("makes");
        for file in ["x.json", "evaluation/lfw.json", "runs/evaluation"] {
            fs_err::write(place.path().join(file), "{}").expect("writes");
        }
        let said = |branch: Option<&str>, bin: &str| {
            let branch = branch.map(str::to_owned);
            let wish = Wish { journal: None, branch, bin: bin.to_owned(), best: false };
            look(&wish, Some(&journal)).map(drop).expect_err("there is nothing")
        };
        let outside = place.path().join("x").display().to_string();
        for bin in ["../../../x", outside.as_str()] {
            assert!(said(None, bin).contains("nothing was kept of"), "{bin}");
        }
        for branch in ["..", "../..", "", place.path().to_str().expect("text")] {
            assert!(said(Some(branch), "lfw").contains("no run's folder"), "{branch}");
        }
    }
}
