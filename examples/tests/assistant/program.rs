//! The program under test, and where its services are.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use obs_testing::Receiver;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// The program, with nothing of this process's `OTEL_*` and `OPENAI_*` variables.
pub(crate) fn assistant(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assistant"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("OTEL_") || text.starts_with("OPENAI_") {
            command.env_remove(&name);
        }
    }
    command
        .args(arguments)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub(crate) fn quick(environment: &[(&str, &str)]) -> Output {
    let run = assistant(&["--quick"], environment).output();
    run.expect("the program was built with this test")
}

#[track_caller]
pub(crate) fn check_contains(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => panic!("`{part}` is not there, or not in its place:\n{text}"),
        }
    }
}

/// The services behind the front.
pub(crate) const BEHIND: [&str; 2] = ["assistant-knowledge", "assistant-tools"];

/// The number of a service's process, as the front told it.
#[track_caller]
fn process_of(stdout: &str, service: &str) -> Pid {
    let beginning = format!("{service} at ");
    let line = stdout.lines().find(|line| line.starts_with(&beginning));
    let number = line.and_then(|line| between(line, "process ", ",").parse().ok());
    Pid::from_raw(number.unwrap_or_else(|| panic!("no process is named:\n{stdout}")))
}

/// No service behind the front is left of a run that said this.
#[track_caller]
pub(crate) fn assert_gone(stdout: &str) {
    for service in BEHIND {
        let process = process_of(stdout, service);
        // Ended and waited for: not even a zombie has that number.
        assert!(kill(process, None).is_err(), "{service} is still there");
    }
}

/// The whole answer, head and body.
pub(crate) fn get(host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(host).expect("it serves");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    match head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        true => format!("{head}\r\n\r\n{}", unchunked(body)),
        false => answer,
    }
}

/// What stands in the chunks of a body, all of them.
fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").expect("a chunk");
        let size = usize::from_str_radix(size, 16).expect("its size");
        if size == 0 {
            return text;
        }
        text += &rest[..size];
        body = rest[size..].strip_prefix("\r\n").expect("its end");
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or(rest, |(found, _)| found)
}

/// All services, going on; killed with the test, whatever becomes of it.
pub(crate) struct Served {
    process: Child,
    lines: Box<dyn Iterator<Item = String>>,
    /// What it said so far.
    said: String,
}

impl Served {
    /// Starts it and waits for nothing.
    pub(crate) fn start(arguments: &[&str], receiver: Option<&Receiver>) -> Self {
        // One that is killed cannot clean up.
        let temporary = ("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
        let mut command = assistant(arguments, &[temporary]);
        if let Some(receiver) = receiver {
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint());
        }
        let mut process = command.spawn().expect("the program was built");
        let stdout = process.stdout.take().expect("piped");
        Self {
            process,
            lines: Box::new(BufReader::new(stdout).lines().map_while(Result::ok)),
            said: String::new(),
        }
    }

    /// Starts it, and waits until it serves after a small load.
    pub(crate) fn after_the_load(receiver: &Receiver) -> Self {
        let mut served = Self::start(&["--quick", "--serve"], Some(receiver));
        served.read_until("Serving until ctrl-c:");
        served
    }

    /// Reads what it says up to a line that begins so.
    #[track_caller]
    pub(crate) fn read_until(&mut self, beginning: &str) {
        for line in self.lines.by_ref() {
            self.said.push_str(&line);
            self.said.push('\n');
            if line.starts_with(beginning) {
                return;
            }
        }
        panic!("it never said `{beginning}`:\n{}", self.said);
    }

    /// Kills a service behind the front.
    pub(crate) fn kill(&self, service: &str) {
        kill(process_of(&self.said, service), Signal::SIGKILL).expect("it runs");
    }

    #[track_caller]
    pub(crate) fn assert_gone(&self) {
        assert_gone(&self.said);
    }

    /// Where a service listens.
    pub(crate) fn address(&self, service: &str) -> String {
        between(&self.said, &format!("{service} at http://"), ",").to_owned()
    }

    /// What the front answers.
    pub(crate) fn ask(&self, path: &str) -> String {
        get(&self.address("assistant-front"), path)
    }

    /// Signals the front.
    pub(crate) fn signal(&self, signal: Signal) {
        let front = Pid::from_raw(self.process.id().cast_signed());
        kill(front, signal).expect("it is ours, and not waited for yet");
    }

    /// How the front ended, and its last words.
    pub(crate) fn end(&mut self) -> (ExitStatus, String) {
        let mut words = String::new();
        let stderr = self.process.stderr.take();
        stderr
            .expect("piped, and read once")
            .read_to_string(&mut words)
            .expect("text");
        (self.process.wait().expect("it is ours"), words)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
