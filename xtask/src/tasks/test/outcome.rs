//! What `cargo test` printed, read for its programs, the sums of their tests and the names of those that failed.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What the names of tests that take minutes begin with; `cargo test` leaves them out, since they are ignored.
pub const LONG: &str = "::long_";

/// A program of tests, as cargo names it when it starts it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Program {
    /// As a reader of the list knows it.
    title: String,
    /// The options that choose it.
    options: String,
}

impl Program {
    /// `Running tests/runs/main.rs (target/debug/deps/runs-0123)`, `Running unittests src/lib.rs (...)`, `Doc-tests facetui`.
    fn parse(line: &str) -> Option<Self> {
        if let Some(package) = line.strip_prefix("Doc-tests ") {
            let options = format!("--package {} --doc", package.replace('_', "-"));
            return Some(Self { title: format!("documentation of {package}"), options });
        }
        let (source, file) = line.strip_prefix("Running ")?.strip_suffix(')')?.split_once(" (")?;
        let file = file.rsplit('/').next()?;
        let name = file.rsplit_once('-').map_or(file, |(name, _)| name);
        let options = match source.strip_prefix("unittests ") {
            None => format!("--test {name}"),
            Some(source) if source.ends_with("lib.rs") => format!("--package {} --lib", name.replace('_', "-")),
            Some(_) => format!("--package {name} --bin {name}"),
        };
        let title = if source.starts_with("unittests ") { format!("{name} (unit tests)") } else { name.to_owned() };
        Some(Self { title, options })
    }
}

/// The last line of a program, and the names that it listed before.
#[derive(Debug)]
struct Ended {
    passed: u64,
    failed: u64,
    ignored: u64,
    names: Vec<String>,
}

/// A test that failed; without a name, a program that ended before it had told of its tests.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Failed {
    program: Program,
    name: Option<String>,
    long: bool,
}

impl Failed {
    /// What repeats it.
    fn command(&self) -> String {
        let options = self.program.options.as_str();
        let ignored = if self.long { " --ignored" } else { "" };
        match &self.name {
            // The examples of a documentation are chosen by a part of their name.
            Some(name) if options.ends_with("--doc") => {
                format!("cargo test {options} '{}'", name.split(" (line").next().unwrap_or(name))
            }
            Some(name) => format!("cargo test {options} {name} -- --exact{ignored}"),
            None if self.long => format!("cargo test {options} -- --ignored {LONG}"),
            None => format!("cargo test {options}"),
        }
    }
}

/// Programs, sums and failures so far.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whether the long tests are running.
    pub long: bool,
    /// Programs that were started.
    pub programs: usize,
    line: Vec<u8>,
    program: Option<Program>,
    listed: Vec<String>,
    ended: Option<Ended>,
    passed: u64,
    ignored: u64,
    failed: BTreeSet<Failed>,
}

impl Outcome {
    /// Takes what was printed next.
    pub fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.read_line(&plain(&String::from_utf8_lossy(&line)));
            } else {
                self.line.push(byte);
            }
        }
    }

    fn read_line(&mut self, line: &str) {
        if let Some(program) = Program::parse(line.trim_start()) {
            self.close();
            self.program = Some(program);
            self.programs += 1;
        } else if line == "failures:" {
            // It comes twice: before what the tests printed, and before their names.
            self.listed.clear();
        } else if let Some(result) = line.strip_prefix("test result: ") {
            // A test may have printed another program's last line: this program's own is the last of all.
            self.ended = Some(Ended {
                passed: number_before(result, " passed"),
                failed: number_before(result, " failed"),
                ignored: number_before(result, " ignored"),
                names: std::mem::take(&mut self.listed),
            });
        } else if let Some(name) = line.strip_prefix("    ") {
            self.listed.push(name.to_owned());
        }
    }

    /// Counts the program that has ended.
    pub fn close(&mut self) {
        let Some(program) = self.program.take() else { return };
        let long = self.long;
        self.listed.clear();
        match self.ended.take() {
            Some(ended) => {
                self.passed += ended.passed;
                self.ignored += ended.ignored;
                let unnamed = ended.failed > 0 && ended.names.is_empty();
                let names = if ended.failed > 0 { ended.names } else { Vec::new() };
                let failed = names.into_iter().map(|name| Failed { program: program.clone(), name: Some(name), long });
                self.failed.extend(failed);
                if unnamed {
                    self.failed.insert(Failed { program, name: None, long });
                }
            }
            None => {
                self.failed.insert(Failed { program, name: None, long });
            }
        }
    }

    /// Whether anything failed.
    pub fn has_failures(&self) -> bool {
        !self.failed.is_empty()
    }

    /// The sums, and every failure with what repeats it.
    pub fn summary(&self, took: &str) -> String {
        let Self { programs, passed, failed, ignored, .. } = self;
        let mut text = format!(
            "\n{programs} programs in {took}: {passed} tests passed, {} failed, {ignored} ignored",
            failed.len()
        );
        for failure in failed {
            let name = failure.name.as_deref().unwrap_or("it ended before its tests had");
            let _ = write!(text, "\nfailed: {}: {name}\n  repeat: {}", failure.program.title, failure.command());
        }
        text
    }
}

