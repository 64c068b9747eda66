//! Which attempt a request is: counted by the call around it, or said by whoever retries by hand.

use crate::echo::{EchoClient, say};
use crate::rig::{Step, Unavailable, attempts, calls, serve, status};
use obs_rpc::client::{Attempt, ReplayBody, ReplayLayer};
use obs_testing::Capture;
use tonic::codegen::http::Request as HttpRequest;
use tonic::{Code, Request};
use tower::retry::RetryLayer;
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};

#[tokio::test]
async fn by_hand_an_application_says_which_attempt_a_request_is() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, [Step::Fail(Code::Unavailable)]).await;
    let mut client = EchoClient::new(attempts(&capture).layer(channel));
    for attempt in 0..2 {
        let mut request = Request::new(say("", 0));
        request.extensions_mut().insert(Attempt(attempt));
        let answer = client.unary_to("Unary", request).await;
        assert_eq!(answer.is_ok(), attempt == 1);
    }
    let said: Vec<_> = capture
        .records()
        .into_iter()
        .filter(|record| record.descriptor == "rpc.client")
        .map(|record| record.attr("obs.rpc.attempt").and_then(|it| it.as_i64()))
        .collect();
    assert_eq!(said, [None, Some(1)]);
}

/// A layer between that fetches a token first, over a channel that is observed as well.
#[tokio::test]
async fn what_else_is_called_on_the_way_is_no_attempt() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, []).await;
    let tokens = attempts(&capture).layer(channel.clone());
    let inside = attempts(&capture).layer(channel);
    let with_token = service_fn(move |request: HttpRequest<ReplayBody>| {
        let (tokens, inside) = (tokens.clone(), inside.clone());
        async move {
            let request_of_tokens = Request::new(say("a token", 0));
            let mut tokens = EchoClient::new(tokens);
            // Not of the server: it is UNIMPLEMENTED there.
            let _ = tokens.unary_to("Token", request_of_tokens).await;
            inside.oneshot(request).await
        }
    });
    let client = ServiceBuilder::new()
        .layer(calls(&capture))
        .layer(ReplayLayer::new(1024))
        .service(with_token);
    EchoClient::new(client)
        .unary(say("hello", 0))
        .await
        .expect("answered");
    let records = capture.records();
    let call = records
        .iter()
        .find(|record| record.descriptor == "rpc.call");
    let told = call.expect("one").attr("obs.rpc.call.attempts");
    assert_eq!(told, Some(&1.into()), "{}", capture.tree());
    for record in records
        .iter()
        .filter(|record| record.descriptor == "rpc.client")
    {
        assert_eq!(record.attr("obs.rpc.attempt"), None);
    }
}

/// `tower::buffer` calls what is inside of it in a task of its own, where the call is not current.
#[tokio::test]
async fn behind_a_buffer_attempts_are_calls_of_their_own() {
    let capture = Capture::new();
    let (channel, _) = serve(&capture, [Step::Fail(Code::Unavailable)]).await;
    let client = ServiceBuilder::new()
        .layer(calls(&capture))
        .layer(ReplayLayer::new(1024))
        .layer(RetryLayer::new(Unavailable(2)))
        .buffer(4)
        .layer(attempts(&capture))
        .service(channel);
    EchoClient::new(client)
        .unary(say("hello", 0))
        .await
        .expect("answered");
    let records = capture.records();
    let of = |name: &str| -> Vec<_> {
        let own = records.iter().filter(|record| record.descriptor == name);
        own.cloned().collect()
    };
    let (calls, attempts) = (of("rpc.call"), of("rpc.client"));
    assert_eq!((calls.len(), attempts.len()), (1, 2));
    assert_eq!(status(&calls[0]), "OK");
    assert_eq!(calls[0].attr("obs.rpc.call.attempts"), None);
    for attempt in attempts {
        assert_eq!(attempt.parent_span_id, None);
        assert_eq!(attempt.attr("obs.rpc.attempt"), None);
    }
}

#[tokio::test]
async fn a_call_whose_requests_are_answered_on_the_way_took_no_attempt() {
    let capture = Capture::new();
    let nobody = service_fn(|_: HttpRequest<tonic::body::Body>| async {
        let refused = tonic::Status::resource_exhausted("not even tried");
        Ok::<_, std::convert::Infallible>(refused.into_http::<tonic::body::Body>())
    });
    let client = calls(&capture).layer(nobody);
    let failed = EchoClient::new(client).unary(say("", 0)).await;
    assert_eq!(failed.expect_err("refused").code(), Code::ResourceExhausted);
    let call = capture.record();
    assert_eq!(
        (call.descriptor, status(&call)),
        ("rpc.call", "RESOURCE_EXHAUSTED")
    );
    assert_eq!(call.attr("obs.rpc.call.attempts"), None);
}

#[tokio::test]
async fn calls_in_each_others_way_count_each_their_own() {
    let capture = Capture::new();
    let busy = Step::Fail(Code::Unavailable);
    let (channel, _) = serve(&capture, [busy; 4]).await;
    let client = ServiceBuilder::new()
        .layer(calls(&capture))
        .layer(ReplayLayer::new(1024))
        .layer(RetryLayer::new(Unavailable(9)))
        .layer(attempts(&capture))
        .service(channel);
    let one = |client| async move { EchoClient::new(client).unary(say("", 0)).await };
    let (a, b) = tokio::join!(one(client.clone()), one(client));
    assert!(a.is_ok() && b.is_ok());
    let records = capture.records();
    let mut told = 0;
    for call in records
        .iter()
        .filter(|record| record.descriptor == "rpc.call")
    {
        let own = records.iter().filter(|record| {
            record.descriptor == "rpc.client" && record.parent_span_id == Some(call.span_id)
        });
        let own = own.count() as i64;
        assert_eq!(call.attr("obs.rpc.call.attempts"), Some(&own.into()));
        told += own;
    }
    assert_eq!(told, 6);
}
