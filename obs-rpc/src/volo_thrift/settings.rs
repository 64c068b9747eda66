//! What the layers and codecs of both sides are told, as plain data behind one reference.

use crate::kitex::Identity;
use ::volo_thrift::context::ThriftContext;
use obs_core::propagation::Propagator;
use obs_core::propagation::baggage::Allow;
use obs_core::{Kind, Trust};
use std::sync::atomic::AtomicBool;
use volo::FastStr;

#[derive(Clone, Debug)]
pub(crate) struct ServerSettings {
    pub(crate) kind: &'static Kind,
    pub(crate) propagator: &'static Propagator,
    pub(crate) trust: Trust,
    pub(crate) baggage: Option<Allow>,
    /// The services that there are; the first answers where none of them is asked for.
    pub(crate) services: Vec<FastStr>,
    /// Whether a method that is not configured gets a name once it is answered.
    pub(crate) learns: bool,
    pub(crate) addresses: bool,
    pub(crate) biz_errors: bool,
}

impl ServerSettings {
    /// Which service is asked. Callers say what they like: only what is configured counts.
    pub(crate) fn service<Cx: ThriftContext>(&self, cx: &Cx) -> &str {
        let asked = cx.idl_service_name();
        let routed = asked.and_then(|asked| self.services.iter().find(|name| *name == asked));
        routed.or(self.services.first()).map_or("", FastStr::as_str)
    }
}

#[derive(Debug)]
pub(crate) struct ClientSettings {
    pub(crate) kind: &'static Kind,
    pub(crate) propagator: &'static Propagator,
    pub(crate) identity: Identity,
    /// Whether the trace context is written. Attempts do, and not the call around them.
    pub(crate) injects: bool,
    pub(crate) service: Option<FastStr>,
    /// Whether it stands around all attempts.
    pub(crate) logical: bool,
    /// Whether there is a codec that sees the connection.
    pub(crate) wired: AtomicBool,
}

impl Clone for ClientSettings {
    fn clone(&self) -> Self {
        Self {
            kind: self.kind,
            propagator: self.propagator,
            identity: self.identity.clone(),
            injects: self.injects,
            service: self.service.clone(),
            logical: self.logical,
            wired: AtomicBool::new(false),
        }
    }
}

/// A method's full name: `Service/Method`. Of most it is no allocation.
pub(crate) fn named<R>(service: &str, method: &str, work: impl FnOnce(&str) -> R) -> R {
    if service.is_empty() {
        return work(method);
    }
    let mut room = [0; 128];
    let parts = [service.as_bytes(), b"/", method.as_bytes()];
    let mut at = 0;
    for part in parts {
        let Some(place) = room.get_mut(at..at + part.len()) else {
            return work(&format!("{service}/{method}"));
        };
        place.copy_from_slice(part);
        at += part.len();
    }
    work(std::str::from_utf8(&room[..at]).unwrap_or(method))
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_name_is_service_and_method_however_long() {
        let long = "x".repeat(200);
        for (service, method, expect) in [
            ("Shop", "Buy", "Shop/Buy".to_owned()),
            ("", "Buy", "Buy".to_owned()),
            ("Shop", "", "Shop/".to_owned()),
            (&*long, "Buy", format!("{long}/Buy")),
            ("Shop", &*long, format!("Shop/{long}")),
        ] {
            named(service, method, |name| assert_eq!(name, expect));
        }
    }
}
