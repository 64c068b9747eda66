//! Numbers of calls, as an OTLP receiver and a Prometheus server get them: of every ending, whether its span is kept or not.
#![cfg(feature = "tonic")]

#[path = "support/echo.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod echo;
#[path = "support/host.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod host;

use echo::{EchoClient, say};
use host::{PATIENCE, of, serve, until};
use obs_core::sampling::HeadSampler;
use obs_core::setup::environment::Environment;
use obs_core::{KeepPolicy, StatsLevel, Telemetry};
use obs_rpc::client::RpcClient;
use obs_rpc::{RpcClientLayer, RpcServerLayer, StatusKey};
use obs_testing::metrics::{HistogramPoint, PointSet};
use obs_testing::{AttrValue, Capture, Receiver};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_stream::StreamExt;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tower::Layer;

const SIDES: [&str; 2] = ["rpc.client", "rpc.server"];

/// Exports to `receiver` when told to, and keeps no span.
fn telemetry(receiver: &Receiver, level: StatsLevel, measures: bool) -> Telemetry {
    let endpoint = receiver.endpoint();
    let variable =
        move |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone());
    let mut keep = KeepPolicy::default();
    keep.errors = false;
    Telemetry::builder()
        .with_environment(Environment::from_fn(variable))
        .with_otlp()
        .with_level(level)
        .with_measures(measures)
        .with_sampler(HeadSampler::ratio(0.0).expect("a share"))
        .with_keep(keep)
        .manual()
        .build()
        .expect("settings that can be used")
}

/// Both sides behind their layers.
async fn client(telemetry: &Telemetry) -> EchoClient<RpcClient<Channel>> {
    let channel = serve(RpcServerLayer::new(telemetry)).await;
    let server = "http://shop.example:8443".parse().expect("a URL");
    let layer = RpcClientLayer::new(telemetry).with_server(&server);
    EchoClient::new(layer.layer(channel))
}

/// Everything that came, once as many calls as expected are counted on both sides.
async fn points(telemetry: &Telemetry, receiver: &Receiver, calls: u64) -> PointSet {
    let counted = || {
        telemetry.flush(PATIENCE).expect("delivered");
        SIDES.iter().all(|side| {
            let points = receiver.points();
            let series = points.histograms(&format!("{side}.call.duration"), &[]);
            series.iter().map(|point| point.count).sum::<u64>() == calls
        })
    };
    until(counted).await;
    receiver.points()
}

/// The names of a point's attributes.
fn keys(point: &HistogramPoint) -> BTreeSet<&str> {
    let attributes = point.series.attributes.iter();
    attributes.map(|(key, _)| key.as_str()).collect()
}

#[tokio::test]
async fn a_call_is_one_duration_by_the_conventions_on_each_side_and_running_no_more() {
    let receiver = Receiver::start().expect("a receiver");
    let telemetry = telemetry(&receiver, StatsLevel::Base, false);
    let mut client = client(&telemetry).await;
    client.unary(say("", 0)).await.expect("answered");
    client.unary(say("fail 5", 0)).await.expect_err("as asked");
    client.unary(say("fail 13", 0)).await.expect_err("as asked");
    let points = points(&telemetry, &receiver, 3).await;
    let base = ["rpc.system.name", "rpc.method", "rpc.response.status_code"];
    for (side, errors) in [("rpc.client", 2), ("rpc.server", 1)] {
        let name = format!("{side}.call.duration");
        let series = points.histograms(&name, &[]);
        assert_eq!(series.len(), 3, "one for each status");
        for point in &series {
            assert_eq!(point.count, 1);
            let status = point.series.attr("rpc.response.status_code");
            let status = status.and_then(AttrValue::as_str).expect("a status");
            let mut expect = BTreeSet::from(base);
            if side == "rpc.client" {
                expect.extend(["server.address", "server.port"]);
                let at = [
                    ("server.address", "shop.example".into()),
                    ("server.port", 8443.into()),
                ];
                assert!(point.series.has(&at));
            }
            // To the server NOT_FOUND is no error.
            if status == "INTERNAL" || status == "NOT_FOUND" && side == "rpc.client" {
                expect.insert("error.type");
                assert_eq!(point.series.attr("error.type"), Some(&status.into()));
            }
            assert_eq!(keys(point), expect, "{name} {status}");
            assert_eq!(
                point.series.attr("rpc.method"),
                Some(&"test.Echo/Unary".into())
            );
            assert_eq!(point.series.attr("rpc.system.name"), Some(&"grpc".into()));
            // The conventions' boundaries.
            assert_eq!(point.bounds.first(), Some(&0.005));
            assert_eq!(point.bounds.last(), Some(&10.0));
        }
        let failed = series
            .iter()
            .filter(|point| keys(point).contains("error.type"));
        assert_eq!(failed.count(), errors);
        let running = points.sum(
            &format!("obs.{side}.active_calls").replace("rpc.", "rpc."),
            &[],
        );
        let _ = running;
    }
    for gauge in ["obs.rpc.client.active_calls", "obs.rpc.server.active_calls"] {
        let running = points.sum(gauge, &[]).expect(gauge);
        assert_eq!(running.as_f64(), 0.0);
        let system = running.series.attributes.iter();
        assert_eq!(
            system.map(|(key, _)| key.as_str()).collect::<Vec<_>>(),
            ["rpc.system.name"]
        );
    }
    // Stages are of Detailed, sizes are asked for; and no span was kept.
    let others: Vec<_> = points.names().into_iter().map(str::to_owned).collect();
    let is_other = |name: &&String| {
        name.contains("stage") || name.contains("messages") || name.contains(".size")
    };
    assert_eq!(others.iter().find(is_other), None);
    assert!(receiver.spans().is_empty());
}

