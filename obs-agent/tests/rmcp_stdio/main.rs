//! A client and a server of MCP in two processes, over the other one's standard input and output. With `OBS_MCP_SERVER` in its
//! environment this program is the server: anybody's client may ask it; by the value `bare` it is not observed. What both did arrives
//! at one receiver.

#![expect(clippy::print_stdout, reason = "there is no harness that says it")]

#[path = "../rmcp/weather.rs"]
mod weather;

use obs_agent::adapters::rmcp::McpObserver;
use obs_agent::{AgentObserver, Component, Handlers, Input, Output, RunInfo, RunParent, obs_core};
use obs_core::Telemetry;
use obs_core::setup::environment::Environment;
use obs_testing::{AttrValue, Receiver, assert_tree};
use rmcp::model::{CallToolRequestParams, GetPromptRequestParams, ReadResourceRequestParams};
use rmcp::{ServiceExt, transport};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use weather::Weather;

const SERVER: &str = "OBS_MCP_SERVER";
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    match std::env::var(SERVER).as_deref() {
        Ok("bare") => bare().await,
        Ok(_) => serve().await,
        Err(_) => ask().await,
    }
}

async fn bare() {
    let running = Weather.serve(transport::stdio()).await;
    running
        .expect("a handshake")
        .waiting()
        .await
        .expect("no panic");
}

/// Spans go where the environment says, which nobody has to have.
async fn serve() {
    let telemetry = Telemetry::builder().with_otlp().build().expect("settings");
    let handlers = Handlers::new().with(AgentObserver::new(&telemetry));
    let mcp = McpObserver::new(&handlers).with_transport("pipe");
    let running = mcp.service(Weather).serve(transport::stdio()).await;
    let running = running.expect("a handshake");
    running.waiting().await.expect("no panic");
    telemetry.shutdown(PATIENCE).expect("delivered");
}

async fn ask() {
    let receiver = Receiver::start().expect("a port");
    let endpoint = receiver.endpoint();
    let (mut server, pipe) = spawn(&endpoint);
    let variable =
        move |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone());
    let telemetry = Telemetry::builder()
        .with_environment(Environment::from_fn(variable))
        .with_otlp()
        .build()
        .expect("settings");
    let handlers = Handlers::new().with(AgentObserver::new(&telemetry));
    let mcp = McpObserver::new(&handlers).with_transport("pipe");
    let client = mcp.connect((), pipe).await.expect("a handshake");

    let info = RunInfo::new(Component::Agent, "guide");
    let agent = handlers.start(info, RunParent::Root, &Input::Agent(Default::default()));
    let work = async {
        client.list_tools(None).await.expect("tools");
        let info = RunInfo::new(Component::Tool, "rain");
        let input = Input::Tool(Default::default());
        let tool = handlers.start(info, RunParent::Current, &input);
        let rain = client.call_tool(CallToolRequestParams::new("rain"));
        tool.wrap(rain).await.expect("a result");
        tool.end(&Output::Tool(Default::default()));
        let fails = CallToolRequestParams::new("fails");
        client.call_tool(fails).await.expect("a result");
        let greet = GetPromptRequestParams::new("greet");
        client.get_prompt(greet).await.expect("a prompt");
        let nothing = ReadResourceRequestParams::new("file:///none");
        client.read_resource(nothing).await.expect_err("not there");
    };
    agent.wrap(work).await;
    agent.end(&Output::Agent(Default::default()));
    client.into_inner().cancel().await.expect("closed");
    assert!(server.wait().expect("it ran").success());
    telemetry.shutdown(PATIENCE).expect("delivered");

    let all = |receiver: &Receiver| receiver.spans().len() >= 12;
    assert!(receiver.wait_for(PATIENCE, all), "{:#?}", receiver.tree());
    let shown = ["error.type", "gen_ai.tool.name", "rpc.response.status_code"];
    assert_tree(
        receiver.tree().with_attributes(shown).sorted_by_name(),
        r#"
        trace 1
          initialize [client]
            initialize [server] remote parent
        trace 2
          invoke_agent guide [internal]
            execute_tool rain [internal]
              - gen_ai.tool.name: "rain"
              tools/call rain [server] remote parent
                - gen_ai.tool.name: "rain"
            prompts/get greet [client]
              prompts/get greet [server] remote parent
            resources/read [client] error
              - error.type: "-32002"
              - rpc.response.status_code: "-32002"
              resources/read [server] error remote parent
                - error.type: "-32002"
                - rpc.response.status_code: "-32002"
            tools/call fails [client] error
              - error.type: "tool_error"
              - gen_ai.tool.name: "fails"
              tools/call fails [server] error remote parent
                - error.type: "tool_error"
                - gen_ai.tool.name: "fails"
            tools/list [client]
              tools/list [server] remote parent
        trace 3
          notifications/initialized [server]
        "#,
    );
    let points = receiver.points();
    let count = |metric: &str, method: &str| {
        let of = [("mcp.method.name", AttrValue::from(method))];
        let series = points.histograms(metric, &of);
        series.iter().map(|series| series.count).sum::<u64>()
    };
    for (method, sent, received) in [
        ("initialize", 1, 1),
        ("notifications/initialized", 0, 1),
        ("tools/list", 1, 1),
        ("tools/call", 2, 2),
        ("prompts/get", 1, 1),
        ("resources/read", 1, 1),
    ] {
        assert_eq!(
            count("mcp.client.operation.duration", method),
            sent,
            "{method}"
        );
        assert_eq!(
            count("mcp.server.operation.duration", method),
            received,
            "{method}"
        );
    }
    for session in ["mcp.client.session.duration", "mcp.server.session.duration"] {
        let series = points.histograms(session, &[]);
        assert_eq!(series.iter().map(|series| series.count).sum::<u64>(), 1);
    }
    println!("test result: ok. 1 passed; 0 failed");
}

/// This program as the server, and our end of what are its standard input and output.
fn spawn(endpoint: &str) -> (Child, tokio::net::UnixStream) {
    let (ours, its) = UnixStream::pair().expect("a pipe");
    let input = OwnedFd::from(its.try_clone().expect("a second one"));
    let server = Command::new(std::env::current_exe().expect("this program"))
        .env(SERVER, "1")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(OwnedFd::from(its)))
        .spawn()
        .expect("it starts");
    ours.set_nonblocking(true).expect("as tokio wants it");
    let ours = tokio::net::UnixStream::from_std(ours).expect("in a runtime");
    (server, ours)
}
