//! A `tower::retry` policy between two layers.

use crate::echo::{EchoClient, say};
use crate::rig::{Step, Unavailable, attempts, calls, family, serve, status};
use obs_core::{End, StatsLevel};
use obs_rpc::client::ReplayLayer;
use obs_testing::Capture;
use std::time::Duration;
use tonic::Code;
use tower::ServiceBuilder;
use tower::retry::RetryLayer;

const BUSY: Step = Step::Fail(Code::Unavailable);

/// The layers as the front page has them.
macro_rules! retrying {
    ($capture:expr, $channel:expr, $times:expr) => {
        EchoClient::new(
            ServiceBuilder::new()
                .layer(calls($capture))
                .layer(ReplayLayer::new(64 << 10))
                .layer(RetryLayer::new(Unavailable($times)))
                .layer(attempts($capture))
                .service($channel),
        )
    };
}
pub(crate) use retrying;

#[tokio::test]
async fn each_attempt_is_a_child_with_its_own_outcome_and_the_call_ends_as_the_application_saw() {
    let capture = Capture::new();
    let (channel, script) = serve(&capture, [BUSY, BUSY]).await;
    let mut client = retrying!(&capture, channel, 5);
    let answer = client.unary(say("hello", 0)).await.expect("answered");
    assert_eq!(answer.into_inner().text, "hello");
    assert!(script.is_over());
    let (call, attempts, servers) = family(&capture, 3).await;
    assert_eq!(call.name, "test.Echo/Unary");
    assert_eq!(
        (status(&call), call.error_type(), call.outcome.end()),
        ("OK", None, End::Answered)
    );
    let seen: Vec<_> = attempts
        .iter()
        .map(|attempt| (status(attempt), attempt.error_type()))
        .collect();
    let busy = ("UNAVAILABLE", Some("UNAVAILABLE"));
    assert_eq!(seen, [busy, busy, ("OK", None)]);
    let seen: Vec<_> = servers.iter().map(status).collect();
    assert_eq!(seen, ["UNAVAILABLE", "UNAVAILABLE", "OK"]);
    // One point for what the application asked, one for each attempt.
    assert_eq!(capture.count("obs.rpc.call.duration"), 1);
    assert_eq!(capture.count("rpc.client.call.duration"), 3);
    assert_eq!(capture.in_flight("obs.rpc.client.active_calls"), 0);
}

#[tokio::test]
async fn a_call_that_gives_up_ends_as_its_last_attempt() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, [BUSY; 9]).await;
    let failed = retrying!(&capture, channel, 1).unary(say("", 0)).await;
    assert_eq!(failed.expect_err("busy").code(), Code::Unavailable);
    let (call, _, _) = family(&capture, 2).await;
    assert_eq!(
        (status(&call), call.error_type()),
        ("UNAVAILABLE", Some("UNAVAILABLE"))
    );
}

/// A layer between the two that gives up: nobody was quicker.
#[tokio::test]
async fn an_attempt_that_a_timeout_between_gives_up_lost_no_race() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, [Step::Hang]).await;
    let client = ServiceBuilder::new()
        .layer(calls(&capture))
        .timeout(Duration::from_millis(50))
        .layer(ReplayLayer::new(64 << 10))
        .layer(RetryLayer::new(Unavailable(5)))
        .layer(attempts(&capture))
        .service(channel);
    let failed = EchoClient::new(client).unary(say("", 0)).await;
    failed.expect_err("it hangs");
    let (_, attempts, _) = family(&capture, 1).await;
    let origin = attempts[0].text("obs.rpc.cancel.origin");
    assert_eq!(
        (origin, attempts[0].error_type()),
        (Some("cascaded"), Some("cancelled"))
    );
}

#[tokio::test]
async fn what_the_policy_does_not_send_again_is_one_attempt() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, [Step::Fail(Code::NotFound)]).await;
    let failed = retrying!(&capture, channel, 5).unary(say("", 0)).await;
    assert_eq!(failed.expect_err("as scripted").code(), Code::NotFound);
    let (call, attempts, _) = family(&capture, 1).await;
    assert_eq!(
        (status(&call), status(&attempts[0])),
        ("NOT_FOUND", "NOT_FOUND")
    );
}

#[tokio::test]
async fn at_detailed_each_attempt_has_its_own_events_and_the_call_those_of_its_answer() {
    let capture = Capture::builder().with_level(StatsLevel::Detailed).build();
    let (channel, _) = serve(&capture, [BUSY]).await;
    let mut client = retrying!(&capture, channel, 5);
    client.unary(say("hello", 0)).await.expect("answered");
    let (call, attempts, _) = family(&capture, 2).await;
    let events = call.event_names();
    assert_eq!(events.first(), Some(&"stream_recv_header"), "{events:?}");
    assert_eq!(events.last(), Some(&"stream_finish"), "{events:?}");
    for attempt in &attempts {
        let events = attempt.event_names();
        for event in [
            "write_start",
            "write_finish",
            "wait_read_finish",
            "stream_finish",
        ] {
            assert!(events.contains(&event), "{event}: {events:?}");
        }
    }
    // The first was answered by a head alone.
    let read = |number: usize| attempts[number].event_names().contains(&"read_start");
    assert_eq!((read(0), read(1)), (false, true));
}

#[tokio::test]
async fn a_connection_that_cannot_be_had_is_an_attempt_too() {
    let capture = Capture::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a socket");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let nobody = tonic::transport::Endpoint::from_shared(format!("http://{address}"))
        .expect("a URL")
        .connect_lazy();
    let failed = retrying!(&capture, nobody, 2).unary(say("", 0)).await;
    assert_eq!(failed.expect_err("nobody there").code(), Code::Unavailable);
    let records = capture.records();
    let of = |name: &str| -> Vec<_> {
        let own = records.iter().filter(|record| record.descriptor == name);
        own.map(|record| {
            (
                status(record).to_owned(),
                record.error_type().map(str::to_owned),
            )
        })
        .collect()
    };
    let refused = ("UNAVAILABLE".to_owned(), Some("transport_error".to_owned()));
    assert_eq!(
        of("rpc.client"),
        [refused.clone(), refused.clone(), refused.clone()]
    );
    assert_eq!(of("rpc.call"), [refused]);
}

#[tokio::test]
async fn an_application_that_goes_away_cancels_the_call_and_with_it_the_attempt() {
    let capture = Capture::new();
    let (channel, script) = serve(&capture, [BUSY, Step::Hang]).await;
    let mut client = retrying!(&capture, channel, 5);
    {
        let call = client.unary(say("", 0));
        tokio::pin!(call);
        // Until the second attempt hangs at the server.
        while !script.is_over() {
            let waits = tokio::time::timeout(Duration::from_millis(1), &mut call);
            assert!(waits.await.is_err(), "it hangs");
        }
    }
    let (call, attempts, servers) = family(&capture, 2).await;
    let origin = |record: &obs_testing::CapturedRecord| {
        let origin = record.text("obs.rpc.cancel.origin");
        origin.map(str::to_owned)
    };
    assert_eq!(
        (status(&call), call.error_type()),
        ("CANCELLED", Some("cancelled"))
    );
    assert_eq!(origin(&call).as_deref(), Some("local"));
    assert_eq!(origin(&attempts[0]), None);
    assert_eq!(origin(&attempts[1]).as_deref(), Some("cascaded"));
    assert_eq!(origin(&servers[1]).as_deref(), Some("peer"));
}
