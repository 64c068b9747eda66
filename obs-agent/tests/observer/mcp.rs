//! Messages and sessions of MCP, on either side.

use crate::support::{MS, agent, names, observed, of, reference, start, tool};
use obs_agent::input::McpInput;
use obs_agent::{Component, Handlers, Input, Output, Run, RunError, RunParent};
use obs_llm::Dialect;
use obs_testing::{AttrValue, Capture, assert_tree};

fn call(method: &'static str, target: Option<&'static str>) -> McpInput<'static> {
    of!(input::McpInput {
        method: method,
        target: target,
        request_id: Some("7"),
        session_id: Some("s-1"),
        protocol_version: Some("2025-06-18"),
        transport: Some("pipe"),
    })
}

fn message(handlers: &Handlers, input: McpInput<'_>, parent: RunParent<'_>) -> Run {
    start(handlers, Component::Mcp, "", parent, &Input::Mcp(input))
}

fn answered(is_tool_error: bool) -> Output<'static> {
    Output::Mcp(of!(output::McpOutput {
        is_tool_error: is_tool_error
    }))
}

#[test]
fn messages_are_clients_and_servers() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let sent = message(&handlers, call("tools/call", Some("add")), RunParent::Root);
    let mut received = call("tools/call", Some("add"));
    received.is_server = true;
    let received = message(&handlers, received, sent.as_parent());
    capture.clock().advance(30 * MS);
    received.end(&answered(true));
    sent.end(&answered(true));
    capture.clock().advance(MS);
    let mut input = call("resources/read", None);
    input.resource_uri = Some("file:///notes.md");
    let read = message(&handlers, input, RunParent::Root);
    read.fail(&RunError::failed("-32002"));
    capture.clock().advance(MS);
    let prompt = message(
        &handlers,
        call("prompts/get", Some("greet")),
        RunParent::Root,
    );
    prompt.end(&answered(false));
    capture.clock().advance(MS);
    let mut input = of!(input::McpInput {
        method: "x/unheard-of"
    });
    input.is_server = true;
    message(&handlers, input, RunParent::Root).fail(&RunError::failed("-32601"));
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          tools/call add [client] error
            - error.type: "tool_error"
            - gen_ai.operation.name: "execute_tool"
            - gen_ai.tool.name: "add"
            - jsonrpc.request.id: "7"
            - mcp.method.name: "tools/call"
            - mcp.protocol.version: "2025-06-18"
            - mcp.session.id: "s-1"
            - network.transport: "pipe"
            - obs.agent.depth: 0
            tools/call add [server] error
              - error.type: "tool_error"
              - gen_ai.operation.name: "execute_tool"
              - gen_ai.tool.name: "add"
              - jsonrpc.request.id: "7"
              - mcp.method.name: "tools/call"
              - mcp.protocol.version: "2025-06-18"
              - mcp.session.id: "s-1"
              - network.transport: "pipe"
              - obs.agent.depth: 1
              - obs.agent.step: 1
        trace 2
          resources/read [client] error
            - error.type: "-32002"
            - jsonrpc.request.id: "7"
            - mcp.method.name: "resources/read"
            - mcp.protocol.version: "2025-06-18"
            - mcp.resource.uri: "file:///notes.md"
            - mcp.session.id: "s-1"
            - network.transport: "pipe"
            - obs.agent.depth: 0
            - rpc.response.status_code: "-32002"
        trace 3
          prompts/get greet [client]
            - gen_ai.prompt.name: "greet"
            - jsonrpc.request.id: "7"
            - mcp.method.name: "prompts/get"
            - mcp.protocol.version: "2025-06-18"
            - mcp.session.id: "s-1"
            - network.transport: "pipe"
            - obs.agent.depth: 0
        trace 4
          _OTHER [server] error
            - error.type: "-32601"
            - mcp.method.name: "_OTHER"
            - obs.agent.depth: 0
            - rpc.response.status_code: "-32601"
    "#,
    );
    assert_eq!(capture.count("mcp.client.operation.duration"), 3);
    assert_eq!(capture.count("mcp.server.operation.duration"), 2);
    let points = capture.points();
    let failed = [("error.type", AttrValue::from("tool_error"))];
    let failed = points.histogram("mcp.server.operation.duration", &failed);
    let failed = failed.expect("a series of its own");
    assert_eq!((failed.count, failed.sum), (1, Some(0.03)));
    for id in ["s-1", "notes.md", "unheard"] {
        assert!(!capture.telemetry().prometheus().contains(id), "{id}");
    }
}

