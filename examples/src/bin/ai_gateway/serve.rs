//! The gateway from its first line to its last.

use crate::keys::Keys;
use crate::meter::Meter;
use crate::proxy::{Asker, Gateway, routes};
use crate::settings::{Settings, Told};
use crate::simulated::{Role, Simulated};
use crate::upstream::Upstream;
use crate::{Failure, Result};
use axum::serve::ListenerExt;
use obs_core::Telemetry;
use obs_core::setup::environment::Environment;
use obs_http::{HttpServerLayer, MetricsListener, MetricsPage};
use obs_llm::cost::Prices;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// How long telemetry may take to deliver what is left.
const LAST: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT. What streams by then may end within its time; what does not is cut, and recorded as such,
/// which is why the runtime ends before telemetry does.
pub(crate) fn run() -> Result<()> {
    let settings = Settings::from_environment()?;
    let builder = Telemetry::builder();
    let telemetry = match Environment::from_process().names_an_endpoint() {
        true => builder.with_otlp().build()?,
        // Nobody to send to: the page is what there is.
        false => builder.build()?,
    };
    let delivered = telemetry.shutdown_on_drop(LAST);
    let runtime = Runtime::new()?;
    let served = runtime.block_on(serve(&telemetry, settings));
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(delivered);
    served
}

async fn serve(telemetry: &Telemetry, settings: Settings) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (gateway, _simulated) = build(telemetry, &settings).await?;
    // Scrapes are answered whatever the runtime is busy with, and are no requests of the interface.
    let page = MetricsListener::start(MetricsPage::new(telemetry), settings.metrics.as_str())?;
    let app = routes(gateway)
        .layer(HttpServerLayer::new(telemetry))
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind(&settings.listen).await?;
    println!("gateway: http://{}/v1", listener.local_addr()?);
    println!("metrics: http://{}/metrics", page.address());
    println!("ready");

    // A chunk that waits for an acknowledgement is 40 ms late.
    let listener = listener.tap_io(|io| _ = io.set_nodelay(true));
    let (stopping, stopped) = oneshot::channel::<()>();
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        drop(stopping);
    };
    let late = async {
        drop(stopped.await);
        tokio::time::sleep(settings.grace).await;
    };
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(stop).into_future() => served?,
        () = late => println!("cut what was not over after {:?}", settings.grace),
    }
    Ok(())
}

/// The gateway, and those of its upstreams that are its own.
async fn build(
    telemetry: &Telemetry,
    settings: &Settings,
) -> Result<(Arc<Gateway>, Vec<Simulated>)> {
    let keys = match &settings.keys {
        Some(path) => Keys::from_file(path)?,
        None => Keys::anybody(),
    };
    let prices = match &settings.prices {
        Some(path) => Some(Arc::new(Prices::from_file(path)?.0)),
        None => None,
    };
    let (mut upstreams, mut simulated) = (Vec::new(), Vec::new());
    for (told, role) in settings.upstreams.iter().zip([Role::First, Role::Second]) {
        upstreams.push(match told {
            Some(told) => Upstream::new(telemetry, told)?,
            None => {
                let own = Simulated::start(role).await?;
                println!("simulated: http://{}/v1", own.address);
                let told = Told {
                    url: format!("http://{}/v1", own.address),
                    provider: Some(obs_llm::Provider::named(role.name())),
                    key: Some(role.key().to_owned()),
                };
                simulated.push(own);
                Upstream::new(telemetry, &told)?
            }
        });
    }
    let askers = keys.names().iter().map(|name| {
        let meter = Arc::new(Meter::new(telemetry, name, prices.clone()));
        let client = |upstream: &Upstream| upstream.client(telemetry, meter.clone(), settings);
        Asker {
            clients: upstreams.iter().map(client).collect(),
            meter: meter.clone(),
        }
    });
    Ok::<_, Failure>((
        Arc::new(Gateway {
            askers: askers.collect(),
            keys,
            upstreams,
            drain_bytes: settings.drain_bytes,
        }),
        simulated,
    ))
}
