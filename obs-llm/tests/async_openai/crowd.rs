//! Many at once, on several threads, some of which give up.

use crate::chat::STREAMED;
use crate::endings::chat;
use crate::server::{Act, events, serve};
use crate::support::{ACTIVE, DURATION, client, llm, soon, there};
use futures_util::StreamExt;
use obs_testing::Capture;

const CALLS: usize = 96;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_of_many_ends_once() {
    let capture = Capture::new();
    // Every third is held after its first chunk of text.
    let mut held = events(&STREAMED.replace("gpt-4o-2024-08-06", "held"));
    held.truncate(3);
    held.push(Act::Hold);
    let whole = events(STREAMED);
    let scripts = (0..CALLS).map(|turn| match turn % 3 {
        0 => held.clone(),
        _ => whole.clone(),
    });
    let server = serve(scripts.collect()).await;
    let client = client(&llm(&capture), &server);
    let calls = (0..CALLS).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            let stream = client.chat().create_stream(chat()).await;
            let mut stream = stream.expect("a stream");
            stream.next().await.expect("more").expect("whole");
            let second = stream.next().await.expect("more").expect("whole");
            let is_held = second.model == "held";
            if !is_held {
                assert_eq!(stream.count().await, 5);
            }
            is_held
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut given_up = 0;
    for call in calls {
        given_up += u64::from(soon(call).await.expect("no panic"));
    }
    assert_eq!(given_up, CALLS as u64 / 3);
    there(&capture, CALLS).await;
    let records = capture.records();
    assert_eq!(records.len(), CALLS);
    let of = |error| records.iter().filter(move |one| one.error_type() == error);
    assert_eq!(of(Some("cancelled")).count() as u64, given_up);
    assert_eq!(of(None).count() as u64, CALLS as u64 - given_up);
    assert_eq!(capture.count(DURATION), CALLS as u64);
    assert_eq!(capture.in_flight(ACTIVE), 0);
}
