//! rig's adapter and the normaliser of rig's own spans, both on. The test is one of its own process: what call sites know of subscribers
//! is the process's.
#![allow(dead_code, reason = "it is another test's, too")]

#[path = "../rig/answers.rs"]
mod answers;
#[path = "../../../obs-llm/tests/rig/client.rs"]
mod client;
#[path = "../rig/emitted.rs"]
mod emitted;
#[path = "../rig/outline.rs"]
mod outline;
#[path = "../../../obs-llm/tests/support/scripted.rs"]
mod scripted;
#[allow(unused_imports, reason = "it is another crate's, too")]
#[path = "../../../obs-llm/tests/genai/server.rs"]
mod server;
#[path = "../rig/support.rs"]
mod support;
#[path = "../rig/told.rs"]
mod told;

use answers::{answers, asks};
use emitted::{Beneath, emitting, handlers};
use obs_agent::normalise::Normaliser;
use obs_testing::{Capture, assert_tree};
use outline::{TREE, outline, two_calls};
use scripted::{serve_each, soon};
use support::{BY, By, Places, agent_of, ask};
use tracing_subscriber::layer::SubscriberExt;

/// Those that a hook alone cannot be around.
const REQUESTS: &str = "POST\nPOST";

fn without_requests() -> String {
    TREE.replace("    POST\n", "")
}

fn within(node: &str, tree: &str) -> String {
    let lines = tree.trim().lines().map(|line| format!("\n  {line}"));
    lines.fold(node.to_owned(), |tree, line| tree + &line)
}

#[tokio::test]
async fn a_call_of_a_model_counts_once() {
    for is_left_alone in [true, false] {
        for by in BY {
            for streams in [false, true] {
                let server = serve_each(vec![asks(streams), answers(streams)]).await;
                let capture = Capture::new();
                let normaliser = Normaliser::new(&handlers(&capture));
                let normaliser = normaliser.with_telemetry(capture.telemetry());
                let normaliser = match is_left_alone {
                    true => normaliser.without("rig"),
                    false => normaliser,
                };
                let layer = normaliser.into_layer();
                let subscriber = tracing_subscriber::registry().with(layer);
                let guard = tracing::subscriber::set_default(subscriber);
                let model = Beneath::Http.model(&capture, &server.url(""));
                let observer = emitting(&capture);
                let agent = agent_of(by, &observer, model, &Places::default());
                soon(ask(&agent, streams)).await.expect("an answer");
                drop(agent);
                drop(guard);
                let expected = match (by, is_left_alone) {
                    (By::All, true) => TREE.to_owned(),
                    // What rig's span of the run was is a node around.
                    (By::All, false) => within("agent guide", TREE),
                    (By::Hook, true) => format!("{REQUESTS}{}", without_requests()),
                    (By::Hook, false) => {
                        within("agent guide", &format!("{REQUESTS}{}", without_requests()))
                    }
                };
                assert_tree(outline(&capture), &expected);
                two_calls(&capture, streams);
            }
        }
    }
}
