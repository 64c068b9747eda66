//! The same with parts of us left out: codecs, layers, the header that a context travels in, all of it.

use super::{attribute, of, text};
use crate::support::{
    LARGEST, PATIENCE, ShopClientBuilder, ShopServer, World, codec, listen, order, padded,
};
use obs_rpc::obs_core::StatsLevel;
use obs_rpc::volo_thrift::{ThriftClientLayer, ThriftServerLayer};
use obs_testing::AttrValue;
use std::net::SocketAddr;
use volo_thrift::codec::default::DefaultMakeCodec;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_codec_alone_sees_all_but_the_handler() {
    let world = World::new();
    let (address, incoming) = listen().await;
    let codecs = world.server_layer();
    let server = ShopServer::new(world.shopkeeper.clone()).make_codec(codecs.codec(codec(LARGEST)));
    tokio::spawn(async move { server.run(incoming).await.expect("served") });
    let client = world.client(address);
    client.buy(order("business")).await.err().expect("as asked");
    client
        .buy(order("application"))
        .await
        .err()
        .expect("as asked");
    client.tell(order("gossip")).await.expect("said");
    world.settled(3, 3, 3);
    let records = world.capture.records();
    let served = of(&records, "rpc.server");
    let errors: Vec<_> = served
        .iter()
        .map(|it| attribute(it, "error.type").cloned())
        .collect();
    assert_eq!(errors, [None, text("application_error"), None]);
    let status = attribute(served[0], "obs.rpc.biz.status");
    assert_eq!(status, Some(&AttrValue::Int(418)));
}

/// Both sides by their layers, and with other codecs of Volo's.
async fn layers_alone<M>(world: &World, make_codec: M) -> SocketAddr
where
    M: volo_thrift::codec::MakeCodec<
            volo::net::conn::OwnedReadHalf,
            volo::net::conn::OwnedWriteHalf,
        > + Sync,
{
    let (address, incoming) = listen().await;
    let layer = ThriftServerLayer::new(world.capture.telemetry());
    let server = ShopServer::new(world.shopkeeper.clone())
        .make_codec(make_codec.clone())
        .layer_front(layer);
    tokio::spawn(async move { server.run(incoming).await.expect("served") });
    let client = ShopClientBuilder::new("shop.volo")
        .address(address)
        .rpc_timeout(Some(PATIENCE))
        .make_codec(make_codec)
        .layer_inner(ThriftClientLayer::new(world.capture.telemetry()).with_service("Shop"))
        .build();
    client.buy(order("book")).await.expect("answered");
    client.tell(order("gossip")).await.expect("said");
    client
        .buy(order("application"))
        .await
        .err()
        .expect("as asked");
    world.settled(0, 3, 3);
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_codecs_calls_are_seen_from_their_handlers() {
    let world = World::new();
    layers_alone(&world, codec(LARGEST)).await;
    let records = world.capture.records();
    let told = |kind: &str| -> Vec<_> {
        let ends = of(&records, kind);
        ends.iter()
            .map(|it| (it.name.clone(), it.outcome.is_error()))
            .collect()
    };
    let name = |name: &str, error| (name.to_owned(), error);
    let expect = [
        name("Shop/Buy", false),
        name("Shop/Tell", false),
        name("Shop/Buy", true),
    ];
    assert_eq!(told("rpc.client"), expect);
    // Nobody said what the service is called.
    let mut served = told("rpc.server");
    served.sort();
    assert_eq!(
        served,
        [name("Buy", false), name("Buy", true), name("Tell", false)]
    );
    // The trace crosses all the same, and Volo knows the sizes.
    let attempts: Vec<_> = of(&records, "rpc.client")
        .iter()
        .map(|it| it.trace_id)
        .collect();
    assert!(
        of(&records, "rpc.server")
            .iter()
            .all(|it| attempts.contains(&it.trace_id))
    );
    let size = attribute(of(&records, "rpc.client")[0], "obs.rpc.response.size");
    assert!(matches!(size, Some(AttrValue::Int(1..))), "{size:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_ttheader_calls_are_seen_and_no_context_travels() {
    for framed in [true, false] {
        let world = World::new();
        let layer = world.server_layer();
        let (address, incoming) = listen().await;
        let client = ThriftClientLayer::new(world.capture.telemetry());
        let shop = ShopServer::new(world.shopkeeper.clone());
        let asks = ShopClientBuilder::new("shop.volo")
            .address(address)
            .rpc_timeout(Some(PATIENCE));
        let client = if framed {
            let server = shop
                .make_codec(layer.codec(DefaultMakeCodec::framed()))
                .layer_front(layer);
            tokio::spawn(async move { server.run(incoming).await.expect("served") });
            let codec = client.codec(DefaultMakeCodec::framed());
            asks.make_codec(codec).layer_inner(client).build()
        } else {
            let server = shop
                .make_codec(layer.codec(DefaultMakeCodec::buffered()))
                .layer_front(layer);
            tokio::spawn(async move { server.run(incoming).await.expect("served") });
            let codec = client.codec(DefaultMakeCodec::buffered());
            asks.make_codec(codec).layer_inner(client).build()
        };
        client.buy(padded(100_000)).await.expect("answered");
        world.settled(0, 1, 1);
        let records = world.capture.records();
        let served = of(&records, "rpc.server")[0];
        assert_eq!(served.parent_span_id, None, "framed {framed}");
        let attempt = of(&records, "rpc.client")[0];
        for key in ["obs.rpc.request.size", "obs.rpc.response.size"] {
            let sizes = (attribute(attempt, key), attribute(served, key));
            assert!(
                sizes.0.is_some() && sizes.0 == sizes.1,
                "framed {framed} {key} {sizes:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switched_off_calls_pass_untouched() {
    let world = World::at(StatsLevel::Disabled);
    let client = world.client(world.serve().await);
    client.buy(padded(100_000)).await.expect("answered");
    client
        .buy(order("application"))
        .await
        .err()
        .expect("as asked");
    client.tell(order("gossip")).await.expect("said");
    world.settled(0, 0, 0);
    assert!(world.capture.records().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_within_a_layer_is_one() {
    let world = World::new();
    let (address, incoming) = listen().await;
    let layer = world.server_layer();
    let server = ShopServer::new(world.shopkeeper.clone())
        .make_codec(layer.codec(codec(LARGEST)))
        .layer_front(layer.clone())
        .layer_front(layer);
    tokio::spawn(async move { server.run(incoming).await.expect("served") });
    world
        .client(address)
        .buy(order("book"))
        .await
        .expect("answered");
    world.settled(1, 1, 1);
}
