//! The route a request was matched to: a template, never a path; and the path it was matched by.

use crate::head::RequestHead;
use crate::redact::{may_have_parameters, redact_path};
use http::Extensions;
use std::borrow::Cow;

/// A route's template, put into the request's extensions by a router that is not axum's. With the feature `axum`,
/// `MatchedPath` is found too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route(pub &'static str);

#[inline]
pub(crate) fn find(extensions: &Extensions) -> Option<&str> {
    #[cfg(feature = "axum")]
    if let Some(matched) = extensions.get::<axum::extract::MatchedPath>() {
        return Some(matched.as_str());
    }
    extensions.get::<Route>().map(|route| route.0)
}

/// The same without its secrets.
#[inline(always)]
pub(crate) fn shown_path<'a>(head: &RequestHead<'a>) -> Cow<'a, str> {
    let path = path(head);
    match may_have_parameters(path) {
        true => redact_path(path),
        false => Cow::Borrowed(path),
    }
}

/// The path as the client sent it. Nested routers of axum's strip their prefix off the target, and leave the whole of it.
#[inline]
pub(crate) fn path<'a>(head: &RequestHead<'a>) -> &'a str {
    #[cfg(feature = "axum")]
    if let Some(original) = head.extensions.get::<axum::extract::OriginalUri>() {
        return original.0.path();
    }
    head.uri.path()
}
