//! R14: a wall clock that steps, and a process that stops for a while.

use std::{
    io,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::preload::Preload;
use crate::chaos::{
    Pace,
    receiver::Receiver,
    remote::{Remote, of},
    row::Row,
    service::Setup,
};

const HOUR: i64 = 3_600;
/// Operations open while it happens.
const OPEN: u64 = 50;
const STOPPED: Duration = Duration::from_millis(700);
const SHORT: Duration = Duration::from_millis(60);

pub(super) fn steps(_: Pace) -> io::Result<Vec<Row>> {
    let Some(preload) = Preload::build()? else {
        let why = "no C compiler to build the stepping clock with";
        return Ok(vec![Row::failed("R14/steps", why)]);
    };
    let (seen, receiver) = spans()?;
    let setup = Setup::new(receiver.endpoint(), 1.0);
    let mut service = Remote::start_with(&setup, |command| preload.set(command))?;
    let mut bounds = Vec::new();
    // There and back, further back, and home.
    for hours in [1, 0, -1, 0] {
        let step = || preload.step(hours * HOUR);
        bounds.push(during(&mut service, SHORT, step)?);
    }
    let spans = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // The harness, too: a clock that never stepped would prove nothing.
    let ends: Vec<u64> = spans.iter().map(|(_, end)| *end).collect();
    let apart = ends
        .iter()
        .max()
        .zip(ends.iter().min())
        .map_or(0, |(most, least)| most - least);
    let mut row = Row::new(
        "R14/steps",
        format!(
            "wall clock of the process stepped by +1 h, -1 h, -1 h, +1 h, {OPEN} operations open at each step"
        ),
    );
    row.put("wall clock moved", apart as f64 / 1e9, "s");
    Ok(vec![judged(row, &spans, &bounds)])
}

pub(super) fn stops(_: Pace) -> io::Result<Vec<Row>> {
    let (seen, receiver) = spans()?;
    let mut service = Remote::start(&Setup::new(receiver.endpoint(), 1.0))?;
    let pid = service.id().to_string();
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &pid]).status()?;
        if sent.success() {
            Ok(())
        } else {
            Err(io::Error::other("no signal sent"))
        }
    };
    let mut bounds = Vec::new();
    for _ in 0..2 {
        bounds.push(during(&mut service, STOPPED, || {
            signal("-STOP")?;
            thread::sleep(STOPPED);
            signal("-CONT")
        })?);
    }
    let spans = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let row = Row::new(
        "R14/suspend",
        format!(
            "the whole process stopped for {} ms (SIGSTOP: the machine itself is not suspended), {OPEN} operations open, twice",
            STOPPED.as_millis()
        ),
    );
    Ok(vec![judged(row, &spans, &bounds)])
}

type Spans = Arc<Mutex<Vec<(u64, u64)>>>;

/// Starts and ends of what arrives.
fn spans() -> io::Result<(Spans, Receiver)> {
    let seen = Spans::default();
    let receiver = Receiver::showing({
        let seen = seen.clone();
        move |_, payload| {
            let spans = payload
                .spans()
                .map(|span| (span.start_time_unix_nano, span.end_time_unix_nano));
            seen.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(spans);
        }
    })?;
    Ok((seen, receiver))
}

/// How long operations that were open around `event` lasted, at least and at most.
fn during(
    service: &mut Remote,
    least: Duration,
    event: impl FnOnce() -> io::Result<()>,
) -> io::Result<(Duration, Duration)> {
    let from = Instant::now();
    let opened = service.tell(&format!("open {OPEN}"))?;
    if of(&opened, "open") != OPEN as f64 {
        return Err(io::Error::other("the operations did not open"));
    }
    let inside = Instant::now();
    event()?;
    thread::sleep(least.saturating_sub(inside.elapsed()));
    let at_least = inside.elapsed();
    service.tell("close")?;
    let at_most = from.elapsed();
    // Seen by the collector before the next step.
    service.flush(30_000)?;
    Ok((at_least, at_most))
}

fn judged(mut row: Row, spans: &[(u64, u64)], bounds: &[(Duration, Duration)]) -> Row {
    let negative = spans.iter().filter(|(start, end)| end < start).count();
    let wrong = spans
        .iter()
        .filter(|(start, end)| {
            let lasted = Duration::from_nanos(end.saturating_sub(*start));
            // A tick's rounding: a ten-thousandth.
            let slack = lasted / 10_000;
            !bounds
                .iter()
                .any(|(least, most)| lasted + slack >= *least && lasted <= *most + slack)
        })
        .count();
    let missing = (bounds.len() as u64 * OPEN).abs_diff(spans.len() as u64);
    row.put("spans", spans.len() as f64, "")
        .put("negative durations", negative as f64, "")
        .put("wrong durations", (wrong as u64 + missing) as f64, "");
    row
}
