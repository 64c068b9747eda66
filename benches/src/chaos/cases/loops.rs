//! R11: everything that the exporter stands on logs at TRACE, and all of it is exported: what the exporter does itself must
//! not come back.

use std::{
    collections::BTreeMap,
    io,
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use obs_core::{
    Delivery, Telemetry,
    courier::Destinations,
    logs::{Flood, LogLayer},
    setup::environment::Environment,
};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt};

use crate::chaos::{
    Pace,
    receiver::{Payload, Receiver},
    row::Row,
};

const TARGET: &str = "chaos::application";
/// Of the event after which the application does with the same libraries what the exporter does.
const TURN: &str = "chaos::turn";
const PATIENCE: Duration = Duration::from_secs(30);
const ROUNDS: u32 = 500;
/// Of the long run, in seconds.
const LONG: u64 = 600;

/// Log records by target: before the turn, and after it.
#[derive(Clone, Debug, Default)]
struct Heard {
    before: BTreeMap<String, u64>,
    after: BTreeMap<String, u64>,
    turned: bool,
}

impl Heard {
    fn take(&mut self, payload: &Payload) {
        let Payload::Logs(request) = payload else {
            return;
        };
        for scope in request
            .resource_logs
            .iter()
            .flat_map(|logs| &logs.scope_logs)
        {
            let name = scope.scope.as_ref().map_or("", |scope| scope.name.as_str());
            self.turned |= name == TURN;
            let heard = if self.turned {
                &mut self.after
            } else {
                &mut self.before
            };
            *heard.entry(name.to_owned()).or_default() += scope.log_records.len() as u64;
        }
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn http(pace: Pace) -> io::Result<Vec<Row>> {
    row("http", pace, |heard| {
        Receiver::showing(move |_, payload| lock(&heard).take(payload))
    })
}

pub(super) fn grpc(pace: Pace) -> io::Result<Vec<Row>> {
    row("grpc", pace, |heard| {
        Receiver::showing_grpc(move |_, payload| lock(&heard).take(payload))
    })
}

fn row(
    protocol: &str,
    pace: Pace,
    receive: impl FnOnce(Arc<Mutex<Heard>>) -> io::Result<Receiver>,
) -> io::Result<Vec<Row>> {
    let heard = Arc::new(Mutex::new(Heard::default()));
    let receiver = receive(heard.clone())?;
    // In another process than the receiver, which stands on the same libraries and is heard by nobody there.
    let said = Command::new(std::env::current_exe()?)
        .args(["chaos-loops", &receiver.endpoint(), protocol])
        .args(pace.is_long().then_some("--long"))
        .stderr(Stdio::inherit())
        .output()?;
    if !said.status.success() {
        return Err(io::Error::other("the application failed"));
    }
    let heard = lock(&heard).clone();
    let own = heard.before.get(TARGET).copied().unwrap_or_default();
    let back = heard.before.values().sum::<u64>() - own;
    let of = |crates: &[&str]| -> u64 {
        let is_theirs = |target: &str| crates.iter().any(|name| target.starts_with(name));
        heard
            .after
            .iter()
            .filter(|(target, _)| is_theirs(target))
            .map(|(_, count)| count)
            .sum()
    };
    let (ureq, hyper) = (of(&["ureq"]), of(&["hyper", "reqwest"]));
    let mut row = Row::new(
        format!("R11/{protocol}"),
        format!(
            "TRACE of every crate exported over {protocol}, {own} rounds; then an application's own ureq and reqwest as control"
        ),
    );
    if back > 0 {
        row.done
            .push_str(&format!("; came back: {:?}", heard.before));
    }
    row.put("exported of the application", own as f64, "")
        .put("of its own work", back as f64, "")
        .put("heard of ureq", ureq as f64, "")
        .put("heard of hyper and reqwest", hyper as f64, "")
        .put("control", ureq.min(hyper).min(own) as f64, "");
    Ok(vec![row])
}

/// The process that logs.
pub(crate) fn application(endpoint: &str, protocol: &str, long: bool) -> io::Result<()> {
    let destinations = match protocol {
        "grpc" => Destinations::grpc(endpoint),
        _ => Destinations::below(endpoint),
    };
    let telemetry = Telemetry::builder()
        .with_environment(Environment::default())
        .with_delivery(Delivery::otlp(destinations))
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
    // What is installed above may have brought a logger; then records of `log` come as events.
    let _ = bridge.install();
    log::set_max_level(log::LevelFilter::Trace);

    let (from, mut rounds) = (Instant::now(), 0);
    while rounds < ROUNDS || long && from.elapsed() < Duration::from_secs(LONG) {
        tracing::trace!(target: TARGET, rounds, "a round");
        telemetry.flush(PATIENCE).map_err(io::Error::other)?;
        rounds += 1;
        if long {
            thread::sleep(Duration::from_millis(100));
        }
    }
    tracing::trace!(target: TURN, "now the application");
    telemetry.flush(PATIENCE).map_err(io::Error::other)?;
    // The same libraries at work for the application are heard: the silence above is not deafness. Whether it is answered
    // is another matter.
    let url = format!("{endpoint}/v1/nothing");
    let _ = ureq::get(&url).call();
    let client =
        thread::spawn(move || drop(reqwest::blocking::Client::new().post(url).body("x").send()));
    drop(client.join());
    telemetry.shutdown(PATIENCE).map_err(io::Error::other)
}
