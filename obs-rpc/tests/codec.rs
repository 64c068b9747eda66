//! The timed codec in code as tonic-prost-build generates it, over real sockets: what it says of each message, and of the
//! handler.

#[path = "support/shop.rs"]
#[allow(
    dead_code,
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    unused_qualifications,
    reason = "as tonic-prost-build 0.14.9 wrote it, with `codec_path(\"obs_rpc::codec::ProstCodec\")`"
)]
mod shop;
#[path = "codec/till.rs"]
mod till;

use obs_core::StatsLevel;
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use obs_testing::{AttrValue, Capture, CapturedRecord};
use shop::Order;
use shop::till_client::TillClient;
use shop::till_server::TillServer;
use std::time::Duration;
use till::{Till, channel, order, orders, serve};
use tokio_stream::StreamExt;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tower::Layer;

const STAGE: &str = "obs.rpc.stage.duration";
const CODEC: [&str; 4] = [
    "encode_start",
    "encode_finish",
    "decode_start",
    "decode_finish",
];

fn detailed() -> Capture {
    Capture::builder()
        .with_real_clock()
        .with_level(StatsLevel::Detailed)
        .build()
}

/// How many points a stage has, of both sides: those of clients have the server's address.
fn points(capture: &Capture, stage: &str) -> u64 {
    // Of either side.
    let stages = [
        stage.to_owned(),
        format!("{stage}_request"),
        format!("{stage}_response"),
    ];
    let points = capture.points();
    let of = |stage: &String| {
        let wanted = [("obs.stage", AttrValue::from(&**stage))];
        let points = points.histograms(STAGE, &wanted);
        points.iter().map(|point| point.count).sum::<u64>()
    };
    stages.iter().map(of).sum()
}

fn side(capture: &Capture, descriptor: &str) -> CapturedRecord {
    let mut records = capture.records();
    records.retain(|record| record.descriptor == descriptor);
    assert_eq!(records.len(), 1, "{descriptor}");
    records.remove(0)
}

fn at(record: &CapturedRecord, event: &str) -> Option<u64> {
    let mut events = record.events.iter();
    events
        .find(|found| found.name == event)
        .map(|event| event.time_ns)
}

/// These events are there, in this order.
#[track_caller]
fn check_order(record: &CapturedRecord, events: &[&str]) {
    let times: Vec<_> = events.iter().map(|event| at(record, event)).collect();
    assert!(
        times.iter().all(Option::is_some) && times.is_sorted(),
        "{events:?} at {times:?} of {:?}",
        record.event_names()
    );
}

fn layer(capture: &Capture) -> RpcClientLayer {
    let server = "http://till:80".parse().expect("a URL");
    RpcClientLayer::new(capture.telemetry()).with_server(&server)
}

/// A client of `till` behind our layers on both sides.
async fn observed(
    capture: &Capture,
    till: Till,
) -> TillClient<obs_rpc::client::RpcClient<tonic::transport::Channel>> {
    let address = serve(Some(capture), till).await;
    TillClient::new(layer(capture).layer(channel(address)))
}

#[tokio::test]
async fn a_unary_call_has_its_codec_times_on_both_sides_and_its_handler_apart() {
    let capture = detailed();
    let mut client = observed(&capture, Till::default()).await;
    client.unary(order("sleep 30", 0)).await.expect("answered");
    let (asked, answered) = (side(&capture, "rpc.client"), side(&capture, "rpc.server"));
    check_order(
        &asked,
        &[
            "write_start",
            "encode_start",
            "encode_finish",
            "decode_start",
            "decode_finish",
        ],
    );
    check_order(
        &answered,
        &[
            "decode_start",
            "decode_finish",
            "server_handle_start",
            "server_handle_finish",
            "encode_start",
            "encode_finish",
        ],
    );
    for stage in ["encode", "decode"] {
        assert_eq!(points(&capture, stage), 2, "{stage}");
    }
    let handled = at(&answered, "server_handle_finish").expect("stamped")
        - at(&answered, "server_handle_start").expect("stamped");
    assert!(handled >= 30_000_000, "it slept 30 ms: {handled} ns");
    assert_eq!(points(&capture, "handle"), 1);
}

#[tokio::test]
async fn a_streams_messages_are_a_point_each_packed_or_not() {
    for packed in [false, true] {
        let capture = detailed();
        let mut client = observed(&capture, Till::default()).await;
        if packed {
            client = client
                .send_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Gzip);
        }
        let answers = client.chat(orders(20)).await.expect("a head").into_inner();
        let answers: Vec<_> = answers.collect().await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 20);
        for stage in ["encode", "decode"] {
            assert_eq!(points(&capture, stage), 40, "{stage} {packed}");
        }
        let (asked, answered) = (side(&capture, "rpc.client"), side(&capture, "rpc.server"));
        check_order(&asked, &CODEC);
        // The handler has the stream before the first message is there.
        check_order(&answered, &["server_handle_start", "decode_start"]);
        check_order(&answered, &["server_handle_start", "server_handle_finish"]);
        let compressed = if packed { Some(20) } else { None };
        let said = asked.attr("obs.rpc.request.compressed");
        assert_eq!(said.and_then(AttrValue::as_i64), compressed);
    }
}

