//! The smallest gRPC service whose calls are seen, and a client of it: to copy from. `cargo run --release -p obs-examples
//! --bin rpc_service` starts the service as a process of its own, calls it, stops it by SIGTERM, and prints what a receiver
//! got of both.
//!
//! - `serve`: only the service, on a free port that it prints.
//! - `call ADDRESS NAME`: only the client.
//!
//! Telemetry goes to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that people run and read"
)]

/// In a service of yours: `tonic::include_proto!("hello");`
#[path = "../../../../obs-rpc/tests/support/greeter.rs"]
mod hello;
mod show;

use hello::greeter_client::GreeterClient;
use hello::greeter_server::{Greeter, GreeterServer};
use hello::{HelloReply, HelloRequest};
use obs_core::Telemetry;
use obs_rpc::{RpcClientLayer, RpcServerLayer};
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};
use tower::Layer;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ran = match arguments[..] {
        [] => show::show(),
        ["serve"] => serve(),
        ["call", address, name] => call(address, name),
        _ => Err(format!("neither `serve` nor `call ADDRESS NAME`: {arguments:?}").into()),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("rpc_service: {failure}");
            ExitCode::FAILURE
        }
    }
}

struct Hello;

#[tonic::async_trait]
impl Greeter for Hello {
    async fn say_hello(
        &self,
        request: Request<HelloRequest>,
    ) -> std::result::Result<Response<HelloReply>, Status> {
        let name = request.into_inner().name;
        if name.is_empty() {
            return Err(Status::invalid_argument("nobody has no name"));
        }
        let message = format!("Hello, {name}!");
        Ok(Response::new(HelloReply { message }))
    }
}

/// The service. When a signal stops the server, this returns, and dropping the guard delivers what is left.
#[tokio::main]
async fn serve() -> Result<()> {
    let telemetry = Telemetry::builder().with_otlp().build()?;
    let _flushed = telemetry.shutdown_on_drop(Duration::from_secs(5));

    // Before anybody is told where the service is: a signal that comes earlier ends the process.
    let mut terminate = signal(SignalKind::terminate())?;
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    println!("{}", incoming.local_addr()?);

    let (stopping, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        drop(stopping);
    };
    // A client that never finishes its call is not waited for until somebody kills the process.
    let late = async {
        drop(stopped.await);
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    let serve = Server::builder()
        .layer(RpcServerLayer::new(&telemetry))
        .add_service(GreeterServer::new(Hello))
        .serve_with_incoming_shutdown(incoming, stop);
    tokio::select! {
        served = serve => served?,
        () = late => {}
    }
    Ok(())
}

/// The client: a channel with the layer around it, which the generated client takes as it takes the channel.
#[tokio::main]
async fn call(address: &str, name: &str) -> Result<()> {
    let telemetry = Telemetry::builder().with_otlp().build()?;
    let _flushed = telemetry.shutdown_on_drop(Duration::from_secs(5));

    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let layer = RpcClientLayer::new(&telemetry).with_server(endpoint.uri());
    let mut greeter = GreeterClient::new(layer.layer(endpoint.connect_lazy()));

    let mut request = Request::new(HelloRequest {
        name: name.to_owned(),
    });
    request.set_timeout(Duration::from_secs(5));
    let reply = greeter.say_hello(request).await?;
    println!("{}", reply.into_inner().message);
    Ok(())
}
