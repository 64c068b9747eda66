//! rig's own spans beside ours. A process has one subscriber that all call sites know of, so this is one of its own.
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
use emitted::{Beneath, emitting};
use obs_testing::{Capture, assert_tree};
use outline::{TREE, outline, two_calls};
use scripted::{serve_each, soon};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use support::{By, Places, agent_of, ask};
use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Counts the spans that rig makes.
#[derive(Clone, Default)]
struct Spans(Arc<AtomicU32>);

impl<S: Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let names = ["invoke_agent", "chat", "execute_tool"];
        if names.contains(&span.metadata().name()) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn rig_s_own_spans_change_nothing() {
    let spans = Spans::default();
    tracing_subscriber::registry().with(spans.clone()).init();
    for streams in [false, true] {
        let server = serve_each(vec![asks(streams), answers(streams)]).await;
        let capture = Capture::new();
        let model = Beneath::Model.model(&capture, &server.url(""));
        let observer = emitting(&capture);
        let agent = agent_of(By::All, &observer, model, &Places::default());
        soon(ask(&agent, streams)).await.expect("an answer");
        assert_tree(outline(&capture), TREE);
        two_calls(&capture, streams);
        assert!(spans.0.swap(0, Ordering::Relaxed) >= 5, "rig's are on");
    }
}
