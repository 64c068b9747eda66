//! Log lines about each request, by tower-http.

mod shop;

use tower_http::trace::TraceLayer;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filter = Targets::new()
        .with_default(Level::INFO)
        .with_target("tower_http", Level::DEBUG);
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer())
        .with(filter)
        .init();

    let app = shop::routes().layer(TraceLayer::new_for_http());
    shop::serve(app).await?;
    Ok(())
}
