//! Both layers, on one page.

mod shop;

use axum_prometheus::PrometheusMetricLayer;
use obs_core::Telemetry;
use obs_http::{HttpServerLayer, MetricsPage};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (layer, handle) = PrometheusMetricLayer::pair();
    let telemetry = Telemetry::builder().build()?;
    let app = shop::routes()
        .layer(layer)
        .layer(HttpServerLayer::new(&telemetry));
    let page = MetricsPage::new(&telemetry).with_joined("metrics", move || handle.render())?;
    shop::serve(app.route_service("/metrics", page)).await?;
    Ok(())
}
