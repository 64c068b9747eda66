// Part of what volo-build wrote: see `generated.rs`.

pub struct EchoClientBuilder {}
impl EchoClientBuilder {
    pub fn new(
        service_name: impl AsRef<str>,
    ) -> ::volo_grpc::client::ClientBuilder<
        ::volo::layer::Identity,
        ::volo::layer::Identity,
        MkEchoGenericClient,
        ::volo_grpc::layer::loadbalance::LbConfig<
            ::volo::loadbalance::random::WeightedRandomBalance<(::volo::FastStr)>,
            ::volo_grpc::client::dns::DnsResolver,
        >,
        EchoRequestSend,
        EchoResponseRecv,
    > {
        ::volo_grpc::client::ClientBuilder::new(MkEchoGenericClient, service_name)
    }
}

pub struct MkEchoGenericClient;

pub type EchoClient = EchoGenericClient<
    ::volo::service::BoxCloneService<
        ::volo_grpc::context::ClientContext,
        ::volo_grpc::Request<EchoRequestSend>,
        ::volo_grpc::Response<EchoResponseRecv>,
        ::volo_grpc::Status,
    >,
>;

impl<S> ::volo::client::MkClient<::volo_grpc::Client<S>> for MkEchoGenericClient {
    type Target = EchoGenericClient<S>;
    fn mk_client(&self, service: ::volo_grpc::Client<S>) -> Self::Target {
        EchoGenericClient(service)
    }
}

#[derive(Clone)]
pub struct EchoGenericClient<S>(pub ::volo_grpc::Client<S>);

pub struct EchoOneShotClient<S>(pub ::volo_grpc::Client<S>);