#[tokio::test]
async fn units_and_names_are_those_of_the_conventions() {
    let receiver = Receiver::start().expect("a receiver");
    let telemetry = telemetry(&receiver, StatsLevel::Detailed, true);
    let mut client = client(&telemetry).await;
    client.unary(say("", 0)).await.expect("answered");
    points(&telemetry, &receiver, 1).await;
    let metrics = receiver.metrics();
    let metrics = metrics.iter().flat_map(|request| &request.resource_metrics);
    let metrics = metrics
        .flat_map(|of| &of.scope_metrics)
        .flat_map(|of| &of.metrics);
    let units: BTreeSet<_> = metrics
        .filter(|metric| metric.name.contains("rpc."))
        .map(|metric| (metric.name.as_str(), metric.unit.as_str()))
        .collect();
    let expect = [
        ("obs.rpc.client.active_calls", "{call}"),
        ("obs.rpc.client.request.messages", "{message}"),
        ("obs.rpc.client.request.size", "By"),
        ("obs.rpc.client.response.messages", "{message}"),
        ("obs.rpc.client.response.size", "By"),
        ("obs.rpc.server.active_calls", "{call}"),
        ("obs.rpc.server.request.messages", "{message}"),
        ("obs.rpc.server.request.size", "By"),
        ("obs.rpc.server.response.messages", "{message}"),
        ("obs.rpc.server.response.size", "By"),
        ("obs.rpc.stage.duration", "s"),
        ("rpc.client.call.duration", "s"),
        ("rpc.server.call.duration", "s"),
    ];
    assert_eq!(units, BTreeSet::from(expect));
}

#[tokio::test]
async fn messages_and_sizes_are_counted_on_both_sides() {
    let receiver = Receiver::start().expect("a receiver");
    let telemetry = telemetry(&receiver, StatsLevel::Base, true);
    let mut client = client(&telemetry).await;
    // Three messages of 5 bytes: a tag and a length before "abc".
    let messages = tokio_stream::iter([say("abc", 0), say("abc", 0), say("abc", 0)]);
    let answers = client.bidi(Request::new(messages)).await.expect("a head");
    assert_eq!(answers.into_inner().collect::<Vec<_>>().await.len(), 3);
    let points = points(&telemetry, &receiver, 1).await;
    for side in ["client", "server"] {
        for part in ["request", "response"] {
            for (what, expect) in [("messages", 3.0), ("size", 15.0)] {
                let name = format!("obs.rpc.{side}.{part}.{what}");
                let point = points.histogram(&name, &[]).expect(&name);
                assert_eq!((point.count, point.sum), (1, Some(expect)), "{name}");
            }
        }
    }
}

/// How calls end, and with which status on which side.
const ENDINGS: [(&str, &str, &str); 5] = [
    ("ok", "OK", "OK"),
    ("fails", "ABORTED", "ABORTED"),
    ("fails in the middle", "DATA_LOSS", "DATA_LOSS"),
    ("is given up before its head", "CANCELLED", "CANCELLED"),
    ("is given up in the middle", "CANCELLED", "CANCELLED"),
];