#[tokio::test]
async fn what_a_stream_of_requests_waits_for_is_handling_and_what_a_request_waits_for_is_not() {
    // An upload's handler is there before its messages are.
    let capture = detailed();
    let mut client = observed(&capture, Till::default()).await;
    let slow = orders(2).then(|_| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        order("sleep 20", 0)
    });
    client.upload(slow).await.expect("answered");
    let answered = side(&capture, "rpc.server");
    check_order(
        &answered,
        &[
            "server_handle_start",
            "decode_start",
            "server_handle_finish",
        ],
    );
    let handled = at(&answered, "server_handle_finish").expect("stamped")
        - at(&answered, "server_handle_start").expect("stamped");
    assert!(handled >= 40_000_000, "it slept twice 20 ms: {handled} ns");
    // Of a download tonic does, before there is a handler.
    let capture = detailed();
    let mut client = observed(&capture, Till::default()).await;
    let answers = client.download(order("", 3)).await.expect("a head");
    assert_eq!(answers.into_inner().collect::<Vec<_>>().await.len(), 3);
    check_order(
        &side(&capture, "rpc.server"),
        &[
            "decode_finish",
            "server_handle_start",
            "server_handle_finish",
        ],
    );
    assert_eq!(points(&capture, "encode"), 4);
    assert_eq!(points(&capture, "decode"), 4);
}

#[tokio::test]
async fn a_stream_of_one_message_whose_handler_goes_on_waiting_is_handled_from_its_start() {
    let capture = detailed();
    let mut client = observed(&capture, Till::default()).await;
    let one = tokio_stream::once(order("sleep 20", 0));
    client.upload(one).await.expect("answered");
    let answered = side(&capture, "rpc.server");
    check_order(
        &answered,
        &[
            "server_handle_start",
            "decode_start",
            "server_handle_finish",
        ],
    );
}

#[tokio::test]
async fn an_error_of_the_handler_ends_its_time_and_one_before_it_leaves_none() {
    let capture = detailed();
    let mut client = observed(&capture, Till::default()).await;
    let failed = client.unary(order("fail 5", 0)).await;
    assert_eq!(failed.expect_err("as asked").code(), Code::NotFound);
    check_order(
        &side(&capture, "rpc.server"),
        &[
            "decode_finish",
            "server_handle_start",
            "server_handle_finish",
        ],
    );
    // What is no message never reaches a handler.
    let capture = detailed();
    let address = serve(Some(&capture), Till::default()).await;
    let layer = layer(&capture);
    let mut raw = tonic::client::Grpc::new(layer.layer(channel(address)));
    raw.ready().await.expect("ready");
    let path = "/shop.Till/Unary".parse().expect("a path");
    let codec = obs_rpc::codec::Timed::new(till::Raw);
    let failed = raw
        .unary(tonic::Request::new(vec![0xff; 3]), path, codec)
        .await;
    assert_eq!(failed.expect_err("no message").code(), Code::Internal);
    let answered = side(&capture, "rpc.server");
    check_order(&answered, &["decode_start", "decode_finish"]);
    assert_eq!(at(&answered, "server_handle_start"), None);
    // And the client's codec, which is not prost's, is timed as well.
    check_order(
        &side(&capture, "rpc.client"),
        &["encode_start", "encode_finish"],
    );
}

#[tokio::test]
async fn a_call_from_within_a_handler_is_timed_as_its_own() {
    let capture = detailed();
    let inner = serve(Some(&capture), Till::default()).await;
    let layer = layer(&capture);
    let onward = TillClient::new(layer.layer(channel(inner)));
    let till = Till {
        onward: Some(onward),
    };
    let mut client = observed(&capture, till).await;
    client.unary(order("onward", 0)).await.expect("answered");
    for stage in ["encode", "decode"] {
        assert_eq!(points(&capture, stage), 4, "{stage}");
    }
    let records = capture.records();
    let of = |kind: &str, outer: bool| {
        let found = records.iter().filter(|record| record.descriptor == kind);
        match outer {
            true => found.max_by_key(|record| record.duration),
            false => found.min_by_key(|record| record.duration),
        }
        .expect("there are two")
    };
    for record in &records {
        for event in CODEC {
            assert!(
                at(record, event).is_some(),
                "{event} of {}",
                record.descriptor
            );
        }
    }
    // The outer handler is at work until the inner call, and the sleep after it, are over.
    let handled = at(of("rpc.server", true), "server_handle_finish").expect("stamped");
    let inner = at(of("rpc.client", false), "decode_finish").expect("stamped");
    assert!(handled > inner, "{handled} {inner}");
}

