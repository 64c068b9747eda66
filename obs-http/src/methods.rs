//! Methods as labels: the known ones by number, everything else `_OTHER`.

use http::Method;
use obs_core::semconv::http::METHODS;
use obs_core::{Kind, LabelId, OTHER};

use crate::descriptor::METHOD;

/// Numbers of the known methods in one telemetry.
#[derive(Clone, Debug)]
pub(crate) struct Methods {
    /// In the order of [`METHODS`].
    standard: [LabelId; 9],
    own: Vec<(Method, LabelId)>,
}

impl Methods {
    /// `known`: what replaces the standard list, as `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` does.
    pub(crate) fn new(kind: &'static Kind, known: Option<&[String]>) -> Self {
        let mut standard = [LabelId::OVERFLOW; 9];
        let is_known = |name: &str| known.is_none_or(|known| known.iter().any(|one| one == name));
        for (slot, name) in standard.iter_mut().zip(METHODS) {
            if is_known(name) {
                *slot = kind.label(METHOD, name);
            }
        }
        let own = known
            .unwrap_or_default()
            .iter()
            .filter(|name| !METHODS.contains(&name.as_str()));
        let own = own.filter_map(|name| {
            Some((
                Method::from_bytes(name.as_bytes()).ok()?,
                kind.label(METHOD, name),
            ))
        });
        Self {
            standard,
            own: own.collect(),
        }
    }

    /// As it is recorded.
    pub(crate) fn name<'a>(&self, method: &'a Method) -> &'a str {
        match self.number(method) {
            LabelId::OVERFLOW => OTHER,
            _ => method.as_str(),
        }
    }

    #[inline(always)]
    pub(crate) fn number(&self, method: &Method) -> LabelId {
        match *method {
            Method::GET => self.standard[0],
            Method::POST => self.standard[1],
            Method::PUT => self.standard[2],
            Method::DELETE => self.standard[3],
            Method::HEAD => self.standard[4],
            Method::OPTIONS => self.standard[5],
            Method::PATCH => self.standard[6],
            Method::TRACE => self.standard[7],
            Method::CONNECT => self.standard[8],
            _ => self
                .own
                .iter()
                .find(|(own, _)| own == method)
                .map_or(LabelId::OVERFLOW, |(_, id)| *id),
        }
    }
}
