//! What calls look like that go as they should.

use crate::support::{World, order, padded};
use obs_rpc::obs_core::StatsLevel;
use obs_testing::assert_tree;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_a_call_an_attempt_and_a_server_each_the_child_of_the_other() {
    let world = World::new();
    let address = world.serve().await;
    let client = world.client(address);
    client.buy(order("book")).await.expect("answered");
    world.settled(1, 1, 1);
    println!("{}", world.capture.tree());
    assert_tree(
        world.capture.tree(),
        r#"
        "#,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detailed() {
    let world = World::at(StatsLevel::Detailed);
    let address = world.serve().await;
    let client = world.client(address);
    client.buy(padded(100_000)).await.expect("answered");
    world.settled(1, 1, 1);
    println!("{}", world.capture.tree());
    panic!();
}
