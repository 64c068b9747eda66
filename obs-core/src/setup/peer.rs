//! Who takes a signal, in the words of the conventions for SDKs: a kind of exporter, an address, a port.

#[cfg(feature = "otlp")]
use crate::courier::{Destinations, Protocol};
use crate::courier::{Peer, Signal};

/// An OTLP exporter, by the protocol of each destination.
#[cfg(feature = "otlp")]
pub(super) fn otlp(destinations: &Destinations) -> [Peer; Signal::ALL.len()] {
    Signal::ALL.map(|signal| {
        let destination = destinations.of(signal);
        let (address, port) = server(&destination.url);
        Peer {
            component: match (destination.protocol, signal) {
                (Protocol::HttpProtobuf, Signal::Traces) => "otlp_http_span_exporter",
                (Protocol::HttpProtobuf, Signal::Metrics) => "otlp_http_metric_exporter",
                (Protocol::HttpProtobuf, Signal::Logs) => "otlp_http_log_exporter",
                (Protocol::Grpc, Signal::Traces) => "otlp_grpc_span_exporter",
                (Protocol::Grpc, Signal::Metrics) => "otlp_grpc_metric_exporter",
                (Protocol::Grpc, Signal::Logs) => "otlp_grpc_log_exporter",
            },
            address,
            port,
        }
    })
}

/// A transport of the service's: called as in the language, for the conventions have no kind for it.
pub(super) fn transport() -> [Peer; Signal::ALL.len()] {
    Signal::ALL.map(|_| Peer {
        component: "obs_core::Courier",
        address: String::new(),
        port: String::new(),
    })
}

/// Address and port of a URL; the port that its scheme stands for where it names none.
#[cfg(feature = "otlp")]
fn server(url: &str) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    // What stands before it may be a password.
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (address, port) = match host.strip_prefix('[').and_then(|six| six.split_once(']')) {
        Some((six, port)) => (six, port.strip_prefix(':')),
        None => match host.rsplit_once(':') {
            Some((address, port)) => (address, Some(port)),
            None => (host, None),
        },
    };
    let usual = match scheme {
        "http" => "80",
        "https" => "443",
        _ => "",
    };
    (address.to_owned(), port.unwrap_or(usual).to_owned())
}

#[cfg(all(test, feature = "otlp"))]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, address: &str, port: &str) {
        assert_eq!(server(url), (address.to_owned(), port.to_owned()), "{url}");
    }

    #[test]
    fn an_exporter_is_named_by_its_protocol() {
        let mut destinations = Destinations::below("http://collector:4318");
        destinations.logs = crate::courier::Destination::grpc("http://collector:4317");
        let [traces, metrics, logs] = otlp(&destinations);
        assert_eq!(traces.component, "otlp_http_span_exporter");
        assert_eq!(metrics.component, "otlp_http_metric_exporter");
        assert_eq!(
            (logs.component, &*logs.port),
            ("otlp_grpc_log_exporter", "4317")
        );
    }

    #[test]
    fn a_url_names_its_server_and_never_a_password() {
        check("http://collector:4318/v1/traces", "collector", "4318");
        check(
            "https://me:secret@gateway.example/v1/logs?key=a:b",
            "gateway.example",
            "443",
        );
        check("http://[::1]:4318/", "::1", "4318");
        check("http://[2001:db8::7]/", "2001:db8::7", "80");
        check("http://127.0.0.1#x", "127.0.0.1", "80");
        check("nonsense", "nonsense", "");
        check("", "", "");
    }
}
