//! The process that is killed: this same program, told by its environment what to be.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use obs_core::courier::{
    Batch, Capture, Courier, Destinations, HttpTransport, Sent, SpoolSettings, Transport,
};
use obs_core::{Delivery, Key, Labels, Outcome, Parent};

use super::{PATIENCE, numbered, quick, soon, support};

const ROLE: &str = "OBS_SPOOL_TEST_ROLE";
const SPOOL: &str = "OBS_SPOOL_TEST_DIRECTORY";
const URL: &str = "OBS_SPOOL_TEST_URL";
const RUN: &str = "OBS_SPOOL_TEST_RUN";

/// A command that is this program as a child in a role. `before`: what runs it, e.g. a shell with a limit set.
pub(crate) fn command(before: &[&str], role: &str, spool: &Path, url: &str, run: u64) -> Command {
    let this = std::env::current_exe().expect("this program");
    let mut command = match before {
        [] => Command::new(this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
    };
    command
        .args(["--exact", "child::lives_as_it_is_told", "--nocapture"])
        .env(ROLE, role)
        .env(SPOOL, spool)
        .env(URL, url)
        .env(RUN, run.to_string());
    command
}

/// One that says what it has done, line by line.
pub(crate) struct Service {
    child: Child,
    said: Arc<Mutex<Vec<(u64, Instant)>>>,
}

impl Service {
    pub(crate) fn start(role: &str, spool: &Path, url: &str, run: u64) -> Self {
        let mut child = command(&[], role, spool, url, run)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let out = child.stdout.take().expect("its output");
        let said = Arc::new(Mutex::new(Vec::new()));
        thread::spawn({
            let said = Arc::clone(&said);
            move || listen(out, &said)
        });
        Self { child, said }
    }

    /// Numbers that it said it had done, and when that was heard.
    pub(crate) fn said(&self) -> Vec<(u64, Instant)> {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn wait_until_it_says(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.said.lock().unwrap().len() < count {
            assert!(Instant::now() < deadline, "the child says nothing");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// `kill -9`: when that was, and everything it said.
    pub(crate) fn kill(mut self) -> (Instant, Vec<(u64, Instant)>) {
        let at = Instant::now();
        self.child.kill().expect("it was alive");
        self.child.wait().expect("a child");
        (at, self.said())
    }
}

fn listen(out: ChildStdout, said: &Mutex<Vec<(u64, Instant)>>) {
    for line in BufReader::new(out).lines().map_while(Result::ok) {
        if let Some(number) = line
            .strip_prefix("did ")
            .and_then(|number| number.parse().ok())
        {
            said.lock().unwrap().push((number, Instant::now()));
        }
    }
}

/// Not a test of its own: what a child runs. Without a role there is nothing to be.
#[test]
fn lives_as_it_is_told() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let spool = SpoolSettings::at(std::env::var(SPOOL).expect("told"));
    let url = std::env::var(URL).expect("told");
    match role.as_str() {
        "record" => record(spool, &url),
        "deliver" => deliver(spool, &url),
        "fill" => fill(spool),
        other => panic!("no such role: {other}"),
    }
}

/// A service that records operations at a steady rate, with everything at its default but the spool.
fn record(spool: SpoolSettings, url: &str) {
    let run: i64 = std::env::var(RUN).expect("told").parse().expect("a number");
    let settings = obs_core::courier::Settings::default().with_spool(spool);
    let telemetry = support::builder()
        .with_sampler(support::sampler(true))
        .with_delivery(Delivery::otlp(Destinations::below(url)).with_settings(settings))
        .build()
        .expect("usable");
    let kind = telemetry.kind(&support::WORK);
    let mut out = std::io::stdout().lock();
    for number in 0_i64.. {
        let mut operation = kind.start(Labels::NONE, Parent::Root);
        operation.set(RUN_KEY, run);
        operation.set(NUMBER_KEY, number);
        operation.end(Outcome::ANSWERED);
        writeln!(out, "did {number}").expect("heard");
        out.flush().expect("heard");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) const RUN_KEY: Key = Key::new(&"test.run");
pub(crate) const NUMBER_KEY: Key = Key::new(&"test.number");

/// At a pace that a killer can hit.
struct Paced(HttpTransport);

impl Transport for Paced {
    fn send(&mut self, batch: &Batch, deadline: Instant) -> Sent {
        thread::sleep(Duration::from_millis(1));
        self.0.send(batch, deadline)
    }
}

/// Delivers what it finds, and says how much that was so far.
fn deliver(spool: SpoolSettings, url: &str) {
    let transport = HttpTransport::new(&Destinations::below(url)).expect("usable");
    let courier = Courier::new(Paced(transport), quick().with_spool(spool));
    courier.start().expect("threads");
    let mut out = std::io::stdout().lock();
    let mut told = 0;
    loop {
        let delivered = courier.accounts().total().delivered;
        if delivered > told {
            told = delivered;
            writeln!(out, "did {told}").expect("heard");
            out.flush().expect("heard");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Fills a disk that is too small for what comes, in an outage; the destination comes back, and takes everything.
fn fill(spool: SpoolSettings) {
    let is_down = Arc::new(AtomicBool::new(true));
    let capture = Capture::new().with_answer({
        let is_down = Arc::clone(&is_down);
        move |_| {
            if is_down.load(Ordering::Relaxed) {
                Sent::retry("down")
            } else {
                Sent::DELIVERED
            }
        }
    });
    let spool = spool.with_patience(Duration::ZERO);
    let courier = Courier::new(capture.clone(), quick().with_spool(spool));
    courier.start().expect("threads");
    let mut slowest = Duration::ZERO;
    for number in 0..100 {
        let started = Instant::now();
        courier.outbox().push(numbered(number, 10_000));
        slowest = slowest.max(started.elapsed());
    }
    let deadline = soon();
    while courier.accounts().spool_errors == 0 {
        assert!(Instant::now() < deadline, "no disk failed: {courier:?}");
        thread::sleep(Duration::from_millis(1));
    }
    let accounts = courier.accounts();
    assert!(
        accounts.traces.is_balanced() && accounts.traces.dropped.total() == 0,
        "{accounts:?}"
    );
    assert_eq!(accounts.traces.pending, 100);
    is_down.store(false, Ordering::Relaxed);
    courier.flush(soon()).expect("nothing was lost");
    let mut numbers: Vec<_> = capture
        .take()
        .iter()
        .map(|batch| super::number_of(&batch.body))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    courier.shutdown(soon()).expect("nothing was lost");
    let spooled = accounts.traces.spooled;
    println!(
        "{spooled} of 100 were on disk, {} errors, slowest push {slowest:?}",
        accounts.spool_errors
    );
}
