//! What the layers of both sides are told, as plain data behind one reference.

use super::span::SpanSetting;
use crate::head::RequestHead;
use crate::methods::Methods;
use http::HeaderName;
use obs_core::{Key, Kind};
use std::sync::Arc;
use std::time::Duration;

/// Settings that mean the same on both sides. Nobody outside can name it.
#[derive(Clone)]
pub struct Common {
    pub(crate) kind: &'static Kind,
    pub(crate) methods: Methods,
    pub(crate) filter: Option<Arc<FilterRule>>,
    pub(crate) https: bool,
    pub(crate) query: bool,
    pub(crate) request_headers: Vec<(HeaderName, Key)>,
    pub(crate) response_headers: Vec<(HeaderName, Key)>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) current_in_body: bool,
    /// Of no size without the feature.
    pub(crate) span: SpanSetting,
}

pub(crate) type FilterRule = dyn Fn(RequestHead<'_>) -> bool + Send + Sync;

impl Common {
    pub(crate) fn new(kind: &'static Kind, methods: Methods) -> Self {
        Self {
            kind,
            methods,
            filter: None,
            https: false,
            query: true,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            deadline: None,
            current_in_body: false,
            span: SpanSetting::default(),
        }
    }

    /// Whether the filter lets it be observed; it is where there is none, or where the filter panics.
    pub(crate) fn observes(&self, head: RequestHead<'_>) -> bool {
        match &self.filter {
            Some(filter) => self.kind.contain(true, || filter(head)),
            None => true,
        }
    }
}

impl std::fmt::Debug for Common {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common")
            .field("filtered", &self.filter.is_some())
            .field("https", &self.https)
            .field("request_headers", &self.request_headers)
            .field("response_headers", &self.response_headers)
            .finish_non_exhaustive()
    }
}

/// The setters of [`Common`], for a layer that has `settings` and `leaked`.
macro_rules! common_setters {
    ($layer:ident) => {
        impl<C> $layer<C> {
            /// Which requests are observed at all; the others pass as if the layer were not there.
            pub fn with_filter(
                self,
                filter: impl Fn($crate::RequestHead<'_>) -> bool + Send + Sync + 'static,
            ) -> Self {
                self.set(|settings| settings.filter = Some(std::sync::Arc::new(filter)))
            }

            /// The connection speaks TLS: the scheme is `https` where the request does not say.
            pub fn with_https(self, https: bool) -> Self {
                self.set(|settings| settings.https = https)
            }

            /// Whether the query is recorded, with secrets redacted. Default: yes.
            pub fn with_query(self, query: bool) -> Self {
                self.set(|settings| settings.query = query)
            }

            /// Request headers to record, by their lower-case names. Those whose names speak of secrets (`auth`,
            /// `cookie`, `token`, `api-key`, `session`, `signature` and the like, wherever they stand in it) are left out
            /// whatever is asked.
            pub fn with_request_headers<'n>(
                self,
                names: impl IntoIterator<Item = &'n str>,
            ) -> Self {
                let headers = $crate::headers::captured::allowed(
                    names,
                    obs_core::semconv::http::REQUEST_HEADER,
                );
                self.set(|settings| settings.request_headers = headers)
            }

            /// The same for response headers.
            pub fn with_response_headers<'n>(
                self,
                names: impl IntoIterator<Item = &'n str>,
            ) -> Self {
                let headers = $crate::headers::captured::allowed(
                    names,
                    obs_core::semconv::http::RESPONSE_HEADER,
                );
                self.set(|settings| settings.response_headers = headers)
            }

            /// When a request that is dropped without an answer counts as timed out and not as cancelled: the timeout
            /// of a layer outside this one. Nothing is enforced here.
            pub fn with_deadline(self, deadline: std::time::Duration) -> Self {
                self.set(|settings| settings.deadline = Some(deadline))
            }

            /// With a `tracing` span of this level per operation, entered whenever the operation is current: see
            /// [`tracing_span`]($crate::tracing_span), which also says what a layer that exports spans has to be told.
            /// Default: none.
            #[cfg(feature = "tracing")]
            pub fn with_tracing_span(self, level: tracing::Level) -> Self {
                let span = $crate::exchange::span::SpanSetting::at(level);
                self.set(|settings| settings.span = span)
            }
        }
    };
}
pub(crate) use common_setters;
