//! By which names requests are counted: few, whatever strangers ask for.

use crate::support::{MODEL, Rig, server_of};
use obs_core::metrics::{Data, Temporality};
use obs_core::semconv::{gen_ai, obs};
use obs_core::{Outcome, Parent};
use obs_llm::server::MODEL_ERROR;
use obs_llm::wire::RequestSink;
use obs_llm::{Dialect, LlmOperation, ModelServer, Provider};
use obs_testing::Capture;
use std::collections::BTreeMap;

fn durations_by(capture: &Capture, key: obs_core::Key) -> BTreeMap<String, u64> {
    let points = capture.points();
    let by = points.histogram_by(gen_ai::SERVER_REQUEST_DURATION, key.as_str());
    by.into_iter()
        .map(|(value, point)| (value, point.count))
        .collect()
}

#[test]
fn a_flood_of_names_takes_no_room_and_spans_have_them() {
    let rig = Rig::with(|builder| builder, |server| server.with_alias("default"));
    for number in 0..2000 {
        let mut request = rig.request();
        request.model(&format!("no-such-{number}"));
        drop(request);
    }
    rig.capture.clear();
    for name in [MODEL, "default", "no-such"] {
        let mut request = rig.request();
        request.model(name);
        request.end(Outcome::ANSWERED);
    }
    let by = durations_by(&rig.capture, gen_ai::REQUEST_MODEL);
    let expect = [("_OTHER", 2001), ("default", 1), (MODEL, 1)];
    let expect = expect.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(by, BTreeMap::from(expect));
    let by = durations_by(&rig.capture, gen_ai::RESPONSE_MODEL);
    assert_eq!(by, BTreeMap::from([(MODEL.to_owned(), 2003)]));
    let asked: Vec<_> = rig.capture.records();
    let asked: Vec<_> = { asked.iter() }
        .map(|record| (record.name.as_str(), record.text("gen_ai.request.model")))
        .collect();
    let expect = [
        ("chat tiny-llama", Some(MODEL)),
        ("chat default", Some("default")),
        ("chat _OTHER", Some("no-such")),
    ];
    assert_eq!(asked, expect);
}

#[test]
fn two_models_of_one_process_are_told_apart() {
    let capture = Capture::new();
    let one = server_of(&capture);
    let other = ModelServer::new(capture.telemetry(), Provider::named("acme"), "large")
        .with_dialect(Dialect::V1_41);
    let waits = one.request(LlmOperation::Chat, Parent::Root);
    let mut runs = other.request(LlmOperation::Chat, Parent::Root);
    runs.scheduled();
    let _ = (one.step(2), other.step(8));
    let model = gen_ai::RESPONSE_MODEL;
    let points = capture.points();
    let waiting = points.sum_by(obs::LLM_SERVER_WAITING, model.as_str());
    let expect = [(MODEL, 1.0), ("large", 0.0)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(waiting, BTreeMap::from(expect));
    let sizes = points.histogram_by(obs::LLM_SERVER_BATCH_SIZE, model.as_str());
    assert_eq!(sizes[MODEL].sum, Some(2.0));
    assert_eq!(sizes["large"].sum, Some(8.0));
    waits.end(Outcome::ANSWERED);
    runs.end(Outcome::ANSWERED);
    let by = durations_by(&capture, model);
    let expect = [(MODEL, 1), ("large", 1)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(by, BTreeMap::from(expect));
}

#[test]
fn a_time_to_the_first_token_leads_to_a_trace_that_has_it() {
    let rig = Rig::new();
    let reader = rig.capture.telemetry().reader(Temporality::Cumulative);
    let mut failed = rig.request();
    rig.pass(700);
    failed.token();
    failed.end(Outcome::failed(MODEL_ERROR));
    let mut answered = rig.request();
    rig.decode(&mut answered, 1);
    answered.end(Outcome::ANSWERED);
    let records = rig.capture.records();
    let metrics = reader.collect();
    let mut metrics = metrics.iter();
    let first = metrics.find(|metric| metric.name == gen_ai::SERVER_TIME_TO_FIRST_TOKEN);
    let Data::Histogram { points, .. } = &first.expect("a time").data else {
        panic!("it is a histogram");
    };
    let exemplars: Vec<_> = { points.iter() }
        .flat_map(|point| &point.exemplars)
        .map(|exemplar| (exemplar.trace_id, exemplar.value))
        .collect();
    assert_eq!(exemplars, [(records[1].trace_id, 0.020)]);
}

#[test]
fn times_to_the_first_token_know_no_error_and_durations_do() {
    let rig = Rig::new();
    let mut request = rig.request();
    rig.decode(&mut request, 2);
    request.end(Outcome::ANSWERED);
    drop(rig.request());
    let points = rig.capture.points();
    for name in [
        gen_ai::SERVER_TIME_TO_FIRST_TOKEN,
        gen_ai::SERVER_TIME_PER_OUTPUT_TOKEN,
        obs::LLM_SERVER_STAGE_DURATION,
    ] {
        for point in points.histograms(name, &[]) {
            assert_eq!(point.series.attr("error.type"), None, "{name}");
            for key in [
                "gen_ai.operation.name",
                "gen_ai.provider.name",
                "gen_ai.request.model",
                "gen_ai.response.model",
            ] {
                assert!(point.series.attr(key).is_some(), "{name} without {key}");
            }
        }
    }
    assert_eq!(rig.durations().len(), 2);
}