/// The number that stands before a word.
fn number_before(text: &str, word: &str) -> u64 {
    let number = text.split(word).next().and_then(|before| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// A line without the escapes that colour it.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.trim_end_matches('\r');
    while let Some((before, behind)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        rest = behind.split_once(|letter: char| letter.is_ascii_alphabetic()).map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Outcome {
        let mut outcome = Outcome::default();
        // In small parts, as a pipe gives it.
        text.as_bytes().chunks(7).for_each(|part| outcome.read(part));
        outcome.close();
        outcome
    }

    const GREEN: &str = "\
   Compiling facetui v0.1.0 (/x/facetui)
    Finished `dev` profile [optimized + debuginfo] target(s) in 1.20s
\u{1b}[1m\u{1b}[32m     Running\u{1b}[0m unittests src/lib.rs (target/debug/deps/facetui-00b4a27bb3)

running 2 tests
test a::b ... ok
test a::c ... ignored

test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s

";

    #[test]
    fn sums_are_those_of_all_programs() {
        let outcome = read(&(GREEN.to_owned() + GREEN));
        assert!(!outcome.has_failures());
        assert_eq!(outcome.summary("4 s"), "\n2 programs in 4 s: 2 tests passed, 0 failed, 2 ignored");
    }

    #[test]
    fn every_failure_is_listed_with_what_repeats_it() {
        let outcome = read(&format!(
            "{GREEN}     Running unittests src/lib.rs (target/debug/deps/facetui_jpeg-1a)
test tests::x ... FAILED

failures:

---- tests::x stdout ----
    this line is indented
test result: FAILED. 0 passed; 1 failed; 0 ignored; that of a program which the test started

failures:
    tests::x

test result: FAILED. 5 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s

error: test failed, to rerun pass `-p facetui-jpeg --lib`
     Running tests/runs/main.rs (/abs/target/debug/deps/runs-2b)
failures:
    faults::one
    silence::two

test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 60.10s
     Running unittests src/main.rs (target/debug/deps/xtask-3c)
failures:
    args::tests::y

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
   Doc-tests facetui
failures:
    src/lib.rs - read (line 12)

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
"
        ));
        let summary = outcome.summary("1 min 2 s");
        assert!(summary.starts_with("\n5 programs in 1 min 2 s: 13 tests passed, 5 failed, 1 ignored\n"), "{summary}");
        for line in [
            "failed: facetui_jpeg (unit tests): tests::x\n  repeat: cargo test --package facetui-jpeg --lib tests::x -- --exact",
            "failed: runs: faults::one\n  repeat: cargo test --test runs faults::one -- --exact",
            "failed: runs: silence::two\n  repeat: cargo test --test runs silence::two -- --exact",
            "failed: xtask (unit tests): args::tests::y\n  repeat: cargo test --package xtask --bin xtask args::tests::y -- --exact",
            "repeat: cargo test --package facetui --doc 'src/lib.rs - read'",
        ] {
            assert!(summary.contains(line), "{line}\n{summary}");
        }
        assert_eq!(summary.matches("failed:").count(), 5, "{summary}");
    }

    #[test]
    fn a_program_that_is_killed_is_a_failure_too() {
        let outcome = read(&format!(
            "     Running tests/counts/main.rs (target/debug/deps/counts-2b)\nrunning 9 tests\ntest a ... ok\n\
             error: test failed\n\nCaused by:\n    process didn't exit successfully: (signal: 9, SIGKILL: kill)\n{GREEN}"
        ));
        let summary = outcome.summary("1 s");
        assert!(
            summary.ends_with("failed: counts: it ended before its tests had\n  repeat: cargo test --test counts"),
            "{summary}"
        );
    }

    #[test]
    fn a_long_test_is_repeated_as_one() {
        let mut outcome = Outcome { long: true, ..Outcome::default() };
        outcome.read(
            b"     Running tests/runs/main.rs (target/debug/deps/runs-2b)\nfailures:\n    kill_resume::long_x\n\n",
        );
        outcome.read(b"test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n");
        outcome.close();
        assert!(outcome.summary("1 s").ends_with("cargo test --test runs kill_resume::long_x -- --exact --ignored"));
    }
}
