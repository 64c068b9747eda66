//! Each signal by the protocol of its destination: traces over gRPC and metrics over HTTP is one transport.

use std::time::Instant;

#[cfg(feature = "grpc")]
use super::GrpcTransport;
use super::destination::{Destinations, Protocol};
use super::http::HttpTransport;
use super::{Batch, Sent, Signal, Transport};
use crate::error::Error;

/// Delivers to OTLP endpoints of either protocol, as [`Destination::protocol`](super::Destination::protocol) says.
///
/// Over HTTP it is an [`HttpTransport`], over gRPC (feature `grpc`) a `GrpcTransport`.
#[derive(Debug)]
pub struct OtlpTransport {
    http: HttpTransport,
    #[cfg(feature = "grpc")]
    grpc: GrpcTransport,
    #[cfg(feature = "grpc")]
    protocols: [Protocol; Signal::ALL.len()],
}

impl OtlpTransport {
    /// A client for these destinations. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// A [configuration error](Error::is_configuration) for a URL, header, certificate or compression that cannot be used, and
    /// for what the build has no feature for; it names the feature.
    pub fn new(destinations: &Destinations) -> Result<Self, Error> {
        #[cfg(not(feature = "grpc"))]
        for signal in Signal::ALL {
            if destinations.of(signal).protocol == Protocol::Grpc {
                return Err(Error::configuration(format!(
                    "OTLP endpoint for {signal}: OTLP/gRPC needs the feature `grpc` of obs-core; enable it, or use OTLP/HTTP (port 4318)"
                )));
            }
        }
        Ok(Self {
            http: HttpTransport::of_those_that_speak_http(destinations)?,
            #[cfg(feature = "grpc")]
            grpc: GrpcTransport::of_those_that_speak_grpc(destinations)?,
            #[cfg(feature = "grpc")]
            protocols: Signal::ALL.map(|signal| destinations.of(signal).protocol),
        })
    }
}

impl Transport for OtlpTransport {
    fn send(&mut self, batch: &Batch, deadline: Instant) -> Sent {
        #[cfg(feature = "grpc")]
        if self.protocols.get(batch.signal.index()) == Some(&Protocol::Grpc) {
            return self.grpc.send(batch, deadline);
        }
        self.http.send(batch, deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::courier::Destination;

    #[test]
    fn a_protocol_that_the_build_lacks_is_refused_by_name() {
        let destinations = Destinations {
            metrics: Destination::grpc("http://localhost:4317"),
            ..Destinations::default()
        };
        let made = OtlpTransport::new(&destinations);
        if cfg!(feature = "grpc") {
            made.expect("both are spoken");
        } else {
            let error = made.expect_err("gRPC is not spoken");
            assert!(error.is_configuration());
            assert!(error.to_string().contains("feature `grpc`"), "{error}");
        }
    }

    #[test]
    fn a_transport_of_one_protocol_says_that_it_speaks_no_other() {
        let error =
            HttpTransport::new(&Destinations::grpc("http://localhost")).expect_err("no HTTP");
        assert!(error.is_configuration() && error.to_string().contains("OtlpTransport"));
    }
}
