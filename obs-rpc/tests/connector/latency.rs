//! The Nagle trap: a connector that a service brings has `TCP_NODELAY` off, and then each warm call waits for an
//! acknowledgement that the peer holds back.

use crate::echo::{EchoClient, say};
use crate::peers::{endpoint, serve};
use hyper_util::client::legacy::connect::HttpConnector;
use obs_rpc::connector::Connections;
use obs_testing::Capture;
use std::time::{Duration, Instant};
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::StdError;
use tonic::transport::Channel;

const CALLS: usize = 41;
const WARMING: usize = 5;

/// How long warm calls over the one channel took and over the other, in turns, so that whatever else the machine does meets
/// both: the middle of each.
async fn medians<S>(one: Channel, other: S) -> (Duration, Duration)
where
    S: GrpcService<Body, Error: Into<StdError>>,
    S::ResponseBody: tonic::codegen::Body<Data = bytes::Bytes> + Send + 'static,
    <S::ResponseBody as tonic::codegen::Body>::Error: Into<StdError> + Send,
{
    let (mut one, mut other) = (EchoClient::new(one), EchoClient::new(other));
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for round in 0..CALLS + WARMING {
        let begun = Instant::now();
        one.unary(say("", 0)).await.expect("answered");
        let between = Instant::now();
        other.unary(say("", 0)).await.expect("answered");
        if round >= WARMING {
            ones.push(between - begun);
            others.push(between.elapsed());
        }
    }
    let middle = |mut took: Vec<Duration>| {
        took.sort_unstable();
        took[CALLS / 2]
    };
    (middle(ones), middle(others))
}

/// What a warm call over our channels may take, where one over tonic's takes so long.
fn bar(tonics: Duration) -> Duration {
    2 * tonics + Duration::from_millis(1)
}

#[tokio::test]
async fn a_warm_call_takes_no_longer_than_over_tonics_own_connector() {
    let capture = Capture::builder().with_real_clock().build();
    let endpoint = endpoint(&format!("http://{}", serve().await));
    let tonics = || endpoint.connect_lazy();
    let connections = Connections::new(capture.telemetry());
    let ahead = connections.connect(&endpoint).await.expect("connected");
    for channel in [ahead, connections.connect_lazy(&endpoint)] {
        let (tonics, ours) = medians(tonics(), channel).await;
        assert!(ours <= bar(tonics), "{ours:?}, tonic's {tonics:?}");
    }
}

/// The control: what the test above is there to find, it finds.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connector_that_delays_would_be_found_out() {
    let endpoint = endpoint(&format!("http://{}", serve().await));
    let mut delays = HttpConnector::new();
    delays.enforce_http(false);
    let trapped = endpoint.connect_with_connector_lazy(delays);
    let (tonics, trapped) = medians(endpoint.connect_lazy(), trapped).await;
    assert!(trapped > bar(tonics), "{trapped:?}, tonic's {tonics:?}");
}