#[test]
fn a_tool_that_is_called_by_mcp_has_one_span() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let weather = tool(&handlers, "weather", RunParent::Root);
    let sent = message(
        &handlers,
        call("tools/call", Some("weather")),
        weather.as_parent(),
    );
    // What is within the message is within the tool's span.
    let within = agent(&handlers, "inner", sent.as_parent());
    within.end(&Output::Agent(Default::default()));
    capture.clock().advance(40 * MS);
    sent.fail(&RunError::failed("-32603"));
    weather.fail(&RunError::failed("tool_error"));
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          execute_tool weather [internal] error
            - error.type: "tool_error"
            - gen_ai.operation.name: "execute_tool"
            - gen_ai.tool.name: "weather"
            - gen_ai.tool.type: "function"
            - jsonrpc.request.id: "7"
            - mcp.method.name: "tools/call"
            - mcp.protocol.version: "2025-06-18"
            - mcp.session.id: "s-1"
            - network.transport: "pipe"
            - obs.agent.depth: 0
            - rpc.response.status_code: "-32603"
            invoke_agent inner [internal]
              - gen_ai.agent.name: "inner"
              - gen_ai.operation.name: "invoke_agent"
              - gen_ai.provider.name: "_OTHER"
              - obs.agent.depth: 2
              - obs.agent.run.inferences: 0
              - obs.agent.run.tools: 0
              - obs.agent.step: 1
    "#,
    );
    let points = capture.points();
    let series = points.histograms("mcp.client.operation.duration", &[]);
    let [only] = &*series else {
        panic!("{series:?}")
    };
    assert_eq!((only.count, only.sum), (1, Some(0.04)));
    let has = |key: &str, value: &str| {
        assert!(only.series.has(&[(key, value.into())]), "{key}: {only:?}");
    };
    has("mcp.method.name", "tools/call");
    has("error.type", "-32603");
    has("rpc.response.status_code", "-32603");
}

/// Listing tools is no call of the tool around it, and neither is what a server receives.
#[test]
fn only_a_clients_call_is_told_on_the_tools_span() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let around = tool(&handlers, "weather", RunParent::Root);
    message(&handlers, call("tools/list", None), around.as_parent()).end(&answered(false));
    let mut received = call("tools/call", Some("weather"));
    received.is_server = true;
    message(&handlers, received, around.as_parent()).end(&answered(false));
    around.end(&Output::Tool(Default::default()));
    let expect = ["tools/list", "tools/call weather", "execute_tool weather"];
    assert_eq!(names(&capture), expect);
}

#[test]
fn sessions_have_durations_and_no_spans() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    for is_server in [false, true] {
        let mut input = call("", None);
        input.is_server = is_server;
        let session = message(&handlers, input, RunParent::Root);
        let parent = reference(&session);
        assert!(parent.operation().is_none());
        let within = message(&handlers, call("ping", None), RunParent::Of(&parent));
        within.end(&answered(false));
        capture.clock().advance(1500 * MS);
        match is_server {
            true => session.fail(&RunError::failed("connection_error")),
            false => session.end(&answered(false)),
        }
    }
    assert_eq!(capture.records().len(), 2, "the messages in them");
    let points = capture.points();
    let well = points
        .histogram("mcp.client.session.duration", &[])
        .expect("there");
    assert_eq!((well.count, well.sum), (1, Some(1.5)));
    let failed = [
        ("error.type", AttrValue::from("connection_error")),
        ("mcp.protocol.version", "2025-06-18".into()),
        ("network.transport", "pipe".into()),
    ];
    let failed = points
        .histogram("mcp.server.session.duration", &failed)
        .expect("there");
    assert_eq!((failed.count, failed.sum), (1, Some(1.5)));
}

/// The conventions' list by v1.41 and what main has beside it, and of the rest of the protocol what is a request or a notification.
#[test]
fn methods_of_the_protocol_are_told_by_their_names() {
    let v1_41 = "notifications/cancelled initialize notifications/initialized notifications/progress ping resources/list \
        resources/templates/list resources/read notifications/resources/list_changed resources/subscribe resources/unsubscribe \
        notifications/resources/updated prompts/list prompts/get notifications/prompts/list_changed tools/list tools/call \
        notifications/tools/list_changed logging/setLevel notifications/message sampling/createMessage completion/complete \
        roots/list notifications/roots/list_changed elicitation/create";
    let main = "server/discover subscriptions/listen notifications/subscriptions/acknowledged";
    let others = "tasks/get tasks/update tasks/cancel notifications/tasks skills/list skills/get resources/directory/read";
    let all = [v1_41, main, others];
    let all: Vec<&'static str> = all
        .iter()
        .flat_map(|list| list.split_whitespace())
        .collect();
    for dialect in [Dialect::V1_41, Dialect::Main] {
        let capture = Capture::new();
        let handlers = observed(&capture, dialect);
        for method in &all {
            let input = of!(input::McpInput { method: method });
            message(&handlers, input, RunParent::Root).end(&answered(false));
        }
        assert_eq!(names(&capture), all);
        let points = capture.points();
        for method in &all {
            let method = [("mcp.method.name", AttrValue::from(*method))];
            let point = points.histogram("mcp.client.operation.duration", &method);
            assert_eq!(point.map(|point| point.count), Some(1), "{method:?}");
        }
    }
}

/// What is completed is an argument of a prompt.
#[test]
fn a_completion_names_its_prompt() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let input = call("completion/complete", Some("greet"));
    message(&handlers, input, RunParent::Root).end(&answered(false));
    let record = capture.record();
    assert_eq!(record.name, "completion/complete greet");
    assert_eq!(record.text("gen_ai.prompt.name"), Some("greet"));
    assert_eq!(record.attr("gen_ai.tool.name"), None);
}
