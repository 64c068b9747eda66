//! What makes a service observable, the same for all: who is speaking, log lines with ids, a metrics page.

use crate::{failure::Failure, logs::Log};
use obs_core::{
    Builder, StatsLevel, Telemetry,
    logs::LogLayer,
    setup::{environment::Environment, resource::Resource},
};
use obs_http::{MetricsListener, MetricsPage};
use obs_rpc::{RPC_CLIENT, RPC_SERVER};
use std::{net::SocketAddr, time::Duration};
use tracing_subscriber::{
    Layer, filter::LevelFilter, layer::SubscriberExt, util::SubscriberInitExt,
};

/// How long a service may take to deliver what is left when it ends.
pub(crate) const LAST: Duration = Duration::from_secs(5);

/// One service's telemetry. Dropped, it delivers what is left.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) telemetry: Telemetry,
    /// On threads of its own: it answers whatever the runtime is busy with.
    page: MetricsListener,
    _delivered_at_the_end: obs_core::ShutdownGuard,
}

impl Observed {
    /// Sets it up. `log`: where lines go; to the standard error without it.
    pub(crate) fn start(
        name: &'static str,
        environment: &Environment,
        builder: Builder,
        log: Option<&Log>,
    ) -> Result<Self, Failure> {
        let resource = Resource::builder()
            .with_service_name(name)
            .with_service_version(env!("CARGO_PKG_VERSION"))
            .with_environment(environment)
            .build();
        // gRPC in its stages; everything else as it is by default, from start to end.
        let telemetry = builder
            .with_resource(resource)
            .with_kind_level(RPC_CLIENT.name, StatsLevel::Detailed)
            .with_kind_level(RPC_SERVER.name, StatsLevel::Detailed)
            .build()?;
        let guard = telemetry.shutdown_on_drop(LAST);

        let lines = LogLayer::new(&telemetry);
        let lines = match log {
            Some(log) => lines.with_lines(log.lines()?),
            None => lines.with_lines(std::io::stderr),
        };
        // Libraries below speak at levels that only their authors read.
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(LevelFilter::INFO));
        subscriber
            .try_init()
            .map_err(|error| Failure::new(error.to_string()))?;

        Ok(Self {
            telemetry,
            page: MetricsListener::start(MetricsPage::new(&telemetry), "127.0.0.1:0")?,
            _delivered_at_the_end: guard,
        })
    }

    /// Where its metrics page is.
    pub(crate) fn metrics(&self) -> SocketAddr {
        self.page.address()
    }
}
