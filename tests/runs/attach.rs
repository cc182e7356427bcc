//! A run and those who are not its process: detached, attached, watched, stopped, refused, hung up on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use facetui::event::{Event, Outcome, Record, StopKind};
use facetui::run::lock::Owner;
use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Place, plain, text};
use crate::process::{PATIENCE, send, until};
use crate::pty::Terminal;

const SCHEDULE: &str = "\
name: tiny
model: {backbone: mobilefacenet, embedding: 16, width: 0.1}
data: {train: demo/faces_112x112_folders, workers: 1}
batch_size: 4
device: cpu
stages:
  - {loss: softmax, optimizer: sgd, epochs: 5000}
";

/// A place with a schedule that takes hours.
fn place() -> Place {
    let place = Place::new(4, 4);
    place.write("tiny.yaml", SCHEDULE);
    place
}

/// The run that was begun last.
fn owner(place: &Place) -> Owner {
    let found = std::fs::read_dir(place.path("runs")).expect("runs").flatten().map(|entry| entry.path());
    let newest = found.max().expect("a run").join("process.json");
    serde_json::from_slice(&std::fs::read(newest).expect("reads")).expect("an owner")
}

fn journal(place: &Place) -> Vec<Record> {
    place.journals("tiny").pop().unwrap_or_default()
}

fn steps(place: &Place) -> usize {
    journal(place).iter().filter(|record| matches!(record.event, Event::Steps { .. })).count()
}

/// What was printed without any space, so that broken lines do not matter.
fn dense(output: &Output) -> String {
    squeezed(&plain(output))
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Starts a run in the background and gives its name; it is stopped with the returned guard.
fn detached(place: &Place) -> (String, Running) {
    let said = place.runs(&["tiny.yaml", "--detach"]);
    let id = said.split_whitespace().next().expect("a name").to_owned();
    assert!(said.contains(&format!("facetui attach {id}")), "{said}");
    let owner = owner(place);
    assert_eq!(owner.run, id);
    (id, Running(owner.pid))
}

/// A process that must not outlive its test.
struct Running(u32);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.0 as i32) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// A run of this test's own, with lines.
fn headless(place: &Place, arguments: &[&str]) -> Child {
    let mut command = place.command(&[&["tiny.yaml", "--headless"], arguments].concat());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    until("the run trains", || place.path("runs").exists() && steps(place) > 0);
    child
}

/// Processor time of a process's threads that have no name of their own: the main one and that which reads keys.
fn screen_ticks(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("threads").flatten();
    let ticks = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let used = |field: usize| fields.get(field)?.parse::<u64>().ok();
        (name == "facetui").then_some(used(11)? + used(12)?)
    });
    ticks.sum()
}

#[test]
fn a_closed_terminal_ends_nothing_and_keys_work_over_attach() {
    let place = place();
    let mut first = Terminal::start(&place, &["tiny.yaml"], (100, 30));
    first.wait("TRAINING");
    first.close();
    until("the hang-up is noted", || {
        journal(&place).iter().any(
            |record| matches!(&record.event, Event::Log { message, .. } if message.starts_with("the terminal is gone")),
        )
    });
    let before = steps(&place);
    until("the run goes on", || steps(&place) > before + 1);
    // Whoever read the keys sleeps: the core is the training's.
    let screen = || screen_ticks(owner(&place).pid);
    let (at, ticks) = (Instant::now(), screen());
    std::thread::sleep(Duration::from_secs(2));
    // A tick is a hundredth of a second.
    // A thread that has ended meanwhile counts no more.
    let used = screen().saturating_sub(ticks) as f64 / 100.0 / at.elapsed().as_secs_f64();
    assert!(used < 0.5, "threads of the screen use {used:.2} of a core");

    let mut attached = Terminal::start(&place, &["attach"], (100, 30));
    attached.wait("attached TRAINING");
    attached.press("p");
    attached.wait("paused - p to resume");
    attached.press("p");
    attached.wait("attached TRAINING");
    attached.press("?");
    attached.wait("while a run is trained");
    attached.escape("while a run is trained");
    attached.press("q");
    attached.wait("shows it again");
    assert_eq!(attached.end(), 0);

    let mut attached = Terminal::start(&place, &["attach", "tiny"], (100, 30));
    attached.wait("attached TRAINING");
    attached.press("n");
    attached.wait("stopped, as you asked");
    attached.press("q");
    assert_eq!(attached.end(), 0);
    assert_eq!(first.end(), 0, "stopped on request");
    let log = place.read(&format!("runs/{}/output.log", owner(&place).run));
    assert!(log.contains("the terminal is gone") && log.contains("stopped on request"), "{log}");
}

