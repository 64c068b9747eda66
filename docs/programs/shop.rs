//! The application of the programs beside it. Nothing in it knows who observes it.

use axum::body::Body;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::{Router, routing::get};
use futures_util::stream;
use std::time::Duration;

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/items/{id}", get(item))
        .route("/broken", get(broken))
        .route("/report", get(report))
        .route("/wait", get(wait))
}

async fn item(Path(id): Path<u32>) -> String {
    find(id).await
}

/// A span, an event and two counters of the application's own.
#[tracing::instrument]
async fn find(id: u32) -> String {
    tracing::info!(stock = 3, "looked up");
    metrics::counter!("shop_lookups_total").increment(1);
    opentelemetry::global::meter("shop")
        .u64_counter("shop.lookups")
        .build()
        .add(1, &[]);
    format!("item {id}")
}

async fn broken() -> StatusCode {
    tracing::error!(shelf = "B2", "the shelf is gone");
    StatusCode::INTERNAL_SERVER_ERROR
}

/// The head at once, the body a quarter of a second later.
async fn report() -> Body {
    Body::from_stream(stream::once(async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        Ok::<_, std::convert::Infallible>("sold out")
    }))
}

/// Until the client has had enough.
async fn wait() {
    struct Left;
    impl Drop for Left {
        fn drop(&mut self) {
            println!("left");
        }
    }
    println!("waiting");
    let _left = Left;
    std::future::pending().await
}

/// Serves until ctrl-c.
pub(crate) async fn serve(app: Router) -> std::io::Result<()> {
    let address = std::env::var("SHOP_ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await
}
