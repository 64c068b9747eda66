//! Several servers behind one client.

use crate::echo::say;
use crate::peers::{check_dial, client, detailed, dials, endpoint, reused, serve};
use obs_rpc::connector::Connections;
use std::collections::HashMap;
use tonic::transport::Channel;
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::load::Constant;

#[tokio::test]
async fn balanced_over_channels_of_ours_each_call_knows_the_connection_it_went_over() {
    let capture = detailed();
    let connections = Connections::new(capture.telemetry());
    let mut channels = Vec::new();
    for _ in 0..2 {
        let endpoint = endpoint(&format!("http://{}", serve().await));
        channels.push(Constant::new(connections.connect_lazy(&endpoint), 0_u32));
    }
    let balance = Balance::new(ServiceList::new(channels));
    // It hands requests to a task of its own, as tonic's does.
    let mut client = client(&capture, Buffer::new(balance, 16));
    for _ in 0..40 {
        client.unary(say("", 0)).await.expect("answered");
    }
    let calls = capture.records();
    let mut said = HashMap::new();
    for call in &calls {
        *said.entry(reused(call)).or_insert(0) += 1;
    }
    // Each server is dialled once, by the call that came first.
    assert_eq!(said, HashMap::from([(Some(false), 2), (Some(true), 38)]));
    assert_eq!(dials(&capture, None), 2);
}

#[tokio::test]
async fn of_tonics_own_balance_nothing_is_claimed() {
    let capture = detailed();
    let mut endpoints = Vec::new();
    for _ in 0..2 {
        endpoints.push(endpoint(&format!("http://{}", serve().await)));
    }
    // There is a channel of ours elsewhere.
    let _other = Connections::new(capture.telemetry()).connect_lazy(&endpoints[0]);
    let channel = Channel::balance_list(endpoints.into_iter());
    client(&capture, channel)
        .unary(say("", 0))
        .await
        .expect("answered");
    assert_eq!(reused(&capture.record()), None);
    check_dial(&capture.record(), &[]);
}
