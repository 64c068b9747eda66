// Part of what volo-build wrote: see `generated.rs`.

#[derive(PartialOrd, Hash, Eq, Ord, Debug, Default, Clone, PartialEq)]
pub struct Said {
    pub text: ::pilota::FastStr,

    pub count: u32,
}
impl ::pilota::pb::Message for Said {
    #[inline]
    fn encoded_len(&self, ctx: &mut ::pilota::pb::EncodeLengthContext) -> usize {
        0 + ::pilota::pb::encoding::faststr::encoded_len(ctx, 1, &self.text)
            + ::pilota::pb::encoding::uint32::encoded_len(ctx, 2, &self.count)
    }

    #[allow(unused_variables)]
    fn encode_raw(&self, buf: &mut ::pilota::LinkedBytes) {
        ::pilota::pb::encoding::faststr::encode(1, &self.text, buf);
        ::pilota::pb::encoding::uint32::encode(2, &self.count, buf);
    }

    #[allow(unused_variables)]
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: ::pilota::pb::encoding::WireType,
        buf: &mut ::pilota::Bytes,
        ctx: &mut ::pilota::pb::encoding::DecodeContext,
        is_root: bool,
    ) -> ::core::result::Result<(), ::pilota::pb::DecodeError> {
        const STRUCT_NAME: &'static str = stringify!(Said);

        match tag {
            1 => {
                let mut _inner_pilota_value = &mut self.text;
                ::pilota::pb::encoding::faststr::merge(
                    wire_type,
                    _inner_pilota_value,
                    buf,
                    ctx,
                )
                .map_err(|mut error| {
                    error.push(STRUCT_NAME, stringify!(text));
                    error
                })
            }
            2 => {
                let mut _inner_pilota_value = &mut self.count;
                ::pilota::pb::encoding::uint32::merge(
                    wire_type,
                    _inner_pilota_value,
                    buf,
                    ctx,
                )
                .map_err(|mut error| {
                    error.push(STRUCT_NAME, stringify!(count));
                    error
                })
            }
            _ => ::pilota::pb::encoding::skip_field(wire_type, tag, buf, ctx),
        }
    }
}

pub trait Echo {
    fn unary(
        &self,
        req: ::volo_grpc::Request<Said>,
    ) -> impl ::std::future::Future<
        Output = ::std::result::Result<::volo_grpc::Response<Said>, ::volo_grpc::Status>,
    > + Send;
    fn server_stream(
        &self,
        req: ::volo_grpc::Request<Said>,
    ) -> impl ::std::future::Future<
        Output = ::std::result::Result<
            ::volo_grpc::Response<
                ::volo_grpc::BoxStream<
                    'static,
                    ::std::result::Result<Said, ::volo_grpc::Status>,
                >,
            >,
            ::volo_grpc::Status,
        >,
    > + Send;
    fn client_stream(
        &self,
        req: ::volo_grpc::Request<::volo_grpc::RecvStream<Said>>,
    ) -> impl ::std::future::Future<
        Output = ::std::result::Result<::volo_grpc::Response<Said>, ::volo_grpc::Status>,
    > + Send;
    fn bidi(
        &self,
        req: ::volo_grpc::Request<::volo_grpc::RecvStream<Said>>,
    ) -> impl ::std::future::Future<
        Output = ::std::result::Result<
            ::volo_grpc::Response<
                ::volo_grpc::BoxStream<
                    'static,
                    ::std::result::Result<Said, ::volo_grpc::Status>,
                >,
            >,
            ::volo_grpc::Status,
        >,
    > + Send;
}

