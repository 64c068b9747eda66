//! The metric of dials: how many, how long, and why not. On every one, whichever calls are looked at.

use super::line::Failure;
use crate::descriptor::{SCOPE, STAGE_BOUNDS};
use crate::head::without_brackets;
use http::Uri;
use obs_core::otel::trace::SpanKind;
use obs_core::semconv::{http as conventions, network, obs};
use obs_core::{BoundHistogram, Descriptor, Instrument, Label, Telemetry, Values};
use std::time::Duration;

/// In the order of [`Failure`].
const FAILURES: [&str; 5] = [
    "dns_error",
    "tcp_error",
    "tls_error",
    "connect_error",
    "dropped",
];

static DURATION: Instrument = Instrument {
    name: obs::RPC_CLIENT_CONNECT_DURATION,
    unit: "s",
    description: "Duration of the dials of clients, until calls can be sent.",
    labels: &[
        Label {
            key: network::SERVER_ADDRESS,
            values: Values::Open { cap: 512 },
        },
        Label {
            key: network::SERVER_PORT,
            values: Values::Number,
        },
        Label {
            key: conventions::ERROR_TYPE,
            values: Values::Closed(&FAILURES),
        },
    ],
    scope: &SCOPE,
};

/// Whose clock dials have. Nothing is ever started of it: a kind of calls would settle what the status is called, before the
/// layer around the channel has said so.
pub(super) static DIALS: Descriptor = Descriptor {
    name: "rpc.connect",
    span_kind: SpanKind::Client,
    scope: &SCOPE,
    labels: &[],
    method: None,
    errors: &[],
    duration: None,
    stages: &[],
    measures: &[],
    quantities: &[],
    in_flight: None,
    span_name: |_, name| name.push_str("connect"),
};

/// The metric of one channel: its labels are found once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    done: BoundHistogram,
    failed: [BoundHistogram; FAILURES.len()],
}

impl Meter {
    pub(super) fn of(telemetry: &Telemetry, uri: &Uri) -> Self {
        let histogram = telemetry.histogram(&DURATION, STAGE_BOUNDS);
        let host = without_brackets(uri.host().unwrap_or_default());
        let port = match (uri.port_u16(), uri.scheme_str()) {
            (Some(port), _) => port.to_string(),
            (None, Some("http")) => "80".to_owned(),
            (None, Some("https")) => "443".to_owned(),
            (None, _) => String::new(),
        };
        let bind = |failure| histogram.bind(&[host, &port, failure]);
        Self {
            done: bind(""),
            failed: std::array::from_fn(|index| bind(FAILURES[index])),
        }
    }

    pub(super) fn record(&self, took: Duration, failure: Option<Failure>) {
        let histogram = match failure {
            None => &self.done,
            Some(failure) => &self.failed[failure as usize],
        };
        histogram.record(took.as_secs_f64());
    }
}