async fn end(client: &mut EchoClient<RpcClient<Channel>>, ending: &str) {
    match ending {
        "ok" => {
            client.unary(say("", 0)).await.expect("answered");
        }
        "fails" => {
            client.unary(say("fail 10", 0)).await.expect_err("as asked");
        }
        "fails in the middle" => {
            let answers = client
                .server_stream(Request::new(say("then fail 15", 1)))
                .await;
            let mut answers = answers.expect("a head").into_inner();
            answers.message().await.expect("one").expect("one");
            answers.message().await.expect_err("as asked");
        }
        "is given up before its head" => {
            let call = client.unary(say("sleep 60000", 0));
            let gone = tokio::time::timeout(Duration::from_millis(50), call).await;
            gone.expect_err("it sleeps");
        }
        "is given up in the middle" => {
            let answers = client.server_stream(Request::new(say("", 1_000_000))).await;
            let mut answers = answers.expect("a head").into_inner();
            answers.message().await.expect("one").expect("one");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn stages_and_durations_are_there_on_every_ending_although_no_span_is_kept() {
    for (ending, of_client, of_server) in ENDINGS {
        let receiver = Receiver::start().expect("a receiver");
        let telemetry = telemetry(&receiver, StatsLevel::Detailed, false);
        let mut client = client(&telemetry).await;
        end(&mut client, ending).await;
        let points = points(&telemetry, &receiver, 1).await;
        for (side, status) in [("rpc.client", of_client), ("rpc.server", of_server)] {
            let name = format!("{side}.call.duration");
            let point = points.histogram(&name, &[]).expect(&name);
            let said = point.series.attr("rpc.response.status_code");
            assert_eq!(said, Some(&status.into()), "{ending}: {side}");
        }
        let stage = |stage: &str| {
            let of = [("obs.stage", AttrValue::from(stage))];
            let series = points.histograms("obs.rpc.stage.duration", &of);
            series.iter().map(|point| point.count).sum::<u64>()
        };
        // The request was written and read in any case.
        assert_eq!(
            (stage("write_request"), stage("read_request")),
            (1, 1),
            "{ending}"
        );
        let has_head = ending != "is given up before its head";
        assert_eq!(stage("wait_response"), u64::from(has_head), "{ending}");
        // What failed by its head alone had nothing to read.
        let has_end = ["ok", "fails in the middle"].contains(&ending);
        assert_eq!(stage("read_response"), u64::from(has_end), "{ending}");
        assert_eq!(stage("write_response"), u64::from(has_end), "{ending}");
        // The stages' labels are those of the call, and its stage.
        for point in points.histograms("obs.rpc.stage.duration", &[]) {
            assert!(keys(&point).is_superset(&BTreeSet::from([
                "obs.stage",
                "rpc.method",
                "rpc.response.status_code",
                "rpc.system.name",
            ])));
        }
        for gauge in ["obs.rpc.client.active_calls", "obs.rpc.server.active_calls"] {
            assert_eq!(points.sum(gauge, &[]).expect(gauge).as_f64(), 0.0);
        }
        assert!(receiver.spans().is_empty(), "{ending}");
    }
}

#[tokio::test]
async fn a_call_that_runs_is_in_flight_on_both_sides() {
    let capture = Capture::new();
    let mut client = client(capture.telemetry()).await;
    let running = || {
        ["client", "server"].map(|side| capture.in_flight(&format!("obs.rpc.{side}.active_calls")))
    };
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let messages = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let answers = client.bidi(Request::new(messages)).await.expect("a head");
    assert_eq!(running(), [1, 1]);
    sender.send(say("", 0)).await.expect("room");
    drop(sender);
    assert_eq!(answers.into_inner().collect::<Vec<_>>().await.len(), 1);
    until(|| running() == [0, 0]).await;
}

/// The lines of a metric, each its labels and its value.
fn lines<'p>(page: &'p str, metric: &str) -> Vec<&'p str> {
    let start = format!("{metric}{{");
    let lines = page.lines().filter(|line| line.starts_with(&start));
    lines.collect()
}

#[tokio::test]
async fn the_page_of_prometheus_has_both_sides() {
    let capture = Capture::builder()
        .with_level(StatsLevel::Detailed)
        .with(|builder| builder.with_measures(true))
        .build();
    let mut client = client(capture.telemetry()).await;
    client.unary(say("abc", 0)).await.expect("answered");
    until(|| of(&capture, "rpc.server").len() == 1).await;
    let page = capture.telemetry().prometheus();
    assert!(!page.contains("not shown"), "{page}");
    for (metric, type_, count) in [
        ("rpc_client_call_duration_seconds", "histogram", 1),
        ("rpc_server_call_duration_seconds", "histogram", 1),
        ("obs_rpc_client_request_messages", "histogram", 1),
        ("obs_rpc_server_response_size_bytes", "histogram", 1),
        ("obs_rpc_client_active_calls", "gauge", 0),
        ("obs_rpc_server_active_calls", "gauge", 0),
    ] {
        assert!(
            page.contains(&format!("# TYPE {metric} {type_}\n")),
            "{metric}"
        );
        let metric = match type_ {
            "histogram" => format!("{metric}_count"),
            _ => metric.to_owned(),
        };
        let [line] = lines(&page, &metric)[..] else {
            panic!("{metric}: {page}");
        };
        assert!(line.ends_with(&format!("}} {count}")), "{line}");
        assert!(line.contains("rpc_system_name=\"grpc\""), "{line}");
    }
    let [line] = lines(&page, "rpc_server_call_duration_seconds_count")[..] else {
        panic!("{page}");
    };
    for label in [
        "rpc_method=\"test.Echo/Unary\"",
        "rpc_response_status_code=\"OK\"",
    ] {
        assert!(line.contains(label), "{line}");
    }
    let stages = lines(&page, "obs_rpc_stage_duration_seconds_count");
    for stage in [
        "write_request",
        "wait_response",
        "read_response",
        "read_request",
        "write_response",
    ] {
        let label = format!("obs_stage=\"{stage}\"");
        let own = stages.iter().filter(|line| line.contains(&label));
        assert_eq!(own.count(), 1, "{stage}: {stages:?}");
    }
}

#[tokio::test]
async fn the_status_has_the_key_that_is_asked_for_and_no_other() {
    for (key, own, other) in [
        (
            StatusKey::ResponseStatusCode,
            "rpc.response.status_code",
            "rpc.status_code",
        ),
        (
            StatusKey::StatusCode,
            "rpc.status_code",
            "rpc.response.status_code",
        ),
    ] {
        let capture = Capture::new();
        let telemetry = capture.telemetry();
        let channel = serve(RpcServerLayer::new(telemetry).with_status_key(key)).await;
        let inside = RpcClientLayer::new(telemetry).with_status_key(key);
        let outside = RpcClientLayer::calls(telemetry).with_status_key(key);
        let mut client = EchoClient::new(outside.layer(inside.layer(channel)));
        let failed = client.unary(say("fail 14", 0)).await;
        assert_eq!(failed.expect_err("as asked").code(), Code::Unavailable);
        until(|| of(&capture, "rpc.server").len() == 1).await;
        for record in capture.records() {
            assert_eq!(
                record.text(own),
                Some("UNAVAILABLE"),
                "{}",
                record.descriptor
            );
            assert_eq!(record.attr(other), None);
        }
        let points = capture.points();
        for metric in [
            "rpc.client.call.duration",
            "rpc.server.call.duration",
            "obs.rpc.call.duration",
        ] {
            let point = points.histogram(metric, &[]).expect(metric);
            assert_eq!(
                point.series.attr(own),
                Some(&"UNAVAILABLE".into()),
                "{metric}"
            );
            assert_eq!(point.series.attr(other), None, "{metric}");
        }
        // An attempt is one whatever the status is called.
        let call = of(&capture, "rpc.call");
        assert_eq!(call[0].attr("obs.rpc.call.attempts"), Some(&1.into()));
        // And there is one kind of each side, which levels are set for.
        let names: Vec<_> = telemetry
            .kinds()
            .iter()
            .map(|kind| kind.descriptor().name)
            .collect();
        assert_eq!(
            names.iter().collect::<BTreeSet<_>>().len(),
            names.len(),
            "{names:?}"
        );
        assert_eq!(telemetry.warnings(), [""; 0]);
    }
}

#[tokio::test]
async fn layers_with_two_keys_in_one_telemetry_have_that_of_the_first_and_it_is_said() {
    let capture = Capture::new();
    let telemetry = capture.telemetry();
    let first = RpcServerLayer::new(telemetry).with_status_key(StatusKey::StatusCode);
    let channel = serve(first).await;
    let second = RpcClientLayer::new(telemetry);
    let mut client = EchoClient::new(second.clone().layer(channel.clone()));
    client.unary(say("", 0)).await.expect("answered");
    // Whoever asks for the kind to set its level gets the one that is used.
    second.kind().set_level(StatsLevel::Disabled);
    client.unary(say("", 0)).await.expect("answered");
    until(|| of(&capture, "rpc.server").len() == 2).await;
    assert_eq!(of(&capture, "rpc.client").len(), 1);
    for record in capture.records() {
        assert_eq!(record.text("rpc.status_code"), Some("OK"));
        assert_eq!(record.attr("rpc.response.status_code"), None);
    }
    let warnings = telemetry.warnings();
    let [warning] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    assert!(
        warning.contains("`rpc.response.status_code`") && warning.contains("`rpc.status_code`")
    );
    let page = telemetry.prometheus();
    assert!(!page.contains("rpc_response_status_code"), "{page}");
}
