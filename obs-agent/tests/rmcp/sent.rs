//! What is sent and received: one trace through both, and one message told once on each side.

use crate::support::{Weather, connected, handlers, mcp, spans, tool, tree};
use obs_agent::adapters::rmcp::McpObserver;
use obs_agent::{Component, Input, Output, RemoteParent, RunInfo, RunParent};
use obs_core::Trust;
use obs_core::propagation::baggage::Allow;
use obs_core::propagation::extract;
use obs_testing::{AttrValue, Capture, CapturedRecord, Kind, assert_tree};
use rmcp::model::{
    ArgumentInfo, CompleteRequestParams, GetPromptRequestParams, NumberOrString,
    ProgressNotificationParam, ProgressToken, ReadResourceRequestParams, Reference,
};
use rmcp::{ServiceExt, service::PeerRequestOptions};

#[tokio::test]
async fn a_message_is_one_trace_on_both_sides() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (client, server) = connected(&mcp, mcp.service(Weather)).await;
    client.list_tools(None).await.expect("tools");
    client.call_tool(tool("rain")).await.expect("a result");
    let prompt = GetPromptRequestParams::new("greet");
    client.get_prompt(prompt).await.expect("a prompt");
    let resource = ReadResourceRequestParams::new("file:///notes.md");
    client.read_resource(resource).await.expect("a resource");
    // The handshake and its notification, which rmcp sends by itself; and four requests.
    spans(&capture, 2 + 1 + 4 * 2).await;
    assert_tree(
        tree(&capture).sorted_by_name(),
        r#"
        trace 1
          initialize [client]
            initialize [server] remote parent
        trace 2
          notifications/initialized [server]
        trace 3
          prompts/get greet [client]
            - gen_ai.prompt.name: "greet"
            prompts/get greet [server] remote parent
              - gen_ai.prompt.name: "greet"
        trace 4
          resources/read [client]
            - mcp.resource.uri: "file:///notes.md"
            resources/read [server] remote parent
              - mcp.resource.uri: "file:///notes.md"
        trace 5
          tools/call rain [client]
            - gen_ai.tool.name: "rain"
            tools/call rain [server] remote parent
              - gen_ai.tool.name: "rain"
        trace 6
          tools/list [client]
            tools/list [server] remote parent
        "#,
    );
    assert_eq!(capture.count("mcp.client.operation.duration"), 5);
    assert_eq!(capture.count("mcp.server.operation.duration"), 6);
    assert_eq!(capture.count("mcp.client.session.duration"), 0);
    client.into_inner().cancel().await.expect("closed");
    server.waiting().await.expect("closed");
    assert_eq!(capture.count("mcp.client.session.duration"), 1);
    assert_eq!(capture.count("mcp.server.session.duration"), 1);
    let points = capture.points();
    let version = [
        ("mcp.protocol.version", AttrValue::from("2025-11-25")),
        ("network.transport", "pipe".into()),
    ];
    for side in ["client", "server"] {
        let session = format!("mcp.{side}.session.duration");
        assert!(points.histogram(&session, &version).is_some(), "{session}");
    }
}

/// What is completed is an argument of a prompt, on both sides.
#[tokio::test]
async fn a_completion_names_its_prompt() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (client, _server) = connected(&mcp, mcp.service(Weather)).await;
    spans(&capture, 3).await;
    capture.clear();
    let argument = ArgumentInfo::new("who", "a");
    let params = CompleteRequestParams::new(Reference::for_prompt("greet"), argument);
    // The server has no completions, and says so.
    client.complete(params).await.expect_err("refused");
    spans(&capture, 2).await;
    for record in capture.records() {
        assert_eq!(record.name, "completion/complete greet");
        assert_eq!(record.text("gen_ai.prompt.name"), Some("greet"));
    }
}

#[tokio::test]
async fn a_message_says_what_it_is() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (client, _server) = connected(&mcp, mcp.service(Weather)).await;
    spans(&capture, 3).await;
    capture.clear();
    let request = rmcp::model::CallToolRequest::new(tool("rain"));
    let options = PeerRequestOptions::no_options();
    let answer = client.request(request.into(), options).await;
    answer.expect("a result");
    spans(&capture, 2).await;
    for record in capture.records() {
        let attribute = |key: &str| record.text(key);
        assert_eq!(attribute("mcp.method.name"), Some("tools/call"));
        assert_eq!(attribute("gen_ai.operation.name"), Some("execute_tool"));
        assert_eq!(attribute("jsonrpc.request.id"), Some("1"));
        assert_eq!(attribute("mcp.protocol.version"), Some("2025-11-25"));
        assert_eq!(attribute("network.transport"), Some("pipe"));
        assert_eq!(attribute("obs.agent.implementation"), Some("rmcp"));
    }
}

