//! A token that comes late is told at once, and once.

use crate::support::{MODEL, Rig, ms};
use obs_core::Outcome;
use obs_core::sampling::HeadSampler;
use obs_llm::SLOW;

#[test]
fn a_first_token_and_a_gap_that_are_slow_are_each_told_once_with_the_trace() {
    let rig = Rig::with(
        |builder| builder,
        |server| server.with_slow(Some(ms(100)), Some(ms(30))),
    );
    let mut request = rig.request();
    request.scheduled();
    let mut told = Vec::new();
    for after in [99, 29, 30, 31] {
        rig.pass(after);
        request.token();
        told.push(rig.capture.log_events().len());
    }
    assert_eq!(told, [0, 0, 1, 1]);
    request.end(Outcome::ANSWERED);
    let mut request = rig.request();
    rig.pass(60);
    // Waiting is waiting for the first token, too.
    request.scheduled();
    rig.pass(40);
    request.token();
    drop(request);

    let (events, records) = (rig.capture.log_events(), rig.capture.records());
    let expect = [("token_gap", 0.03), ("first_token", 0.1)];
    assert_eq!(events.len(), expect.len());
    for ((event, record), (cause, seconds)) in events.iter().zip(&records).zip(expect) {
        assert_eq!(event.name, "obs.llm.slow");
        assert_eq!(event.trace_id, Some(record.trace_id));
        let says = |key: &str| {
            let mut pairs = event.attributes.iter();
            let found = pairs.find(|pair| pair.key.as_str() == key);
            found.map(|pair| pair.value.to_string())
        };
        for (key, value) in [
            ("obs.llm.slow.cause", cause.to_owned()),
            ("obs.llm.slow.duration", seconds.to_string()),
            ("obs.llm.slow.threshold", seconds.to_string()),
            ("gen_ai.operation.name", "chat".to_owned()),
            ("gen_ai.provider.name", "acme".to_owned()),
            ("gen_ai.request.model", MODEL.to_owned()),
        ] {
            assert_eq!(says(key), Some(value), "{key}");
        }
    }
    assert_eq!(records[0].attr("obs.llm.slow.count"), Some(&2.into()));
    assert_eq!(records[1].attr("obs.llm.slow.count"), None);
}

#[test]
fn it_is_slow_from_what_is_said_on_and_never_where_that_is_never() {
    let slow = SLOW.as_millis() as u64;
    let told = |server: fn(obs_llm::ModelServer) -> obs_llm::ModelServer, after| {
        let rig = Rig::with(|builder| builder, server);
        let mut request = rig.request();
        for _ in 0..2 {
            rig.pass(after);
            request.token();
        }
        rig.capture.log_events().len()
    };
    assert_eq!(told(|server| server, slow - 1), 0);
    assert_eq!(told(|server| server, slow), 2);
    assert_eq!(told(|server| server.with_slow(None, None), 3_600_000), 0);
}

#[test]
fn its_trace_is_kept_where_that_is_asked_for() {
    for (keeps, kept) in [(false, 0), (true, 1)] {
        let rig = Rig::with(
            |builder| builder.with_sampler(HeadSampler::always_off()),
            |server| server.with_slow_kept(keeps),
        );
        let mut request = rig.request();
        rig.pass(250);
        request.token();
        request.end(Outcome::ANSWERED);
        assert_eq!(rig.capture.records().len(), kept);
        assert_eq!(rig.capture.log_events().len(), 1);
    }
}
