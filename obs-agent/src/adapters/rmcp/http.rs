//! The request of HTTP that brought a message.

use http::request::Parts;
use obs_core::{OpRef, current};
use rmcp::model::Extensions;

const SESSION_ID: &str = "mcp-session-id";

/// Hands the operation in which this is called, the request as a server's layer sees it, on to the messages that the request brings:
/// rmcp works on those in tasks of their own, and hands its extensions on to them. For what stands between the layer and rmcp's
/// service, as `tower::util::MapRequest::new(service, carry_http)`.
pub fn carry_http<B>(mut request: http::Request<B>) -> http::Request<B> {
    if let Some(operation) = current::handle() {
        request.extensions_mut().insert(Carried(operation));
    }
    request
}

#[derive(Clone)]
struct Carried(OpRef);

/// What a message's request of HTTP says of it.
#[derive(Clone, Copy)]
pub(super) struct Http<'a>(&'a Parts);

impl<'a> Http<'a> {
    /// None of what came otherwise.
    pub(super) fn of(extensions: &'a Extensions) -> Option<Self> {
        extensions.get::<Parts>().map(Self)
    }

    pub(super) fn session_id(self) -> Option<&'a str> {
        self.0.headers.get(SESSION_ID)?.to_str().ok()
    }

    pub(super) fn operation(self) -> Option<&'a OpRef> {
        let carried = self.0.extensions.get::<Carried>()?;
        Some(&carried.0)
    }
}