#[tokio::test]
async fn notifications_are_told_on_both_sides() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (client, server) = connected(&mcp, mcp.service(Weather)).await;
    spans(&capture, 3).await;
    capture.clear();
    let token = ProgressToken(NumberOrString::Number(1));
    let progress =
        rmcp::model::ProgressNotification::new(ProgressNotificationParam::new(token, 0.5));
    client.notify(progress.into()).await.expect("sent");
    spans(&capture, 2).await;
    // And the other way round: a client is a server of what it is told.
    let changed = rmcp::model::ToolListChangedNotification::default();
    mcp.peer(server.peer().clone())
        .notify(changed.into())
        .await
        .expect("sent");
    spans(&capture, 4).await;
    assert_tree(
        tree(&capture).sorted_by_name(),
        r#"
        trace 1
          notifications/progress [client]
            notifications/progress [server] remote parent
        trace 2
          notifications/tools/list_changed [client]
            notifications/tools/list_changed [server] remote parent
        "#,
    );
}

/// Results with and without the observer are the same.
#[tokio::test]
async fn nothing_that_is_answered_is_changed() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (client, _server) = connected(&mcp, mcp.service(Weather)).await;
    let (here, there) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(Weather.serve(there));
    let plain = ().serve(here).await.expect("a handshake");
    let _plain_server = serving.await.expect("no panic").expect("a handshake");
    assert_eq!(plain.peer_info(), client.get_ref().peer_info());
    for name in ["rain", "fails", "none"] {
        let observed = client.call_tool(tool(name)).await;
        let bare = plain.call_tool(tool(name)).await;
        assert_eq!(format!("{observed:?}"), format!("{bare:?}"));
    }
    for uri in ["file:///notes.md", "file:///none"] {
        let resource = || ReadResourceRequestParams::new(uri);
        let observed = client.read_resource(resource()).await;
        let bare = plain.read_resource(resource()).await;
        assert_eq!(format!("{observed:?}"), format!("{bare:?}"));
    }
    let observed = client.list_tools(None).await;
    let bare = plain.list_tools(None).await;
    assert_eq!(format!("{observed:?}"), format!("{bare:?}"));
}

/// The convention: the span of the tool that calls it has its attributes, and there is no second one on the client's side.
#[tokio::test]
async fn a_tool_that_is_called_by_mcp_is_one_span_here_and_one_there() {
    let capture = Capture::new();
    let handlers = handlers(&capture);
    let mcp = McpObserver::new(&handlers);
    let (client, _server) = connected(&mcp, mcp.service(Weather)).await;
    spans(&capture, 3).await;
    capture.clear();
    let info = RunInfo::new(Component::Tool, "weather");
    let run = handlers.start(info, RunParent::Root, &Input::Tool(Default::default()));
    let result = run.wrap(client.call_tool(tool("fails"))).await;
    assert_eq!(result.expect("a result").is_error, Some(true));
    run.end(&Output::Tool(Default::default()));
    spans(&capture, 2).await;
    assert_tree(
        tree(&capture).sorted_by_name(),
        r#"
        trace 1
          execute_tool weather [internal]
            - gen_ai.tool.name: "weather"
            tools/call fails [server] error remote parent
              - error.type: "tool_error"
              - gen_ai.tool.name: "fails"
        "#,
    );
    let points = capture.points();
    let calls = [("mcp.method.name", AttrValue::from("tools/call"))];
    let calls = points.histograms("mcp.client.operation.duration", &calls);
    assert_eq!(calls.iter().map(|point| point.count).sum::<u64>(), 1);
}

#[tokio::test]
async fn strangers_are_told_nothing_where_it_is_said() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (client, _server) = connected(&mcp.clone().without_context(), mcp.service(Weather)).await;
    client.call_tool(tool("rain")).await.expect("a result");
    spans(&capture, 5).await;
    let records = capture.records();
    let is_root = |record: &CapturedRecord| record.parent_span_id.is_none();
    assert!(records.iter().all(is_root), "{:?}", capture.tree());
}