impl<S> EchoGenericClient<S>
where
    S: ::volo::service::Service<
            ::volo_grpc::context::ClientContext,
            ::volo_grpc::Request<EchoRequestSend>,
            Response = ::volo_grpc::Response<EchoResponseRecv>,
            Error = ::volo_grpc::Status,
        > + Sync
        + Send
        + 'static,
{
    pub fn with_callopt<Opt: ::volo::client::Apply<::volo_grpc::context::ClientContext>>(
        self,
        opt: Opt,
    ) -> EchoOneShotClient<::volo::client::WithOptService<S, Opt>> {
        EchoOneShotClient(self.0.with_opt(opt))
    }

    pub async fn unary(
        &self,
        requests: impl ::volo_grpc::IntoRequest<Said>,
    ) -> ::std::result::Result<::volo_grpc::Response<Said>, ::volo_grpc::Status>
    {
        let req = requests
            .into_request()
            .map(|m| {
                ::volo_grpc::codegen::futures::stream::once(
                    ::volo_grpc::codegen::futures::future::ready(
                        ::std::result::Result::Ok(m),
                    ),
                )
            })
            .map(|message| EchoRequestSend::Unary(::std::boxed::Box::pin(message) as _));
        let mut cx = self.0.make_cx("/test.Echo/Unary");

        let resp = ::volo::Service::call(&self.0, &mut cx, req).await?;
        let (mut metadata, extensions, message_stream) = resp.into_parts();
        let mut message_stream = match message_stream {
            EchoResponseRecv::Unary(stream) => stream,
            #[allow(unreachable_patterns)]
            _ => {
                return ::std::result::Result::Err(::volo_grpc::Status::new(
                    ::volo_grpc::Code::Unimplemented,
                    "Method not found.",
                ));
            }
        };
        let message = ::volo_grpc::codegen::StreamExt::try_next(&mut message_stream)
            .await
            .map_err(|mut status| {
                status.metadata_mut().merge(metadata.clone());
                status
            })?
            .ok_or_else(|| {
                ::volo_grpc::Status::new(
                    ::volo_grpc::Code::Internal,
                    "Missing response message.",
                )
            })?;
        if let Some(trailers) = message_stream.trailers().await? {
            metadata.merge(trailers);
        }
        ::std::result::Result::Ok(::volo_grpc::Response::from_parts(
            metadata, extensions, message,
        ))
    }
    pub async fn server_stream(
        &self,
        requests: impl ::volo_grpc::IntoRequest<Said>,
    ) -> ::std::result::Result<
        ::volo_grpc::Response<
            impl ::volo_grpc::codegen::futures::Stream<
                Item = ::std::result::Result<Said, ::volo_grpc::Status>,
            >,
        >,
        ::volo_grpc::Status,
    > {
        let req = requests
            .into_request()
            .map(|m| {
                ::volo_grpc::codegen::futures::stream::once(
                    ::volo_grpc::codegen::futures::future::ready(
                        ::std::result::Result::Ok(m),
                    ),
                )
            })
            .map(|message| {
                EchoRequestSend::ServerStream(::std::boxed::Box::pin(message) as _)
            });
        let mut cx = self.0.make_cx("/test.Echo/ServerStream");

        let resp = ::volo::Service::call(&self.0, &mut cx, req).await?;
        let (mut metadata, extensions, message_stream) = resp.into_parts();
        let mut message_stream = match message_stream {
            EchoResponseRecv::ServerStream(stream) => stream,
            #[allow(unreachable_patterns)]
            _ => {
                return ::std::result::Result::Err(::volo_grpc::Status::new(
                    ::volo_grpc::Code::Unimplemented,
                    "Method not found.",
                ));
            }
        };
        ::std::result::Result::Ok(::volo_grpc::Response::from_parts(
            metadata,
            extensions,
            message_stream,
        ))
    }
    pub async fn client_stream(
        &self,
        requests: impl ::volo_grpc::IntoStreamingRequest<Message = Said>,
    ) -> ::std::result::Result<::volo_grpc::Response<Said>, ::volo_grpc::Status>
    {
        let req = requests
            .into_streaming_request()
            .map(|s| {
                ::volo_grpc::codegen::StreamExt::map(s, |m| ::std::result::Result::Ok(m))
            })
            .map(|message| {
                EchoRequestSend::ClientStream(::std::boxed::Box::pin(message) as _)
            });
        let mut cx = self.0.make_cx("/test.Echo/ClientStream");

        let resp = ::volo::Service::call(&self.0, &mut cx, req).await?;
        let (mut metadata, extensions, message_stream) = resp.into_parts();
        let mut message_stream = match message_stream {
            EchoResponseRecv::ClientStream(stream) => stream,
            #[allow(unreachable_patterns)]
            _ => {
                return ::std::result::Result::Err(::volo_grpc::Status::new(
                    ::volo_grpc::Code::Unimplemented,
                    "Method not found.",
                ));
            }
        };
        let message = ::volo_grpc::codegen::StreamExt::try_next(&mut message_stream)
            .await
            .map_err(|mut status| {
                status.metadata_mut().merge(metadata.clone());
                status
            })?
            .ok_or_else(|| {
                ::volo_grpc::Status::new(
                    ::volo_grpc::Code::Internal,
                    "Missing response message.",
                )
            })?;
        if let Some(trailers) = message_stream.trailers().await? {
            metadata.merge(trailers);
        }
        ::std::result::Result::Ok(::volo_grpc::Response::from_parts(
            metadata, extensions, message,
        ))
    }
    pub async fn bidi(
        &self,
        requests: impl ::volo_grpc::IntoStreamingRequest<Message = Said>,
    ) -> ::std::result::Result<
        ::volo_grpc::Response<
            impl ::volo_grpc::codegen::futures::Stream<
                Item = ::std::result::Result<Said, ::volo_grpc::Status>,
            >,
        >,
        ::volo_grpc::Status,
    > {
        let req = requests
            .into_streaming_request()
            .map(|s| {
                ::volo_grpc::codegen::StreamExt::map(s, |m| ::std::result::Result::Ok(m))
            })
            .map(|message| EchoRequestSend::Bidi(::std::boxed::Box::pin(message) as _));
        let mut cx = self.0.make_cx("/test.Echo/Bidi");

        let resp = ::volo::Service::call(&self.0, &mut cx, req).await?;
        let (mut metadata, extensions, message_stream) = resp.into_parts();
        let mut message_stream = match message_stream {
            EchoResponseRecv::Bidi(stream) => stream,
            #[allow(unreachable_patterns)]
            _ => {
                return ::std::result::Result::Err(::volo_grpc::Status::new(
                    ::volo_grpc::Code::Unimplemented,
                    "Method not found.",
                ));
            }
        };
        ::std::result::Result::Ok(::volo_grpc::Response::from_parts(
            metadata,
            extensions,
            message_stream,
        ))
    }
}

impl<
    S: ::volo::client::OneShotService<
            ::volo_grpc::context::ClientContext,
            ::volo_grpc::Request<EchoRequestSend>,
            Response = ::volo_grpc::Response<EchoResponseRecv>,
            Error = ::volo_grpc::Status,
        > + Send
        + Sync
        + 'static,
