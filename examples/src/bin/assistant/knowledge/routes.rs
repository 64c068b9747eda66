//! The knowledge service's routes: a few documents, and an index over them.

use crate::{
    business,
    operations::{HITS, RETRIEVAL},
};
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use obs_core::{BoundHistogram, Kind, Labels, Outcome, Parent, Telemetry, current};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

const DOCUMENTS: [&str; 6] = [
    "The moon pulls at the sea, and so there are tides.",
    "Winds follow the sun, tides follow the moon.",
    "Where winds meet tides, sailors watch the clouds.",
    "Clouds are what the sea sends up.",
    "The history of a lighthouse, by its keeper.",
    "Everything that storms left on the beach.",
];

/// The routes, and the operations inside them, reporting to `telemetry`.
pub(crate) fn routes(telemetry: &Telemetry) -> Router {
    Router::new()
        .route("/search/{topic}", get(search))
        .route("/documents/{id}", get(document))
        .with_state(Knowledge {
            retrieval: telemetry.kind(&RETRIEVAL),
            found: business::found(telemetry),
            storms_are_indexed: Arc::default(),
        })
}

/// What each request has at hand.
#[derive(Clone, Debug)]
struct Knowledge {
    retrieval: &'static Kind,
    found: BoundHistogram,
    storms_are_indexed: Arc<AtomicBool>,
}

async fn search(
    State(knowledge): State<Knowledge>,
    Path(topic): Path<String>,
) -> Result<String, StatusCode> {
    // Of storms there is so much that it is indexed when somebody asks first, who has to come again.
    if topic == "storms" && !knowledge.storms_are_indexed.swap(true, Ordering::Relaxed) {
        tracing::warn!(topic, "not indexed yet");
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let time = match topic.as_str() {
        // These are in the cellar.
        "archives" => Duration::from_secs(60),
        _ => Duration::from_millis(1),
    };
    let found = knowledge.retrieve(time, |text| text.to_lowercase().contains(&topic));
    let found = found.await;
    Ok(found.join("\n"))
}

async fn document(
    State(knowledge): State<Knowledge>,
    Path(id): Path<usize>,
) -> Result<&'static str, StatusCode> {
    let operation = knowledge.retrieval.start(Labels::NONE, Parent::Current);
    let read = async { DOCUMENTS.get(id).copied() };
    let read = operation.instrument(read, |_| Outcome::ANSWERED).await;
    read.ok_or(StatusCode::NOT_FOUND)
}

impl Knowledge {
    /// Looks for documents; an index that is not in memory would take `time`.
    async fn retrieve(
        &self,
        time: Duration,
        fits: impl Fn(&str) -> bool + Send,
    ) -> Vec<&'static str> {
        let search = async {
            sleep(time).await;
            let found: Vec<_> = DOCUMENTS.into_iter().filter(|text| fits(text)).collect();
            current::set(HITS, found.len() as u64);
            self.found.record(found.len() as f64);
            tracing::info!(found = found.len(), "searched");
            found
        };
        let operation = self.retrieval.start(Labels::NONE, Parent::Current);
        operation.instrument(search, |_| Outcome::ANSWERED).await
    }
}
