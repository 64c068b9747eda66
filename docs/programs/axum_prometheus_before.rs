//! Three metrics of each request on a page, by axum-prometheus.

mod shop;

use axum::routing::get;
use axum_prometheus::PrometheusMetricLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (layer, handle) = PrometheusMetricLayer::pair();
    let app = shop::routes()
        .route("/metrics", get(|| async move { handle.render() }))
        .layer(layer);
    shop::serve(app).await?;
    Ok(())
}
