//! What the layers of both sides are told, as plain data behind one reference.

use crate::head::CallHead;
use crate::status::{Classify, Code, is_error_to_client, is_error_to_server, outcome};
use http::HeaderName;
use obs_core::propagation::Propagator;
use obs_core::{Key, Kind, Outcome};
use std::sync::Arc;
use std::time::Duration;

/// Which side it is of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
    /// What stands around the attempts of a client.
    Logical,
}

#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) kind: &'static Kind,
    pub(crate) role: Role,
    pub(crate) propagator: &'static Propagator,
    pub(crate) filter: Option<Arc<FilterRule>>,
    pub(crate) classify: Option<Arc<dyn Classify>>,
    pub(crate) request_metadata: Vec<(HeaderName, Key)>,
    pub(crate) response_metadata: Vec<(HeaderName, Key)>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) current_in_body: bool,
    /// Whether the response's body passes here: of one that does not there is nothing to count.
    pub(crate) sees_response: bool,
    /// Whether a method that is not configured gets a name once it is answered.
    pub(crate) learns: bool,
}

pub(crate) type FilterRule = dyn Fn(CallHead<'_>) -> bool + Send + Sync;

impl Common {
    pub(crate) fn new(kind: &'static Kind, role: Role, propagator: &'static Propagator) -> Self {
        Self {
            kind,
            role,
            propagator,
            filter: None,
            classify: None,
            request_metadata: Vec::new(),
            response_metadata: Vec::new(),
            deadline: None,
            current_in_body: role == Role::Server,
            sees_response: true,
            learns: role == Role::Server,
        }
    }

    /// Whether the filter lets it be observed; it is where there is none, or where the filter panics.
    #[inline(always)]
    pub(crate) fn observes(&self, head: CallHead<'_>) -> bool {
        match &self.filter {
            Some(filter) => self.kind.contain(true, || filter(head)),
            None => true,
        }
    }

    /// The earlier of what is set and what the request says, and a little less: it began before we were asked, in a layer or
    /// an application around this one, and for a server at the client. What they give up when it is over must not look like a
    /// cancellation.
    #[inline(always)]
    pub(crate) fn deadline(&self, said: Option<Duration>) -> Option<Duration> {
        let deadline = match (self.deadline, said) {
            (Some(one), Some(other)) => one.min(other),
            (one, other) => one.or(other)?,
        };
        Some(deadline.saturating_sub((deadline / 16).min(Duration::from_millis(10))))
    }

    /// What a status means to this side.
    #[inline(always)]
    pub(crate) fn outcome(&self, code: Code) -> Outcome {
        let by_convention = match self.role {
            Role::Server => is_error_to_server(code),
            Role::Client | Role::Logical => is_error_to_client(code),
        };
        let is_error = match &self.classify {
            None => by_convention,
            Some(rule) => self.classified(&**rule, code, by_convention),
        };
        outcome(code, is_error)
    }

    #[inline(never)]
    fn classified(&self, rule: &dyn Classify, code: Code, by_convention: bool) -> bool {
        self.kind.contain(by_convention, || rule.is_error(code))
    }
}

impl std::fmt::Debug for Common {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common")
            .field("role", &self.role)
            .field("filtered", &self.filter.is_some())
            .field("request_metadata", &self.request_metadata)
            .field("response_metadata", &self.response_metadata)
            .finish_non_exhaustive()
    }
}

/// The setters of [`Common`], for a layer that has `set`.
macro_rules! common_setters {
    ($layer:ident) => {
        impl $layer {
            /// Which calls are observed at all; the others pass as if the layer were not there. A filter that panics, which
            /// is counted, lets all be observed. For those of health checks and reflection there is
            /// [`without_infrastructure`](Self::without_infrastructure).
            pub fn with_filter(
                self,
                filter: impl Fn($crate::CallHead<'_>) -> bool + Send + Sync + 'static,
            ) -> Self {
                self.set(|settings| settings.common.filter = Some(std::sync::Arc::new(filter)))
            }

            /// Leaves out calls of `grpc.health.*`, `grpc.reflection.*` and `grpc.channelz.*`. Takes the place of another
            /// filter.
            pub fn without_infrastructure(self) -> Self {
                self.with_filter(|head| !$crate::head::is_infrastructure(head.service()))
            }

            /// Which statuses are errors. By default what the conventions say: to a client all but OK, to a server UNKNOWN,
            /// DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS.
            pub fn with_classify(self, classify: impl $crate::Classify) -> Self {
                self.set(|settings| settings.common.classify = Some(std::sync::Arc::new(classify)))
            }

            /// Request metadata to record, by its lower-case keys. Keys that speak of secrets (`auth`, `cookie`, `token`,
            /// `api-key` and the like, wherever they stand in it) and binary ones are left out whatever is asked.
            pub fn with_request_metadata<'n>(
                self,
                keys: impl IntoIterator<Item = &'n str>,
            ) -> Self {
                let keys =
                    $crate::metadata::allowed(keys, obs_core::semconv::rpc::REQUEST_METADATA);
                self.set(|settings| settings.common.request_metadata = keys)
            }

            /// The same for the metadata that comes before the response's messages.
            pub fn with_response_metadata<'n>(
                self,
                keys: impl IntoIterator<Item = &'n str>,
            ) -> Self {
                let keys =
                    $crate::metadata::allowed(keys, obs_core::semconv::rpc::RESPONSE_METADATA);
                self.set(|settings| settings.common.response_metadata = keys)
            }

            /// When a call that is dropped without a status counts as timed out and not as cancelled: the timeout of a layer
            /// outside this one, which began before: the last sixteenth, at most 10 ms, counts as over. What `grpc-timeout`
            /// says counts without; the earlier of the two does. Nothing is enforced here.
            pub fn with_deadline(self, deadline: std::time::Duration) -> Self {
                self.set(|settings| settings.common.deadline = Some(deadline))
            }
        }
    };
}
pub(crate) use common_setters;
