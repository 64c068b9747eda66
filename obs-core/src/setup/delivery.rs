//! One destination of everything that is exported: plain data, from which the builder makes a courier.

use super::environment::Environment;
use super::peer;
#[cfg(feature = "otlp")]
use crate::courier::Destinations;
use crate::courier::{Courier, Couriers, Outlet, Peer, Settings, Signal, Transport};
use crate::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// A destination, how much may wait for it, and what it is given.
///
/// Each has a queue, a thread and [accounts](crate::Telemetry::deliveries) of its own: one that is down holds up no other. The
/// bytes that wait for several are in memory once, and count for each.
///
/// ```
/// use obs_core::courier::{Capture, Settings, Signal};
/// use obs_core::{Delivery, Telemetry};
///
/// let audit = Delivery::through(Capture::new())
///     .named("audit")
///     .only(&[Signal::Logs])
///     .with_settings(Settings::default().with_capacity_bytes(8 << 20));
/// let telemetry = Telemetry::builder()
///     .with_transport(Capture::new())
///     .with_delivery(audit)
///     .manual()
///     .build()?;
/// assert_eq!(telemetry.deliveries().len(), 2);
/// # Ok::<(), obs_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Delivery {
    to: To,
    name: Option<String>,
    settings: Settings,
    /// By [`Signal::index`].
    takes: [bool; Signal::ALL.len()],
}

enum To {
    #[cfg(feature = "otlp")]
    Environment,
    #[cfg(feature = "otlp")]
    Otlp(Box<Destinations>),
    Through(Box<dyn Transport>),
}

impl Delivery {
    /// Over OTLP, to where `OTEL_EXPORTER_OTLP_*` says and by the protocol that it says, by default HTTP to
    /// `http://localhost:4318`.
    #[cfg(feature = "otlp")]
    pub fn from_environment() -> Self {
        Self::to(To::Environment)
    }

    /// Over OTLP, to given destinations: code beats the environment.
    #[cfg(feature = "otlp")]
    pub fn otlp(destinations: Destinations) -> Self {
        Self::to(To::Otlp(Box::new(destinations)))
    }

    /// Through a transport of the caller's.
    pub fn through(transport: impl Transport) -> Self {
        Self::to(To::Through(Box::new(transport)))
    }

    fn to(to: To) -> Self {
        Self {
            to,
            name: None,
            settings: Settings::default(),
            takes: [true; Signal::ALL.len()],
        }
    }

    /// What it is called in accounts and messages; by default `otlp` or `transport`, with a number from the second on. No two
    /// of a telemetry share a name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How much may wait, and how patiently.
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// These signals and no others.
    pub fn only(mut self, signals: &[Signal]) -> Self {
        self.takes = Signal::ALL.map(|signal| signals.contains(&signal));
        self
    }
}

/// `pushed`: what the environment leaves switched on.
pub(super) fn couriers(
    deliveries: Vec<Delivery>,
    environment: &Environment,
    pushed: [bool; Signal::ALL.len()],
) -> Result<Couriers, Error> {
    let mut outlets: Vec<Outlet> = Vec::with_capacity(deliveries.len());
    let mut spools: Vec<PathBuf> = Vec::new();
    for delivery in deliveries {
        let kind = delivery.to.kind();
        let taken = |name: &str| outlets.iter().any(|outlet| outlet.name == name);
        let name = match delivery.name {
            Some(name) if taken(&name) => {
                return Err(Error::configuration(format!(
                    "two deliveries are named `{}`",
                    name.escape_debug()
                )));
            }
            Some(name) => name,
            None if !taken(kind) => kind.to_owned(),
            None => numbered(kind, taken),
        };
        if let Some(spool) = delivery.settings.spool_directory() {
            // What one left there would be sent to the other.
            if spools.contains(&spool) {
                return Err(Error::configuration(format!(
                    "two deliveries have their spool in {spool:?}; each needs a directory of its own"
                )));
            }
            spools.push(spool);
        }
        let peers = delivery.to.peers(environment);
        let courier = delivery.to.courier(environment, delivery.settings)?;
        outlets.push(Outlet {
            name,
            courier: Arc::new(courier),
            peers,
            takes: std::array::from_fn(|index| delivery.takes[index] && pushed[index]),
        });
    }
    Ok(Couriers::new(outlets))
}

fn numbered(kind: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut number = 2_usize;
    loop {
        let name = format!("{kind}-{number}");
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

impl To {
    fn kind(&self) -> &'static str {
        match self {
            #[cfg(feature = "otlp")]
            Self::Environment | Self::Otlp(_) => "otlp",
            Self::Through(_) => "transport",
        }
    }

    fn peers(&self, environment: &Environment) -> [Peer; Signal::ALL.len()] {
        let _ = environment;
        match self {
            #[cfg(feature = "otlp")]
            Self::Environment => peer::otlp(&environment.destinations()),
            #[cfg(feature = "otlp")]
            Self::Otlp(destinations) => peer::otlp(destinations),
            Self::Through(_) => peer::transport(),
        }
    }

    fn courier(self, environment: &Environment, settings: Settings) -> Result<Courier, Error> {
        let _ = environment;
        Ok(match self {
            #[cfg(feature = "otlp")]
            Self::Environment => Courier::new(
                crate::courier::OtlpTransport::new(&environment.destinations())?,
                settings,
            ),
            #[cfg(feature = "otlp")]
            Self::Otlp(destinations) => {
                Courier::new(crate::courier::OtlpTransport::new(&destinations)?, settings)
            }
            Self::Through(transport) => Courier::new(transport, settings),
        })
    }
}

impl std::fmt::Debug for To {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            #[cfg(feature = "otlp")]
            Self::Environment => f.write_str("Environment"),
            #[cfg(feature = "otlp")]
            Self::Otlp(destinations) => destinations.fmt(f),
            Self::Through(_) => f.write_str("Through"),
        }
    }
}
