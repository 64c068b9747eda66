//! R11: everything that the exporter stands on logs at TRACE, and all of it is exported: what the exporter does itself must
//! not come back.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use obs_core::logs::{Flood, LogLayer};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use super::endings::exporting;
use crate::chaos::{
    Pace,
    receiver::{Payload, Receiver},
    row::Row,
};

const TARGET: &str = "chaos::application";
const PATIENCE: Duration = Duration::from_secs(30);

/// Log records by target.
type Targets = BTreeMap<String, u64>;

fn lock(targets: &Mutex<Targets>) -> MutexGuard<'_, Targets> {
    targets.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn trace(pace: Pace) -> io::Result<Vec<Row>> {
    let seen = Arc::new(Mutex::new(Targets::new()));
    let receiver = Receiver::showing({
        let seen = seen.clone();
        move |_, payload| count(payload, &mut lock(&seen))
    })?;
    let telemetry = exporting(&receiver.endpoint())
        .build()
        .map_err(io::Error::other)?;
    let layer = LogLayer::new(&telemetry)
        .without_lines()
        .with_flood(Flood::off());
    let bridge = layer.bridge().with_max_level(log::LevelFilter::Trace);
    // No filter at all: TRACE of every crate.
    tracing_subscriber::registry()
        .with(layer)
        .try_init()
        .map_err(io::Error::other)?;
    // What is installed above may have a logger with it; then records of `log` come as events.
    let _ = bridge.install();
    log::set_max_level(log::LevelFilter::Trace);

    let (from, long) = (Instant::now(), Duration::from_secs(600));
    let mut rounds = 0;
    while rounds < ROUNDS || pace.is_long() && from.elapsed() < long {
        tracing::trace!(target: TARGET, rounds, "a round");
        telemetry.flush(PATIENCE).map_err(io::Error::other)?;
        rounds += 1;
        if pace.is_long() {
            thread::sleep(Duration::from_millis(100));
        }
    }
    let quiet = lock(&seen).clone();
    let own = quiet.get(TARGET).copied().unwrap_or_default();
    let back: u64 = quiet.values().sum::<u64>() - own;

    // The same libraries at work for the application are heard: the silence above is not deafness.
    let url = format!("{}/v1/nothing", receiver.endpoint());
    let _ = ureq::get(&url).call();
    let client = thread::spawn(move || {
        reqwest::blocking::Client::new()
            .post(url)
            .body("x")
            .send()
            .is_ok()
    });
    let asked = client.join().unwrap_or(false);
    telemetry.flush(PATIENCE).map_err(io::Error::other)?;
    let heard = lock(&seen).clone();
    let of = |crates: &[&str]| -> u64 {
        let theirs = heard
            .iter()
            .filter(|(target, _)| crates.iter().any(|name| target.starts_with(name)));
        theirs.map(|(_, count)| count).sum()
    };
    let (ureq, hyper) = (of(&["ureq"]), of(&["hyper", "reqwest"]));
    let mut row = Row::new(
        "R11/http",
        format!(
            "TRACE of every crate exported over OTLP/HTTP, {rounds} rounds; then an application's own ureq and reqwest as control"
        ),
    );
    if back > 0 {
        row.done
            .push_str(&format!("; came back: {quiet:?}").replace('|', " "));
    }
    row.put("rounds", f64::from(rounds), "")
        .put("exported of the application", own as f64, "")
        .put("of its own work", back as f64, "")
        .put("heard of ureq", ureq as f64, "")
        .put("heard of hyper and reqwest", hyper as f64, "")
        .put("control", ureq.min(hyper).min(u64::from(asked)) as f64, "");
    telemetry.shutdown(PATIENCE).map_err(io::Error::other)?;
    Ok(vec![row])
}

const ROUNDS: u32 = 500;

fn count(payload: &Payload, targets: &mut Targets) {
    let Payload::Logs(request) = payload else {
        return;
    };
    for scope in request
        .resource_logs
        .iter()
        .flat_map(|logs| &logs.scope_logs)
    {
        let name = scope.scope.as_ref().map_or("", |scope| scope.name.as_str());
        *targets.entry(name.to_owned()).or_default() += scope.log_records.len() as u64;
    }
}
