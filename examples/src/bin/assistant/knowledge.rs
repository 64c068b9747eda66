//! The knowledge service: HTTP in a process of its own, which the front starts and stops.

mod routes;

use crate::{behind::Behind, failure::Failure, options, serving::Serving};
use obs_core::Telemetry;
use obs_http::HttpServerLayer;

/// Its `service.name`.
pub(crate) const NAME: &str = "assistant-knowledge";

/// Serves until a signal, or until the end of its input if it is attached.
pub(crate) async fn run(options: options::Behind) -> Result<(), Failure> {
    let behind = Behind::begin(NAME, options)?;
    let telemetry = behind.telemetry();
    let app = routes::routes(&telemetry).layer(HttpServerLayer::new(&telemetry));
    let service = Serving::http(app).await?;
    let bare = Serving::http(routes::routes(&Telemetry::noop())).await?;
    behind.serve(service, bare).await
}
