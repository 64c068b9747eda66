//! What happened in which order, at Detailed.

use crate::service::say;
use crate::world::World;
use obs_testing::CapturedRecord;
use tokio_stream::iter;
use volo_grpc::codegen::StreamExt;

#[track_caller]
fn check(record: &CapturedRecord, expect: &[&str]) {
    assert_eq!(record.event_names(), expect);
}

#[tokio::test]
async fn a_unary_call_shows_its_parts_on_both_sides() {
    let world = World::new(None).await;
    world.client.unary(say("well", 0)).await.expect("answered");
    let [call, attempt, server] = world.recorded().await;
    check(
        &call,
        &[
            "stream_recv_header",
            "read_start",
            "stream_recv",
            "read_finish",
            "stream_finish",
        ],
    );
    check(
        &attempt,
        &[
            "write_start",
            "stream_start",
            "stream_send",
            "write_finish",
            "wait_read_start",
            "wait_read_finish",
            "stream_recv_header",
            "read_start",
            "stream_recv",
            "read_finish",
            "stream_finish",
        ],
    );
    check(
        &server,
        &[
            "stream_start",
            "read_start",
            "stream_recv",
            "server_handle_start",
            "read_finish",
            "server_handle_finish",
            "write_start",
            "stream_send",
            "write_finish",
            "stream_finish",
        ],
    );
}

#[tokio::test]
async fn a_stream_counts_its_messages_and_their_bytes() {
    let world = World::new(None).await;
    let messages = iter([say("a", 0), say("bc", 0), say("def", 0)]);
    let answers = world.client.bidi(messages).await.expect("answered");
    let mut answers = Box::pin(answers.into_inner());
    let mut count = 0;
    while let Some(said) = answers.next().await {
        said.expect("a message");
        count += 1;
    }
    assert_eq!(count, 3);
    let [_, attempt, server] = world.recorded().await;
    for record in [attempt, server] {
        for part in ["request", "response"] {
            let number = |what: &str| {
                let value = record.attr(&format!("obs.rpc.{part}.{what}"));
                value.and_then(|value| value.as_i64())
            };
            assert_eq!(number("messages"), Some(3), "{part}");
            // Each has a tag, a length and its text; a zero is not written.
            assert_eq!(number("size"), Some(3 + 4 + 5), "{part}");
        }
    }
}
