//! How a service is set up: words on its command line, and what becomes of them.

use std::{fmt, path::PathBuf, time::Duration};

use obs_core::{
    Clock, Delivery, Error, ManualClock, Telemetry,
    courier::{Destination, Destinations, Fsync, Settings, SpoolSettings},
    setup::environment::Environment,
};

/// Where the service's futures run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Host {
    /// Two workers of tokio.
    #[default]
    Multi,
    /// tokio on one thread, which calls `shutdown` from inside.
    Current,
    /// No runtime at all.
    Outside,
}

impl Host {
    pub(crate) const ALL: [Self; 3] = [Self::Multi, Self::Current, Self::Outside];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Multi => "multi-thread",
            Self::Current => "current-thread",
            Self::Outside => "outside",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|host| host.name() == name)
    }
}

/// Time of a service is real time × `speed`: its clock, its load, and every wait, timeout and interval of its telemetry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setup {
    pub(crate) endpoint: String,
    pub(crate) grpc: bool,
    /// Bytes that may wait for delivery.
    pub(crate) cap: usize,
    pub(crate) speed: f64,
    pub(crate) host: Host,
    pub(crate) spool: Option<PathBuf>,
    pub(crate) spool_cap: u64,
}

/// Bytes that may wait, of `Settings` as they ship.
const SHIPPED: usize = 56 << 20;

impl Setup {
    /// As it ships.
    pub(crate) fn new(endpoint: impl Into<String>, speed: f64) -> Self {
        Self {
            endpoint: endpoint.into(),
            grpc: false,
            cap: SHIPPED,
            speed,
            host: Host::Multi,
            spool: None,
            spool_cap: 1 << 30,
        }
    }

    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut setup = Self::new("", 1.0);
        for word in words {
            let bad = || format!("not a setting: {word}");
            let (name, value) = word.split_once('=').ok_or_else(bad)?;
            match name {
                "endpoint" => setup.endpoint = value.to_owned(),
                "grpc" => setup.grpc = value == "true",
                "cap" => setup.cap = value.parse().map_err(|_| bad())?,
                "speed" => setup.speed = value.parse().map_err(|_| bad())?,
                "host" => setup.host = Host::named(value).ok_or_else(bad)?,
                "spool" => setup.spool = Some(value.into()),
                "spool_cap" => setup.spool_cap = value.parse().map_err(|_| bad())?,
                _ => return Err(bad()),
            }
        }
        Ok(setup)
    }

    /// A wait of so long in the service's time.
    fn wait(&self, wait: Duration) -> Duration {
        wait.div_f64(self.speed)
    }

    /// Where time is fast, the collector looks as often as a [load](super::Load) waits for it.
    fn most_patient(&self) -> Duration {
        if self.speed == 1.0 {
            Duration::MAX
        } else {
            Duration::from_millis(1)
        }
    }

    /// The telemetry, and its clock where it is not the machine's.
    pub(crate) fn telemetry(&self) -> Result<(Telemetry, Option<ManualClock>), Error> {
        let seconds = |seconds| self.wait(Duration::from_secs(seconds));
        let mut settings = Settings::default()
            .with_capacity_bytes(self.cap)
            .with_backoff(seconds(1), seconds(30));
        if let Some(folder) = &self.spool {
            let millis = |millis| self.wait(Duration::from_millis(millis));
            // What it has unless told otherwise, in this service's time.
            let spool = SpoolSettings::at(folder)
                .with_capacity_bytes(self.spool_cap)
                .with_patience(millis(400))
                .with_fsync(Fsync::Every(millis(500)));
            settings = settings.with_spool(spool);
        }
        let below = if self.grpc {
            Destinations::grpc(&self.endpoint)
        } else {
            Destinations::below(&self.endpoint)
        };
        let patient = |destination: Destination| destination.with_timeout(seconds(10));
        let destinations = Destinations {
            traces: patient(below.traces),
            metrics: patient(below.metrics),
            logs: patient(below.logs),
        };
        let mut builder = Telemetry::builder()
            .with_environment(Environment::default())
            .with_service_name("chaos")
            .with_delivery(Delivery::otlp(destinations).with_settings(settings))
            .with_metric_interval(seconds(60))
            .with_collect_interval(
                self.wait(Duration::from_millis(200))
                    .min(self.most_patient()),
            );
        let clock = (self.speed != 1.0).then(ManualClock::new);
        if let Some(clock) = &clock {
            builder = builder.with_clock(Clock::manual(clock));
        }
        Ok((builder.build()?, clock))
    }
}

/// As [`parse`](Setup::parse) reads it.
impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "endpoint={} grpc={} cap={} speed={} host={} spool_cap={}",
            self.endpoint,
            self.grpc,
            self.cap,
            self.speed,
            self.host.name(),
            self.spool_cap
        )?;
        match &self.spool {
            Some(folder) => write!(f, " spool={}", folder.display()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_told_by_words() {
        let mut setup = Setup::new("http://127.0.0.1:9", 20.0);
        (setup.host, setup.grpc, setup.spool) = (Host::Outside, true, Some("spool".into()));
        let words = setup.to_string();
        let words: Vec<&str> = words.split(' ').collect();
        assert_eq!(Setup::parse(&words), Ok(setup));
        assert!(Setup::parse(&["cap=many"]).is_err());
    }
}
