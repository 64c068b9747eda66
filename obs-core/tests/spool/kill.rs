//! `kill -9`, at moments that nobody chose.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use obs_core::courier::{Courier, Destinations, HttpTransport, SpoolSettings};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::child::{NUMBER_KEY, RUN_KEY, Service};
use super::collector::{Collector, PATIENCE, Request};
use super::{NOWHERE, Scratch, fill, number_of, quick, soon};

/// Between these.
fn random(from: Duration, to: Duration) -> Duration {
    let part = RandomState::new().hash_one(1) as f64 / u64::MAX as f64;
    from + (to - from).mul_f64(part)
}

fn gunzip(request: &Request) -> Vec<u8> {
    let mut body = Vec::new();
    GzDecoder::new(request.body.as_slice())
        .read_to_end(&mut body)
        .expect("gzip");
    body
}

fn integer(span: &Span, key: &str) -> i64 {
    let attribute = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == key);
    match attribute.and_then(|found| found.value.clone()?.value) {
        Some(Value::IntValue(value)) => value,
        other => panic!("{key}: {other:?}"),
    }
}

/// Run and number of each span in a request.
fn spans(request: &Request) -> Vec<(u64, u64)> {
    let decoded = ExportTraceServiceRequest::decode(gunzip(request).as_slice()).expect("OTLP");
    let resources = decoded.resource_spans.iter();
    let spans = resources
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans);
    spans
        .map(|span| {
            let number = |key: obs_core::Key| integer(span, key.as_str()) as u64;
            (number(RUN_KEY), number(NUMBER_KEY))
        })
        .collect()
}

#[test]
fn a_kill_in_an_outage_costs_less_than_a_second() {
    let scratch = Scratch::new();
    let spool = scratch.path("spool");
    let mut runs = BTreeMap::new();
    for run in 0..5 {
        let service = Service::start("record", &spool, NOWHERE, run);
        service.wait_until_it_says(1);
        thread::sleep(random(Duration::from_millis(300), Duration::from_secs(3)));
        let (at, said) = service.kill();
        runs.insert(run, (at, said));
    }
    let collector = Collector::start([]);
    let transport = HttpTransport::new(&Destinations::below(&collector.url())).expect("usable");
    let courier = Courier::new(transport, quick().with_spool(SpoolSettings::at(&spool)));
    let started = Instant::now();
    courier.start().expect("threads");
    while courier.accounts().traces.recovered == 0 {
        assert!(started.elapsed() < PATIENCE, "{courier:?}");
        thread::sleep(Duration::from_millis(1));
    }
    let found = started.elapsed();
    courier.shutdown(soon()).expect("all of it arrives");
    let accounts = courier.accounts();
    assert_eq!(accounts.traces.delivered, accounts.traces.recovered);

    let mut arrived: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for (run, number) in collector.requests().iter().flat_map(spans) {
        let is_new = arrived.entry(run).or_default().insert(number);
        assert!(is_new, "{number} of {run} twice");
    }
    for (run, (killed, said)) in &runs {
        let arrived = arrived.get(run).map_or(0, BTreeSet::len) as u64;
        let last = said.last().expect("it lived").0;
        // Numbers arrive without a gap, so the first that is missing is their count.
        let missing = said.iter().find(|(number, _)| *number >= arrived);
        let age = missing.map_or(Duration::ZERO, |(_, at)| {
            killed.saturating_duration_since(*at)
        });
        println!(
            "run {run}: {arrived} of {} arrived, the oldest lost was {age:?} old",
            last + 1
        );
        assert!(age < Duration::from_secs(1), "run {run}: {age:?}");
    }
    println!(
        "{} spans found again in {found:?}",
        accounts.traces.recovered
    );
    assert!(found < Duration::from_secs(2), "{found:?}");
    let gapless = |numbers: &BTreeSet<u64>| numbers.iter().copied().eq(0..numbers.len() as u64);
    assert!(arrived.values().all(gapless));
}

#[test]
fn a_kill_in_delivery_loses_nothing_and_repeats_one_batch_at_most() {
    const BATCHES: u64 = 600;
    let scratch = Scratch::new();
    let spool = scratch.path("spool");
    fill(&SpoolSettings::at(&spool), BATCHES, 3_000);
    let collector = Collector::start([]);
    let arrived = || -> Vec<u64> {
        let requests = collector.requests();
        requests
            .iter()
            .map(|request| number_of(&gunzip(request)))
            .collect()
    };
    let mut kills = 0;
    let deadline = soon();
    while arrived().last() != Some(&(BATCHES - 1)) {
        assert!(Instant::now() < deadline, "{} arrived", arrived().len());
        let service = Service::start("deliver", &spool, &collector.url(), kills);
        service.wait_until_it_says(1);
        thread::sleep(random(Duration::ZERO, Duration::from_millis(250)));
        service.kill();
        kills += 1;
    }
    // What was sent last may not have been marked.
    let transport = HttpTransport::new(&Destinations::below(&collector.url())).expect("usable");
    let courier = Courier::new(transport, quick().with_spool(SpoolSettings::at(&spool)));
    courier.step(Instant::now(), soon());
    courier.shutdown(soon()).expect("nothing was lost");
    let arrived = arrived();
    let distinct: BTreeSet<u64> = arrived.iter().copied().collect();
    println!("{kills} kills, {} repeated", arrived.len() - distinct.len());
    assert!(kills > 1, "nobody was killed in mid-delivery");
    assert!(
        distinct.iter().copied().eq(0..BATCHES),
        "some never arrived"
    );
    assert!(arrived.len() - distinct.len() <= kills as usize);
    assert!(
        arrived.is_sorted(),
        "in order, with repetitions side by side"
    );
}