#[test]
fn two_clients_agree_and_broken_ones_harm_nothing() {
    let place = place();
    let (id, _running) = detached(&place);
    let socket = owner(&place).socket.expect("a socket");
    assert_eq!(std::fs::metadata(&socket).expect("there").mode() & 0o777, 0o600);

    let mut one = Terminal::start(&place, &["attach"], (120, 40));
    let mut two = Terminal::start(&place, &["attach", &id], (80, 24));
    one.wait("attached TRAINING");
    two.wait("attached TRAINING");
    one.press("p");
    two.wait("PAUSED");
    one.wait("PAUSED");

    // While it is paused and nothing is drawn: clients of all kinds of rudeness.
    let hello = b"{\"hello\":{\"protocol\":1}}\n";
    let say = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(&socket).expect("connects");
        let _ = stream.write_all(bytes);
        stream
    };
    drop(say(&hello[..9]));
    drop(say(&[hello.as_slice(), b"{\"command\":{\"st"].concat()));
    let answer = |mut stream: UnixStream| {
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    assert!(answer(say(b"GET / HTTP/1.1\n\n")).contains("refused"));
    assert!(answer(say(b"{\"command\":\"pause\"}\n")).contains("the first line must be `hello`"));
    assert!(answer(say(b"{\"hello\":{\"protocol\":99}}\n")).contains("speaks protocol 1"));
    assert!(answer(say(&b"x".repeat(40_000))).contains("a line of more than"));
    assert!(answer(say(&[hello.as_slice(), b"\xff\xfe\n"].concat())).contains("refused"));
    let _deaf = say(hello);
    let mut lines = BufReader::new(say(hello)).lines();
    assert!(lines.next().expect("a line").expect("text").starts_with("{\"welcome\":{\"protocol\":1,"));
    assert!(lines.any(|line| line.expect("text") == "\"live\""), "the journal so far, then live");

    one.kill();
    two.press("p");
    two.wait("attached TRAINING");
    let before = steps(&place);
    until("the run goes on", || steps(&place) > before + 1);
    let mut one = Terminal::start(&place, &["attach"], (120, 40));
    one.wait("attached TRAINING");
    one.press("p");
    two.wait("PAUSED");
    two.press("n");
    one.wait("stopping after epoch");
    two.wait("stopping after epoch");
    one.press("n");
    // Each client has a connection of its own: what one says first may be heard second.
    one.wait("the stop was withdrawn");
    two.press("p");
    one.wait("attached TRAINING");
    two.wait("attached TRAINING");

    let said = place.runs(&["stop", "--now", "--wait"]);
    assert!(said.contains(&format!("{id} stops now")) && said.contains("stopped on request"), "{said}");
    for mut client in [one, two] {
        client.wait("stopped, as you asked");
        client.press("q");
        assert_eq!(client.end(), 0);
    }
    assert!(!socket.exists(), "the socket is gone with the run");
    assert!(matches!(
        journal(&place).last().expect("records").event,
        Event::Finished { outcome: Outcome::Stopped, .. }
    ));
}

