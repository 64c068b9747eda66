//! The tool service as the front sees it: a gRPC client with a deadline for each call and one more attempt.

use crate::contract::{ToolsClient, Wanted};
use obs_core::Telemetry;
use obs_rpc::RpcClientLayer;
use obs_rpc::client::{ReplayBody, ReplayLayer};
use std::{error::Error, future::Ready, net::SocketAddr, time::Duration};
use tonic::{
    Code, ConnectError, Request, Status,
    body::Body,
    codegen::http,
    transport::{self, Endpoint},
};
use tower::{
    BoxError, ServiceBuilder,
    retry::{Policy, RetryLayer},
    util::BoxCloneSyncService,
};

/// How long a call may take, with all its attempts. The tool is told so, as `grpc-timeout`.
const PATIENCE: Duration = Duration::from_millis(500);

/// A request that is larger is sent once.
const LARGEST: usize = 1 << 16;

/// A client of the tool service.
#[derive(Clone, Debug)]
pub(crate) struct Toolbox {
    client: ToolsClient<Client>,
}

type Client = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// What a topic may want.
#[derive(Clone, Copy, Debug)]
enum Tool {
    /// A question and an answer.
    Called(&'static str),
    /// A question and answers as they come.
    Watched(&'static str),
}

impl Toolbox {
    /// Observed: one operation for each call, one for each attempt, and the service is told of the trace.
    pub(crate) fn observed(address: SocketAddr, telemetry: &Telemetry) -> Result<Self, BoxError> {
        let endpoint = endpoint(address)?;
        let client = ServiceBuilder::new()
            .map_err(|error: transport::Error| Status::from_error(error.into()))
            .map_response(|response: http::Response<_>| response.map(Body::new))
            .layer(RpcClientLayer::calls(telemetry))
            .layer(ReplayLayer::new(LARGEST))
            .layer(RetryLayer::new(OnceMore { left: 1 }))
            .layer(RpcClientLayer::new(telemetry).with_server(endpoint.uri()))
            .service(endpoint.connect_lazy());
        Ok(Self::new(BoxCloneSyncService::new(client)))
    }

    /// The same without any of that, for comparison.
    pub(crate) fn bare(address: SocketAddr) -> Result<Self, BoxError> {
        let client = ServiceBuilder::new()
            .map_err(|error: transport::Error| Status::from_error(error.into()))
            .layer(ReplayLayer::new(LARGEST))
            .layer(RetryLayer::new(OnceMore { left: 1 }))
            .map_request(|request: http::Request<ReplayBody>| request.map(Body::new))
            .service(endpoint(address)?.connect_lazy());
        Ok(Self::new(BoxCloneSyncService::new(client)))
    }

    fn new(client: Client) -> Self {
        Self {
            client: ToolsClient::new(client),
        }
    }

    /// Whether there is an instrument for the topic.
    pub(crate) fn has_one_for(topic: &str) -> bool {
        Tool::of(topic).is_some()
    }

    /// What an instrument says to the topic; nothing where there is none for it.
    pub(crate) async fn consult(&self, topic: &str) -> Result<String, Status> {
        match Tool::of(topic) {
            Some(tool) => self.use_it(tool).await,
            None => Ok(String::new()),
        }
    }

    async fn use_it(&self, tool: Tool) -> Result<String, Status> {
        let mut client = self.client.clone();
        let mut text = String::new();
        match tool {
            Tool::Called(tool) => {
                let mut request = wanted(tool);
                request.set_timeout(PATIENCE);
                let found = client.call(request).await?.into_inner();
                text = found.text;
            }
            // Whoever asked may listen as long as they like, and stop when they like.
            Tool::Watched(tool) => {
                let mut readings = client.watch(wanted(tool)).await?.into_inner();
                while let Some(found) = readings.message().await? {
                    let space = if text.is_empty() { "" } else { " " };
                    text += space;
                    text += &found.text;
                }
            }
        }
        Ok(text)
    }
}

impl Tool {
    fn of(topic: &str) -> Option<Self> {
        Some(match topic {
            "tides" => Self::Called("almanac"),
            "sun" => Self::Called("ephemeris"),
            "sea" => Self::Called("buoy"),
            "winds" => Self::Watched("gauge"),
            "lighthouse" => Self::Watched("lamp"),
            _ => return None,
        })
    }
}

fn wanted(tool: &str) -> Request<Wanted> {
    Request::new(Wanted {
        tool: tool.to_owned(),
    })
}

fn endpoint(address: SocketAddr) -> Result<Endpoint, BoxError> {
    Ok(Endpoint::from_shared(format!("http://{address}"))?.connect_timeout(PATIENCE))
}

/// Tries again what nobody has begun, as gRPC says of UNAVAILABLE, but not what took too long: whoever asked waits.
#[derive(Clone, Debug)]
struct OnceMore {
    left: usize,
}

impl<B, E> Policy<http::Request<ReplayBody>, http::Response<B>, E> for OnceMore
where
    E: Error + 'static,
{
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut http::Request<ReplayBody>,
        result: &mut Result<http::Response<B>, E>,
    ) -> Option<Ready<()>> {
        let again = match result {
            // Before the first message; after it nothing can be taken back.
            Ok(answer) => Status::from_header_map(answer.headers())
                .is_some_and(|status| status.code() == Code::Unavailable),
            Err(error) => could_not_connect(error),
        };
        if !again {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        Some(std::future::ready(()))
    }

    fn clone_request(
        &mut self,
        request: &http::Request<ReplayBody>,
    ) -> Option<http::Request<ReplayBody>> {
        ReplayBody::clone_request(request)
    }
}

fn could_not_connect(error: &(dyn Error + 'static)) -> bool {
    error.is::<ConnectError>() || error.source().is_some_and(could_not_connect)
}
