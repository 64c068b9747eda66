//! A client of rig's that sends through any of tower's services.

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyDataStream, BodyExt, Full};
use rig_core::http_client::{
    Error, HttpClientExt, LazyBody, MultipartForm, Result, StreamingResponse,
};
use tower::{Service, ServiceExt};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone, Debug)]
pub(crate) struct Sends<S>(pub(crate) S);

impl<S, B> HttpClientExt for Sends<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn send<T, U>(
        &self,
        request: Request<T>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + Send + 'static
    where
        T: Into<Bytes> + Send,
        U: From<Bytes> + Send + 'static,
    {
        let request = request.map(|body| Full::from(body.into()));
        let service = self.0.clone();
        async move {
            let failed = |error: S::Error| Error::Instance(error.into());
            let answer = service.oneshot(request).await.map_err(failed)?;
            Ok(answer.map(|body| {
                let all = async {
                    let failed = |error: B::Error| Error::Instance(error.into());
                    let all = body.collect().await.map_err(failed)?;
                    Ok(U::from(all.to_bytes()))
                };
                Box::pin(all) as LazyBody<U>
            }))
        }
    }

    fn send_multipart<U>(
        &self,
        _: Request<MultipartForm>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + Send + 'static
    where
        U: From<Bytes> + Send + 'static,
    {
        std::future::ready(Err(Error::StreamEnded))
    }

    async fn send_streaming<T>(&self, request: Request<T>) -> Result<StreamingResponse>
    where
        T: Into<Bytes> + Send,
    {
        let request = request.map(|body| Full::from(body.into()));
        let failed = |error: S::Error| Error::Instance(error.into());
        let answer = self.0.clone().oneshot(request).await.map_err(failed)?;
        let failed = |error: B::Error| Error::Instance(error.into());
        Ok(answer.map(|body| {
            Box::pin(BodyDataStream::new(body).map_err(failed))
                as rig_core::http_client::BoxedStream
        }))
    }
}