#[tokio::test]
async fn what_a_handler_asks_in_memory_and_nobody_observes_is_not_its_own() {
    let capture = detailed();
    let mut client = observed(&capture, Till::default()).await;
    client.unary(order("inside", 0)).await.expect("answered");
    for stage in ["encode", "decode"] {
        assert_eq!(points(&capture, stage), 2, "{stage}");
    }
    let answered = side(&capture, "rpc.server");
    let handled = at(&answered, "server_handle_finish").expect("stamped")
        - at(&answered, "server_handle_start").expect("stamped");
    assert!(handled >= 10_000_000, "it slept 10 ms: {handled} ns");
}

#[tokio::test]
async fn an_empty_stream_is_handled_too() {
    let capture = detailed();
    let mut client = observed(&capture, Till::default()).await;
    client.upload(orders(0)).await.expect("answered");
    let answered = side(&capture, "rpc.server");
    check_order(&answered, &["server_handle_start", "server_handle_finish"]);
    assert_eq!(
        (points(&capture, "encode"), points(&capture, "decode")),
        (1, 1)
    );
}

#[tokio::test]
async fn below_detailed_nothing_is_timed() {
    let capture = Capture::builder().with_real_clock().build();
    let mut client = observed(&capture, Till::default()).await;
    let answers = client.chat(orders(3)).await.expect("a head").into_inner();
    assert_eq!(answers.collect::<Vec<_>>().await.len(), 3);
    assert_eq!(capture.count(STAGE), 0);
    assert_eq!(capture.count("rpc.server.call.duration"), 1);
}

#[tokio::test]
async fn without_a_layer_it_is_a_codec_like_another() {
    let address = serve(None, Till::default()).await;
    let mut client = TillClient::new(channel(address));
    let said = client.unary(order("hello", 7)).await.expect("answered");
    assert_eq!(said.into_inner(), order("hello", 7));
    let answers = client.chat(orders(3)).await.expect("a head").into_inner();
    let answers: Vec<Order> = answers.filter_map(Result::ok).collect().await;
    assert_eq!(answers.len(), 3);
}

#[tokio::test]
async fn one_side_alone_is_timed_alone() {
    // Only the server is observed.
    let capture = detailed();
    let address = serve(Some(&capture), Till::default()).await;
    let mut client = TillClient::new(channel(address));
    client.unary(order("", 0)).await.expect("answered");
    // Its trailers may be on their way when the client has them.
    till::until(|| capture.records().len() == 1).await;
    check_order(
        &side(&capture, "rpc.server"),
        &["decode_start", "encode_finish"],
    );
    assert_eq!(points(&capture, "encode"), 1);
    // Only the client is.
    let capture = detailed();
    let address = serve(None, Till::default()).await;
    let layer = layer(&capture);
    let mut client = TillClient::new(layer.layer(channel(address)));
    client.unary(order("", 0)).await.expect("answered");
    check_order(&side(&capture, "rpc.client"), &CODEC);
    assert_eq!(points(&capture, "decode"), 1);
}

#[tokio::test]
async fn in_memory_each_side_has_its_own() {
    let capture = detailed();
    let till = TillServer::new(Till::default());
    let server = RpcServerLayer::new(capture.telemetry()).layer(till);
    let mut client = TillClient::new(layer(&capture).layer(server));
    client.unary(order("sleep 5", 0)).await.expect("answered");
    let answers = client.chat(orders(4)).await.expect("a head").into_inner();
    assert_eq!(answers.collect::<Vec<_>>().await.len(), 4);
    for record in capture.records() {
        check_order(&record, &["encode_start", "encode_finish"]);
        check_order(&record, &["decode_start", "decode_finish"]);
        let handled = at(&record, "server_handle_start").is_some();
        assert_eq!(handled, record.descriptor == "rpc.server");
    }
    for stage in ["encode", "decode"] {
        assert_eq!(points(&capture, stage), 10, "{stage}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn none_is_lost_and_none_is_anothers_whatever_threads_do() {
    const CALLS: u64 = 60;
    const MESSAGES: u64 = 5;
    let capture = detailed();
    let client = observed(&capture, Till::default()).await;
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move {
                let answers = client.chat(orders(MESSAGES as u32)).await.expect("a head");
                answers.into_inner().collect::<Vec<_>>().await.len()
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("no panic"), MESSAGES as usize);
    }
    till::until(|| capture.records().len() == 2 * CALLS as usize).await;
    for stage in ["encode", "decode"] {
        assert_eq!(points(&capture, stage), 2 * CALLS * MESSAGES, "{stage}");
    }
    for record in capture.records() {
        check_order(&record, &["encode_start", "encode_finish"]);
        check_order(&record, &["decode_start", "decode_finish"]);
    }
}
