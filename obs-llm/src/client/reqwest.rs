//! reqwest's bodies, so that the layers stand around its client.

use super::injected::{Data, InjectedBody};
use super::request::RequestBody;
use bytes::Bytes;
use http_body::Body as HttpBody;
use reqwest::Body;
use std::any::Any;
use std::error::Error;

/// Makes `LlmClientLayer::new(&telemetry).layer(obs_http::client::Reqwest::build(settings)?)` a client. A body of reqwest's own
/// that is all there is read here and sent as it is, so that reqwest can still send it again; any other is read as it passes.
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
impl<B> From<RequestBody<B>> for Body
where
    B: HttpBody + Send + Sync + 'static,
    B::Data: Into<Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn from(body: RequestBody<B>) -> Self {
        let mut body = Some(body);
        let any: &mut dyn Any = &mut body;
        let own = any.downcast_mut::<Option<RequestBody<Self>>>();
        if let Some(mut own) = own.and_then(Option::take) {
            return match own.read_at_once(Self::as_bytes) {
                true => own.into_inner(),
                false => Self::wrap(own),
            };
        }
        body.map_or_else(Self::default, Self::wrap)
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
impl From<InjectedBody<Self>> for Body {
    fn from(body: InjectedBody<Self>) -> Self {
        Self::wrap(body)
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "reqwest")))]
impl From<Data<Self>> for Bytes {
    fn from(data: Data<Self>) -> Self {
        match data {
            Data::Gathered(bytes) | Data::Passed(bytes) => bytes,
        }
    }
}
