//! The service: two routes, and a model that is only played.

use crate::operations::{
    HITS, LIMIT, MEMORY, MODEL_CALL, OUTPUT_TOKENS, OVERLOADED, RETRIEVAL, SMALL,
};
use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use obs_core::{Kind, Labels, Outcome, Parent, Telemetry, current};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, time::sleep};

const DOCUMENTS: [&str; 3] = ["tides", "winds", "clouds"];

/// The routes, and the operations inside them, reporting to `telemetry`.
pub(crate) fn routes(telemetry: &Telemetry) -> Router {
    Router::new()
        .route("/ask/{topic}", get(ask))
        .route("/documents/{id}", get(document))
        .with_state(Assistant {
            retrieval: telemetry.kind(&RETRIEVAL),
            model_call: telemetry.kind(&MODEL_CALL),
            memory: telemetry.kind(&MEMORY),
        })
}

/// Serves on a free port of the loopback interface, in the background.
pub(crate) async fn listen(app: Router) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    // The peers' addresses are attributes of the spans.
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Ok(address)
}

async fn ask(
    State(assistant): State<Assistant>,
    Path(topic): Path<String>,
) -> Result<String, StatusCode> {
    let documents = assistant.retrieve(Duration::from_millis(1)).await;
    let answer = assistant.complete(&topic, documents).await;
    let answer = answer.map_err(|Overloaded| StatusCode::SERVICE_UNAVAILABLE)?;

    // Goes on after the answer, in a task of its own, and still belongs to this request.
    let remembering = assistant.remember();
    match current::handle() {
        Some(request) => tokio::spawn(request.wrap(remembering)),
        None => tokio::spawn(remembering),
    };
    Ok(answer)
}

async fn document(
    State(assistant): State<Assistant>,
    Path(id): Path<usize>,
) -> Result<&'static str, StatusCode> {
    assistant.retrieve(Duration::ZERO).await;
    DOCUMENTS.get(id).copied().ok_or(StatusCode::NOT_FOUND)
}

/// Its kinds of operations: `Copy`, so that each request has them at hand.
#[derive(Clone, Copy, Debug)]
struct Assistant {
    retrieval: &'static Kind,
    model_call: &'static Kind,
    memory: &'static Kind,
}

struct Overloaded;

impl Assistant {
    /// Looks up documents; an index that is not in memory would take `time`.
    async fn retrieve(self, time: Duration) -> usize {
        let mut operation = self.retrieval.start(Labels::NONE, Parent::Current);
        operation.set(LIMIT, 10_u32);
        let search = async {
            if !time.is_zero() {
                sleep(time).await;
            }
            current::set(HITS, DOCUMENTS.len() as u64);
            DOCUMENTS.len()
        };
        operation.instrument(search, |_| Outcome::ANSWERED).await
    }

    /// Asks the model, whose mood depends on the topic.
    async fn complete(self, topic: &str, documents: usize) -> Result<String, Overloaded> {
        let thinking = Duration::from_millis(match topic {
            "history" => 400,
            "everything" => 60_000,
            _ => 4,
        });
        let call = async {
            sleep(thinking).await;
            if topic == "paradox" {
                return Err(Overloaded);
            }
            let answer = format!("{documents} documents speak of {topic}.");
            current::set(OUTPUT_TOKENS, answer.split_whitespace().count() as u64);
            Ok(answer)
        };
        let operation = self.model_call.start(SMALL, Parent::Current);
        operation
            .instrument(call, |answer| match answer {
                Ok(_) => Outcome::ANSWERED,
                Err(Overloaded) => Outcome::failed(OVERLOADED),
            })
            .await
    }

    /// Writes the conversation down.
    async fn remember(self) {
        let operation = self.memory.start(Labels::NONE, Parent::Current);
        let write = sleep(Duration::from_millis(1));
        operation.instrument(write, |()| Outcome::ANSWERED).await;
    }
}