pub enum EchoRequestSend {
    Unary(
        ::volo_grpc::BoxStream<'static, ::std::result::Result<Said, ::volo_grpc::Status>>,
    ),
    ServerStream(
        ::volo_grpc::BoxStream<'static, ::std::result::Result<Said, ::volo_grpc::Status>>,
    ),
    ClientStream(
        ::volo_grpc::BoxStream<'static, ::std::result::Result<Said, ::volo_grpc::Status>>,
    ),
    Bidi(::volo_grpc::BoxStream<'static, ::std::result::Result<Said, ::volo_grpc::Status>>),
}

impl ::volo_grpc::SendEntryMessage for EchoRequestSend {
    fn into_body(
        self,
        compression_encoding: ::std::option::Option<
            ::volo_grpc::codec::compression::CompressionEncoding,
        >,
    ) -> ::volo_grpc::BoxStream<
        'static,
        ::std::result::Result<
            ::volo_grpc::codegen::Frame<::volo_grpc::codegen::Bytes>,
            ::volo_grpc::Status,
        >,
    > {
        match self {
            Self::Unary(s) => ::volo_grpc::codec::encode::encode(s, compression_encoding),
            Self::ServerStream(s) => {
                ::volo_grpc::codec::encode::encode(s, compression_encoding)
            }
            Self::ClientStream(s) => {
                ::volo_grpc::codec::encode::encode(s, compression_encoding)
            }
            Self::Bidi(s) => ::volo_grpc::codec::encode::encode(s, compression_encoding),
        }
    }
}

pub enum EchoRequestRecv {
    Unary(::volo_grpc::RecvStream<Said>),
    ServerStream(::volo_grpc::RecvStream<Said>),
    ClientStream(::volo_grpc::RecvStream<Said>),
    Bidi(::volo_grpc::RecvStream<Said>),
}

impl ::volo_grpc::RecvEntryMessage for EchoRequestRecv {
    fn from_body(
        method: ::std::option::Option<&str>,
        body: ::volo_grpc::body::BoxBody,
        kind: ::volo_grpc::codec::decode::Kind,
        compression_encoding: ::std::option::Option<
            ::volo_grpc::codec::compression::CompressionEncoding,
        >,
    ) -> ::std::result::Result<Self, ::volo_grpc::Status> {
        match method {
            Some("/test.Echo/Unary") => ::std::result::Result::Ok(Self::Unary(
                ::volo_grpc::RecvStream::new(body, kind, compression_encoding),
            )),
            Some("/test.Echo/ServerStream") => {
                ::std::result::Result::Ok(Self::ServerStream(::volo_grpc::RecvStream::new(
                    body,
                    kind,
                    compression_encoding,
                )))
            }
            Some("/test.Echo/ClientStream") => {
                ::std::result::Result::Ok(Self::ClientStream(::volo_grpc::RecvStream::new(
                    body,
                    kind,
                    compression_encoding,
                )))
            }
            Some("/test.Echo/Bidi") => ::std::result::Result::Ok(Self::Bidi(
                ::volo_grpc::RecvStream::new(body, kind, compression_encoding),
            )),
            _ => ::std::result::Result::Err(::volo_grpc::Status::new(
                ::volo_grpc::Code::Unimplemented,
                "Method not found.",
            )),
        }
    }
}

pub enum EchoResponseSend {
    Unary(
        ::volo_grpc::BoxStream<'static, ::std::result::Result<Said, ::volo_grpc::Status>>,
    ),
    ServerStream(
        ::volo_grpc::BoxStream<'static, ::std::result::Result<Said, ::volo_grpc::Status>>,
    ),
    ClientStream(
        ::volo_grpc::BoxStream<'static, ::std::result::Result<Said, ::volo_grpc::Status>>,
    ),
    Bidi(::volo_grpc::BoxStream<'static, ::std::result::Result<Said, ::volo_grpc::Status>>),
}

impl ::volo_grpc::SendEntryMessage for EchoResponseSend {
    fn into_body(
        self,
        compression_encoding: ::std::option::Option<
            ::volo_grpc::codec::compression::CompressionEncoding,
        >,
    ) -> ::volo_grpc::BoxStream<
        'static,
        ::std::result::Result<
            ::volo_grpc::codegen::Frame<::volo_grpc::codegen::Bytes>,
            ::volo_grpc::Status,
        >,
    > {
        match self {
            Self::Unary(s) => ::volo_grpc::codec::encode::encode(s, compression_encoding),
            Self::ServerStream(s) => {
                ::volo_grpc::codec::encode::encode(s, compression_encoding)
            }
            Self::ClientStream(s) => {
                ::volo_grpc::codec::encode::encode(s, compression_encoding)
            }
            Self::Bidi(s) => ::volo_grpc::codec::encode::encode(s, compression_encoding),
        }
    }
}

pub enum EchoResponseRecv {
    Unary(::volo_grpc::RecvStream<Said>),
    ServerStream(::volo_grpc::RecvStream<Said>),
    ClientStream(::volo_grpc::RecvStream<Said>),
    Bidi(::volo_grpc::RecvStream<Said>),
}

impl ::volo_grpc::RecvEntryMessage for EchoResponseRecv {
    fn from_body(
        method: ::std::option::Option<&str>,
        body: ::volo_grpc::body::BoxBody,
        kind: ::volo_grpc::codec::decode::Kind,
        compression_encoding: ::std::option::Option<
            ::volo_grpc::codec::compression::CompressionEncoding,
        >,
    ) -> ::std::result::Result<Self, ::volo_grpc::Status>
    where
        Self: ::core::marker::Sized,
    {
        match method {
            Some("/test.Echo/Unary") => ::std::result::Result::Ok(Self::Unary(
                ::volo_grpc::RecvStream::new(body, kind, compression_encoding),
            )),
            Some("/test.Echo/ServerStream") => {
                ::std::result::Result::Ok(Self::ServerStream(::volo_grpc::RecvStream::new(
                    body,
                    kind,
                    compression_encoding,
                )))
            }
            Some("/test.Echo/ClientStream") => {
                ::std::result::Result::Ok(Self::ClientStream(::volo_grpc::RecvStream::new(
                    body,
                    kind,
                    compression_encoding,
                )))
            }
            Some("/test.Echo/Bidi") => ::std::result::Result::Ok(Self::Bidi(
                ::volo_grpc::RecvStream::new(body, kind, compression_encoding),
            )),
            _ => ::std::result::Result::Err(::volo_grpc::Status::new(
                ::volo_grpc::Code::Unimplemented,
                "Method not found.",
            )),
        }
    }
}