/// A server that asks its client is a client of it.
#[tokio::test]
#[expect(deprecated, reason = "servers of older versions ask for roots")]
async fn what_a_server_asks_its_client_is_told_on_both_sides() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let (_client, server) = connected(&mcp, mcp.service(Weather)).await;
    spans(&capture, 3).await;
    capture.clear();
    let asks = mcp.peer(server.peer().clone());
    let roots = rmcp::model::ListRootsRequest::default();
    let answer = asks.request(roots.into(), PeerRequestOptions::no_options());
    answer.await.expect("no roots");
    spans(&capture, 2).await;
    assert_tree(
        tree(&capture).sorted_by_name(),
        r#"
        trace 1
          roots/list [client]
            roots/list [server] remote parent
        "#,
    );
    for record in capture.records() {
        assert_eq!(record.text("jsonrpc.request.id"), Some("0"));
        assert_eq!(record.text("mcp.protocol.version"), Some("2025-11-25"));
    }
}

/// A service around a service around a handler, each of ours.
#[tokio::test]
async fn what_is_observed_twice_is_told_once() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let twice = mcp.service(mcp.service(mcp.handler(Weather)));
    let (client, server) = connected(&mcp, twice).await;
    client.call_tool(tool("rain")).await.expect("a result");
    client.call_tool(tool("none")).await.expect_err("none such");
    spans(&capture, 2 + 1 + 2 * 2).await;
    client.into_inner().cancel().await.expect("closed");
    server.waiting().await.expect("closed");
    assert_eq!(capture.count("mcp.server.operation.duration"), 2 + 2);
    assert_eq!(capture.count("mcp.server.session.duration"), 1);
}

/// Two observers tell the same handlers, and others stand between them.
#[tokio::test]
async fn handlers_are_told_once_by_whatever_observers() {
    let (one, other) = (Capture::new(), Capture::new());
    let (its, others) = (handlers(&one), handlers(&other));
    let observer = || McpObserver::new(&its);
    let between = McpObserver::new(&others).service(observer().handler(Weather));
    let (client, server) = connected(&observer(), observer().service(between)).await;
    client.call_tool(tool("rain")).await.expect("a result");
    client.call_tool(tool("none")).await.expect_err("none such");
    spans(&one, 2 + 1 + 2 * 2).await;
    spans(&other, 2 + 2).await;
    client.into_inner().cancel().await.expect("closed");
    server.waiting().await.expect("closed");
    for told in [&one, &other] {
        assert_eq!(told.count("mcp.server.operation.duration"), 2 + 2);
        assert_eq!(told.count("mcp.server.session.duration"), 1);
    }
}

/// They are others', who are told of all of it.
#[tokio::test]
async fn who_else_observes_is_told_too() {
    let (one, other) = (Capture::new(), Capture::new());
    let (inner, outer) = (mcp(&one), mcp(&other));
    let (client, _server) = connected(&inner, outer.service(inner.service(Weather))).await;
    client.call_tool(tool("rain")).await.expect("a result");
    spans(&one, 2 + 1 + 2).await;
    spans(&other, 3).await;
}

/// Of what is around it, as far as the other side takes it over.
#[tokio::test]
async fn baggage_goes_along() {
    let capture = Capture::new();
    let mcp = mcp(&capture);
    let server = mcp.clone().with_baggage(Allow::names(["session.id"]));
    let (client, _server) = connected(&mcp, server.service(Weather)).await;
    spans(&capture, 3).await;
    capture.clear();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let text = |text: &'static str| Some(text.as_bytes());
    let remote = extract(text(parent), text("a=b"), text("session.id=s-7"));
    let around = RunParent::Remote(RemoteParent {
        remote: &remote,
        trust: Trust::Trusted,
        baggage: &Allow::all(),
    });
    let info = RunInfo::new(Component::Agent, "guide");
    let agent = handlers(&capture).start(info, around, &Input::Agent(Default::default()));
    let called = agent.wrap(client.call_tool(tool("rain"))).await;
    called.expect("a result");
    agent.end(&Output::Agent(Default::default()));
    spans(&capture, 3).await;
    let records = capture.records();
    let received = records.iter().find(|record| record.kind == Kind::Server);
    let received = received.expect("it is received");
    assert_eq!(received.text("session.id"), Some("s-7"));
    assert_eq!(received.trace_state, "a=b");
    assert_eq!(
        received.trace_id.to_string(),
        "0af7651916cd43dd8448eb211c80319c"
    );
}