#[test]
fn a_second_trainer_is_refused_until_the_first_is_gone() {
    let place = place();
    let (id, running) = detached(&place);
    let refused = place.run(&["tiny.yaml", "--headless"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    let said = dense(&refused);
    for word in ["`tiny` is already being trained", &id, &running.0.to_string(), "facetui attach", "facetui stop"] {
        assert!(said.contains(&squeezed(word)), "`{word}` is missing in {}", text(&refused));
    }
    let refused = place.run(&["tiny.yaml", "--detach"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(dense(&refused).contains("`tiny`isalreadybeingtrained"), "{}", text(&refused));
    assert_eq!(place.journals("tiny").len(), 1, "a refused run leaves no folder");

    // Killed, it leaves its files behind; they block nobody.
    until("it has saved", || place.path("checkpoints/tiny.h5").exists());
    drop(running);
    until("the first is gone", || place.runs(&["runs"]).contains("killed"));
    assert!(place.path("checkpoints/tiny.lock").exists());
    let said = plain(&place.run(&["attach"]));
    assert!(said.contains("needs a terminal"), "{said}");
    let said = dense(&place.run(&["stop"]));
    assert!(said.contains("norunistraininghere") && said.contains(&id), "{said}");
    let watched = place.run(&["watch", "tiny", "--headless"]);
    assert!(plain(&watched).contains("was killed"), "{}", text(&watched));
    // It goes on where it was, in the same folder.
    let (again, _running) = detached(&place);
    let table = place.runs(&["runs"]);
    assert!(again == id && table.contains(&again) && table.contains("training"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&place.runs(&["runs", "--json"])).expect("JSON");
    assert_eq!((json[0]["run"].as_str(), &json[0]["live"]), (Some(again.as_str()), &true.into()));
    // From any folder of this machine.
    let elsewhere = place.command(&["stop", &again, "--now", "--wait"]).current_dir("/").output().expect("starts");
    assert_eq!(elsewhere.status.code(), Some(0), "{}", text(&elsewhere));
}

#[test]
fn watching_needs_the_journal_alone() {
    let place = place();
    let (id, _running) = detached(&place);
    std::fs::remove_file(owner(&place).socket.expect("a socket")).expect("removes");
    let folder: PathBuf = place.path("runs").join(&id);
    let mut screen = Terminal::start(&place, &["watch", folder.to_str().expect("text")], (100, 30));
    screen.wait("watching TRAINING");
    screen.press("n");
    let before = steps(&place);
    until("the run goes on", || steps(&place) > before + 2);
    assert!(!screen.text().contains("stop after epoch"), "there is nothing to ask: {}", screen.text());
    screen.press("q");
    screen.wait("facetui watch");
    assert_eq!(screen.end(), 0);

    let mut watch = place.command(&["watch", &id, "--json"]).stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    let seen = lines.by_ref().filter(|line| line.as_ref().is_ok_and(|line| line.contains("\"steps\""))).take(4).count();
    assert_eq!(seen, 4, "it follows");
    send(owner(&place).pid, Signal::TERM);
    let last = lines.last().expect("lines").expect("text");
    assert!(last.contains("\"finished\""), "{last}");
    assert_eq!(watch.wait().expect("ends").code(), Some(0));
}

#[test]
fn what_fails_at_the_start_is_told_at_once() {
    let place = place();
    place.write("wrong.yaml", &SCHEDULE.replace("softmax", "sofmax"));
    let output = place.run(&["wrong.yaml", "--detach"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(plain(&output).contains("sofmax"), "{}", text(&output));
    std::fs::write(place.path("demo/faces_112x112_folders/0/1.jpg"), b"no image").expect("writes");
    let output = place.run(&["tiny.yaml", "--detach"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = plain(&output);
    assert!(said.contains("the run failed at its start"), "{said}");
    assert!(dense(&output).contains("output.log"), "{said}");
}

#[test]
fn a_changed_schedule_is_refused_at_once_in_the_terminal_that_asked() {
    let place = place();
    let mut run = headless(&place, &[]);
    until("it has saved", || place.path("checkpoints/tiny.h5").exists());
    run.kill().expect("kills");
    run.wait().expect("ends");
    let runs = || std::fs::read_dir(place.path("runs")).expect("runs").count();
    let there = runs();
    let changed = ["tiny.yaml", "--detach", "--set", "stages.0.epochs=4999"];
    let output = place.run(&changed);
    let said = plain(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for words in
        ["is unfinished, at", "- stages.0.epochs: 5000", "+ stages.0.epochs: 4999", "--resume-changed", "--fresh"]
    {
        assert!(said.contains(words), "`{words}` is missing in {said}");
    }
    // On a terminal nobody is asked either: the process that trains has none.
    let mut terminal = Terminal::start(&place, &changed, (120, 40));
    terminal.wait("--fresh");
    assert_eq!(terminal.end(), 2);
    let said = terminal.text();
    assert!(said.contains("--resume-changed") && said.contains("is unfinished, at"), "{said}");
    assert_eq!(runs(), there, "no run was begun");
    // Told what to do, it goes on in the background.
    let said = place.runs(&[&changed[..], &["--resume-changed"]].concat());
    let _running = Running(owner(&place).pid);
    assert!(said.contains("is training in the background"), "{said}");
    assert_eq!(runs(), there);
}

#[test]
fn signals_stop_gently_then_at_once() {
    let place = place();
    // A paused run never comes to the end of its epoch.
    let pause = |place: &Place| {
        let mut stream = UnixStream::connect(owner(place).socket.expect("a socket")).expect("connects");
        stream.write_all(b"{\"hello\":{\"protocol\":1}}\n{\"command\":\"pause\"}\n").expect("asks");
        until("it is paused", || journal(place).iter().any(|record| record.event == Event::Paused));
    };
    let stops = |place: &Place| -> Vec<StopKind> {
        let kind = |record: &Record| match record.event {
            Event::StopRequested { kind } => Some(kind),
            _ => None,
        };
        journal(place).iter().filter_map(kind).collect()
    };
    // The end of the epoch comes within the time.
    let mut run = headless(&place, &[]);
    send(run.id(), Signal::TERM);
    assert_eq!(run.wait().expect("ends").code(), Some(143));
    assert_eq!(stops(&place), [StopKind::AfterEpoch]);
    assert!(place.path("checkpoints/tiny.h5").exists());
    std::fs::remove_dir_all(place.path("runs")).expect("removes");
    // It does not, and the deadline comes.
    let mut run = headless(&place, &["--grace", "1"]);
    pause(&place);
    send(run.id(), Signal::INT);
    assert_eq!(run.wait().expect("ends").code(), Some(130));
    assert_eq!(stops(&place), [StopKind::AfterEpoch, StopKind::Now]);
    std::fs::remove_dir_all(place.path("runs")).expect("removes");
    // Whoever signals twice does not want to wait; a hang-up means nothing.
    let mut run = headless(&place, &["--grace", "1000"]);
    send(run.id(), Signal::HUP);
    pause(&place);
    send(run.id(), Signal::TERM);
    until("the first is heard", || stops(&place) == [StopKind::AfterEpoch]);
    send(run.id(), Signal::TERM);
    assert_eq!(run.wait().expect("ends").code(), Some(143));
    assert_eq!(stops(&place), [StopKind::AfterEpoch, StopKind::Now]);
}
