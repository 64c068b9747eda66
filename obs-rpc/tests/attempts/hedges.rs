//! A `tower::hedge` policy between two layers: the quicker attempt decides, the other is dropped.

use crate::echo::{EchoClient, say};
use crate::rig::{Step, Unavailable, attempts, calls, family, serve, status};
use obs_core::{End, Outcome};
use obs_rpc::client::ReplayLayer;
use obs_testing::Capture;
use std::time::Duration;
use tonic::Code;
use tower::hedge::Hedge;
use tower::{Layer, ServiceBuilder};

/// The second is sent after the 99th percentile of what was quick so far: a millisecond.
macro_rules! hedging {
    ($capture:expr, $channel:expr, $policy:expr) => {{
        let channel = attempts($capture).layer($channel);
        let period = Duration::from_secs(60);
        let hedge = Hedge::new_with_mock_latencies(channel, $policy, 1, 0.99, period, &[1; 10]);
        EchoClient::new(
            ServiceBuilder::new()
                .layer(calls($capture))
                .layer(ReplayLayer::new(64 << 10))
                .service(hedge),
        )
    }};
}

#[tokio::test]
async fn the_attempt_that_lost_was_cancelled_for_another_and_is_no_error() {
    let capture = Capture::new();
    let (channel, script) = serve(&capture, [Step::Hang]).await;
    let mut client = hedging!(&capture, channel, Unavailable(1));
    let answer = client.unary(say("hello", 0)).await.expect("answered");
    assert_eq!(answer.into_inner().text, "hello");
    assert!(script.is_over());
    let (call, attempts, servers) = family(&capture, 2).await;
    assert_eq!(
        (status(&call), call.outcome),
        ("OK", Outcome::ANSWERED),
        "{}",
        capture.tree()
    );
    assert_eq!(
        (status(&attempts[1]), attempts[1].outcome),
        ("OK", Outcome::ANSWERED)
    );
    let lost = &attempts[0];
    assert_eq!(status(lost), "CANCELLED");
    assert_eq!(lost.outcome, Outcome::cancelled_on_purpose());
    assert_eq!(lost.text("obs.rpc.cancel.origin"), Some("superseded"));
    assert_eq!(lost.error_type(), None);
    // To its server it is a caller that went away.
    assert_eq!(servers[0].outcome.end(), End::Cancelled);
    assert_eq!(servers[0].text("obs.rpc.cancel.origin"), Some("peer"));
    assert_eq!(capture.count("rpc.client.call.duration"), 2);
    assert_eq!(capture.count("obs.rpc.call.duration"), 1);
    assert_eq!(capture.in_flight("obs.rpc.client.active_calls"), 0);
}

#[tokio::test]
async fn a_hedge_that_is_not_needed_is_no_attempt() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, []).await;
    // A policy that has none left.
    let mut client = hedging!(&capture, channel, Unavailable(0));
    client.unary(say("sleep 20", 0)).await.expect("answered");
    let (call, _, _) = family(&capture, 1).await;
    assert_eq!(status(&call), "OK");
}

#[tokio::test]
async fn the_first_answer_decides_even_if_it_is_an_error() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, [Step::Hang, Step::Fail(Code::Aborted)]).await;
    let failed = hedging!(&capture, channel, Unavailable(1))
        .unary(say("", 0))
        .await;
    assert_eq!(failed.expect_err("as scripted").code(), Code::Aborted);
    let (call, attempts, _) = family(&capture, 2).await;
    assert_eq!(
        (status(&call), call.error_type()),
        ("ABORTED", Some("ABORTED"))
    );
    assert_eq!(
        attempts[0].text("obs.rpc.cancel.origin"),
        Some("superseded")
    );
    assert_eq!(attempts[1].error_type(), Some("ABORTED"));
}

#[tokio::test]
async fn an_application_that_goes_away_loses_no_race() {
    let capture = Capture::new();
    let (channel, script) = serve(&capture, [Step::Hang, Step::Hang]).await;
    let mut client = hedging!(&capture, channel, Unavailable(1));
    {
        let call = client.unary(say("", 0));
        tokio::pin!(call);
        while !script.is_over() {
            let waits = tokio::time::timeout(Duration::from_millis(1), &mut call);
            assert!(waits.await.is_err(), "it hangs");
        }
    }
    let (call, attempts, _) = family(&capture, 2).await;
    assert_eq!(call.text("obs.rpc.cancel.origin"), Some("local"));
    for attempt in &attempts {
        assert_eq!(attempt.text("obs.rpc.cancel.origin"), Some("cascaded"));
        assert_eq!(attempt.error_type(), Some("cancelled"));
    }
}

/// It drops what it waited for as soon as that is there, before the call around it sees the answer.
#[tokio::test]
async fn behind_a_layer_that_maps_answers_the_attempt_that_lost_has_lost_as_well() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, [Step::Hang]).await;
    let channel = attempts(&capture).layer(channel);
    let period = Duration::from_secs(60);
    let hedge = Hedge::new_with_mock_latencies(channel, Unavailable(1), 1, 0.99, period, &[1; 10]);
    let client = ServiceBuilder::new()
        .layer(calls(&capture))
        .map_response(|response| response)
        .layer(ReplayLayer::new(64 << 10))
        .service(hedge);
    let answer = EchoClient::new(client).unary(say("hello", 0)).await;
    assert_eq!(answer.expect("answered").into_inner().text, "hello");
    let (_, attempts, _) = family(&capture, 2).await;
    let origin = attempts[0].text("obs.rpc.cancel.origin");
    assert_eq!(
        (origin, attempts[0].error_type()),
        (Some("superseded"), None)
    );
}