> EchoOneShotClient<S>
{
    pub async fn unary(
        self,
        requests: impl ::volo_grpc::IntoRequest<Said>,
    ) -> ::std::result::Result<::volo_grpc::Response<Said>, ::volo_grpc::Status>
    {
        let req = requests
            .into_request()
            .map(|m| {
                ::volo_grpc::codegen::futures::stream::once(
                    ::volo_grpc::codegen::futures::future::ready(
                        ::std::result::Result::Ok(m),
                    ),
                )
            })
            .map(|message| EchoRequestSend::Unary(::std::boxed::Box::pin(message) as _));
        let mut cx = self.0.make_cx("/test.Echo/Unary");

        let resp = ::volo::client::OneShotService::call(self.0, &mut cx, req).await?;

        let (mut metadata, extensions, message_stream) = resp.into_parts();
        let mut message_stream = match message_stream {
            EchoResponseRecv::Unary(stream) => stream,
            #[allow(unreachable_patterns)]
            _ => {
                return ::std::result::Result::Err(::volo_grpc::Status::new(
                    ::volo_grpc::Code::Unimplemented,
                    "Method not found.",
                ));
            }
        };
        let message = ::volo_grpc::codegen::StreamExt::try_next(&mut message_stream)
            .await
            .map_err(|mut status| {
                status.metadata_mut().merge(metadata.clone());
                status
            })?
            .ok_or_else(|| {
                ::volo_grpc::Status::new(
                    ::volo_grpc::Code::Internal,
                    "Missing response message.",
                )
            })?;
        if let Some(trailers) = message_stream.trailers().await? {
            metadata.merge(trailers);
        }
        ::std::result::Result::Ok(::volo_grpc::Response::from_parts(
            metadata, extensions, message,
        ))
    }
    pub async fn server_stream(
        self,
        requests: impl ::volo_grpc::IntoRequest<Said>,
    ) -> ::std::result::Result<
        ::volo_grpc::Response<
            impl ::volo_grpc::codegen::futures::Stream<
                Item = ::std::result::Result<Said, ::volo_grpc::Status>,
            >,
        >,
        ::volo_grpc::Status,
    > {
        let req = requests
            .into_request()
            .map(|m| {
                ::volo_grpc::codegen::futures::stream::once(
                    ::volo_grpc::codegen::futures::future::ready(
                        ::std::result::Result::Ok(m),
                    ),
                )
            })
            .map(|message| {
                EchoRequestSend::ServerStream(::std::boxed::Box::pin(message) as _)
            });
        let mut cx = self.0.make_cx("/test.Echo/ServerStream");

        let resp = ::volo::client::OneShotService::call(self.0, &mut cx, req).await?;

        let (mut metadata, extensions, message_stream) = resp.into_parts();
        let mut message_stream = match message_stream {
            EchoResponseRecv::ServerStream(stream) => stream,
            #[allow(unreachable_patterns)]
            _ => {
                return ::std::result::Result::Err(::volo_grpc::Status::new(
                    ::volo_grpc::Code::Unimplemented,
                    "Method not found.",
                ));
            }
        };
        ::std::result::Result::Ok(::volo_grpc::Response::from_parts(
            metadata,
            extensions,
            message_stream,
        ))
    }
    pub async fn client_stream(
        self,
        requests: impl ::volo_grpc::IntoStreamingRequest<Message = Said>,
    ) -> ::std::result::Result<::volo_grpc::Response<Said>, ::volo_grpc::Status>
    {
        let req = requests
            .into_streaming_request()
            .map(|s| {
                ::volo_grpc::codegen::StreamExt::map(s, |m| ::std::result::Result::Ok(m))
            })
            .map(|message| {
                EchoRequestSend::ClientStream(::std::boxed::Box::pin(message) as _)
            });
        let mut cx = self.0.make_cx("/test.Echo/ClientStream");

        let resp = ::volo::client::OneShotService::call(self.0, &mut cx, req).await?;

        let (mut metadata, extensions, message_stream) = resp.into_parts();
        let mut message_stream = match message_stream {
            EchoResponseRecv::ClientStream(stream) => stream,
            #[allow(unreachable_patterns)]
            _ => {
                return ::std::result::Result::Err(::volo_grpc::Status::new(
                    ::volo_grpc::Code::Unimplemented,
                    "Method not found.",
                ));
            }
        };
        let message = ::volo_grpc::codegen::StreamExt::try_next(&mut message_stream)
            .await
            .map_err(|mut status| {
                status.metadata_mut().merge(metadata.clone());
                status
            })?
            .ok_or_else(|| {
                ::volo_grpc::Status::new(
                    ::volo_grpc::Code::Internal,
                    "Missing response message.",
                )
            })?;
        if let Some(trailers) = message_stream.trailers().await? {
            metadata.merge(trailers);
        }
        ::std::result::Result::Ok(::volo_grpc::Response::from_parts(
            metadata, extensions, message,
        ))
    }
    pub async fn bidi(
        self,
        requests: impl ::volo_grpc::IntoStreamingRequest<Message = Said>,
    ) -> ::std::result::Result<
        ::volo_grpc::Response<
            impl ::volo_grpc::codegen::futures::Stream<
                Item = ::std::result::Result<Said, ::volo_grpc::Status>,
            >,
        >,
        ::volo_grpc::Status,
    > {
        let req = requests
            .into_streaming_request()
            .map(|s| {
                ::volo_grpc::codegen::StreamExt::map(s, |m| ::std::result::Result::Ok(m))
            })
            .map(|message| EchoRequestSend::Bidi(::std::boxed::Box::pin(message) as _));
        let mut cx = self.0.make_cx("/test.Echo/Bidi");

        let resp = ::volo::client::OneShotService::call(self.0, &mut cx, req).await?;

        let (mut metadata, extensions, message_stream) = resp.into_parts();
        let mut message_stream = match message_stream {
            EchoResponseRecv::Bidi(stream) => stream,
            #[allow(unreachable_patterns)]
            _ => {
                return ::std::result::Result::Err(::volo_grpc::Status::new(
                    ::volo_grpc::Code::Unimplemented,
                    "Method not found.",
                ));
            }
        };
        ::std::result::Result::Ok(::volo_grpc::Response::from_parts(
            metadata,
            extensions,
            message_stream,
        ))
    }
}
