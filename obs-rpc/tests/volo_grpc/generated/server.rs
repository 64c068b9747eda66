// Part of what volo-build wrote: see `generated.rs`.

pub struct EchoServer<S> {
    inner: ::std::sync::Arc<S>,
}

impl<S> Clone for EchoServer<S> {
    fn clone(&self) -> Self {
        EchoServer {
            inner: self.inner.clone(),
        }
    }
}

impl<S> EchoServer<S> {
    pub fn new(inner: S) -> Self {
        Self::from_arc(::std::sync::Arc::new(inner))
    }

    pub fn from_arc(inner: ::std::sync::Arc<S>) -> Self {
        Self { inner }
    }
}

impl<S>
    ::volo::service::Service<
        ::volo_grpc::context::ServerContext,
        ::volo_grpc::Request<EchoRequestRecv>,
    > for EchoServer<S>
where
    S: Echo + ::core::marker::Send + ::core::marker::Sync + 'static,
{
    type Response = ::volo_grpc::Response<EchoResponseSend>;
    type Error = ::volo_grpc::status::Status;

    async fn call<'s, 'cx>(
        &'s self,
        cx: &'cx mut ::volo_grpc::context::ServerContext,
        req: ::volo_grpc::Request<EchoRequestRecv>,
    ) -> ::std::result::Result<Self::Response, Self::Error> {
        let inner = self.inner.clone();
        match cx.rpc_info.method().as_str() {
            "/test.Echo/Unary" => {
                let (mut metadata, extensions, message_stream) = req.into_parts();
                let mut message_stream = match message_stream {
                    EchoRequestRecv::Unary(stream) => stream,
                    #[allow(unreachable_patterns)]
                    _ => {
                        return ::std::result::Result::Err(::volo_grpc::Status::new(
                            ::volo_grpc::Code::Unimplemented,
                            "Method not found.",
                        ));
                    }
                };
                ::volo_grpc::codegen::futures::pin_mut!(message_stream);
                let message =
                    ::volo_grpc::codegen::StreamExt::try_next(&mut message_stream)
                        .await?
                        .ok_or_else(|| {
                            ::volo_grpc::Status::new(
                                ::volo_grpc::Code::Internal,
                                "Missing request message.",
                            )
                        })?;
                if let Some(trailers) = message_stream.trailers().await? {
                    metadata.merge(trailers);
                }
                let req = ::volo_grpc::Request::from_parts(metadata, extensions, message);
                let resp = inner.unary(req).await;
                resp.map(|r| {
                    r.map(|m| {
                        EchoResponseSend::Unary(::std::boxed::Box::pin(
                            ::volo_grpc::codegen::futures::stream::once(
                                ::volo_grpc::codegen::futures::future::ok(m),
                            ),
                        ))
                    })
                })
            }
            "/test.Echo/ServerStream" => {
                let (mut metadata, extensions, message_stream) = req.into_parts();
                let mut message_stream = match message_stream {
                    EchoRequestRecv::ServerStream(stream) => stream,
                    #[allow(unreachable_patterns)]
                    _ => {
                        return ::std::result::Result::Err(::volo_grpc::Status::new(
                            ::volo_grpc::Code::Unimplemented,
                            "Method not found.",
                        ));
                    }
                };
                ::volo_grpc::codegen::futures::pin_mut!(message_stream);
                let message =
                    ::volo_grpc::codegen::StreamExt::try_next(&mut message_stream)
                        .await?
                        .ok_or_else(|| {
                            ::volo_grpc::Status::new(
                                ::volo_grpc::Code::Internal,
                                "Missing request message.",
                            )
                        })?;
                if let Some(trailers) = message_stream.trailers().await? {
                    metadata.merge(trailers);
                }
                let req = ::volo_grpc::Request::from_parts(metadata, extensions, message);
                let resp = inner.server_stream(req).await;
                resp.map(|r| r.map(|s| EchoResponseSend::ServerStream(s)))
            }
            "/test.Echo/ClientStream" => {
                let (mut metadata, extensions, message_stream) = req.into_parts();
                let mut message_stream = match message_stream {
                    EchoRequestRecv::ClientStream(stream) => stream,
                    #[allow(unreachable_patterns)]
                    _ => {
                        return ::std::result::Result::Err(::volo_grpc::Status::new(
                            ::volo_grpc::Code::Unimplemented,
                            "Method not found.",
                        ));
                    }
                };
                let req =
                    ::volo_grpc::Request::from_parts(metadata, extensions, message_stream);
                let resp = inner.client_stream(req).await;
                resp.map(|r| {
                    r.map(|m| {
                        EchoResponseSend::ClientStream(::std::boxed::Box::pin(
                            ::volo_grpc::codegen::futures::stream::once(
                                ::volo_grpc::codegen::futures::future::ok(m),
                            ),
                        ))
                    })
                })
            }
            "/test.Echo/Bidi" => {
                let (mut metadata, extensions, message_stream) = req.into_parts();
                let mut message_stream = match message_stream {
                    EchoRequestRecv::Bidi(stream) => stream,
                    #[allow(unreachable_patterns)]
                    _ => {
                        return ::std::result::Result::Err(::volo_grpc::Status::new(
                            ::volo_grpc::Code::Unimplemented,
                            "Method not found.",
                        ));
                    }
                };
                let req =
                    ::volo_grpc::Request::from_parts(metadata, extensions, message_stream);
                let resp = inner.bidi(req).await;
                resp.map(|r| r.map(|s| EchoResponseSend::Bidi(s)))
            }
            path => {
                let path = path.to_string();
                ::std::result::Result::Err(::volo_grpc::Status::unimplemented(
                    ::std::format!("Unimplemented http path: {}", path),
                ))
            }
        }
    }
}

impl<S: Echo> ::volo_grpc::server::NamedService for EchoServer<S> {
    const NAME: &'static str = "test.Echo";
}
