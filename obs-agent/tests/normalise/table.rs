//! The table, row by row, by what each dialect's documentation shows.

use super::said::{Said, show, span};
use obs_agent::normalise::Value::{self, Bool, Float, Int, List, Str};
use obs_agent::normalise::{Operation, SpanView};

#[track_caller]
pub(crate) fn check(scope: &str, name: &str, said: &[(&str, Value<'_>)], expect: &str) {
    assert_eq!(show(&span(scope, name, &Said(said))), expect);
}

#[test]
fn the_conventions_of_today() {
    check(
        "any",
        "chat gpt-4o",
        &[
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.provider.name", Str("openai")),
            ("gen_ai.request.model", Str("gpt-4o")),
            ("gen_ai.request.max_tokens", Int(200)),
            ("gen_ai.request.stream", Bool(true)),
            ("gen_ai.response.model", Str("gpt-4o-2024-08-06")),
            ("gen_ai.response.id", Str("chatcmpl-1")),
            ("gen_ai.response.finish_reasons", List(&["stop", "length"])),
            ("gen_ai.response.time_to_first_chunk", Float(0.25)),
            ("gen_ai.usage.input_tokens", Int(100)),
            ("gen_ai.usage.cache_read.input_tokens", Int(40)),
            ("gen_ai.usage.cache_creation.input_tokens", Int(10)),
            ("gen_ai.usage.output_tokens", Int(50)),
            ("gen_ai.usage.reasoning.output_tokens", Int(20)),
            ("gen_ai.conversation.id", Str("c-1")),
            ("user.id", Str("u-1")),
        ],
        "Chat provider=openai model=gpt-4o answered=gpt-4o-2024-08-06 id=chatcmpl-1 conversation=c-1 user=u-1 stream max=200 \
         Input=100 Output=50 CacheRead=40 CacheWrite=10 Reasoning=20 first=0.25s because=stop+length",
    );
    // Main's word for what is written to a cache.
    check(
        "any",
        "chat",
        &[
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.usage.cache_write.input_tokens", Int(3)),
            ("gen_ai.usage.cache_creation.input_tokens", Int(4)),
        ],
        "Chat CacheWrite=3",
    );
}

#[test]
fn operations_by_the_conventions() {
    let named = |operation: &str| {
        let said = [("gen_ai.operation.name", Str(operation))];
        span("any", "", &Said(&said)).operation()
    };
    let expect = [
        ("chat", Operation::Chat),
        ("generate_content", Operation::GenerateContent),
        ("text_completion", Operation::TextCompletion),
        ("embeddings", Operation::Embeddings),
        ("retrieval", Operation::Retrieval),
        ("execute_tool", Operation::ExecuteTool),
        ("invoke_agent", Operation::InvokeAgent),
        ("invoke_workflow", Operation::InvokeWorkflow),
        ("plan", Operation::Plan),
        ("search_memory", Operation::SearchMemory),
        ("create_memory", Operation::CreateMemory),
        ("update_memory", Operation::UpdateMemory),
        ("upsert_memory", Operation::UpsertMemory),
        ("delete_memory", Operation::DeleteMemory),
        ("create_memory_store", Operation::CreateMemoryStore),
        ("delete_memory_store", Operation::DeleteMemoryStore),
    ];
    for (name, operation) in expect {
        assert_eq!(named(name), Some(operation), "{name}");
    }
    // It says what it is, and that is nothing of ours, whatever else is said.
    check(
        "any",
        "chat gpt-4o",
        &[
            ("gen_ai.operation.name", Str("image_generation")),
            ("llm.request.type", Str("chat")),
        ],
        "nothing",
    );
}

#[test]
fn openllmetry_of_a_model() {
    check(
        "opentelemetry.instrumentation.openai.v1",
        "openai.chat",
        &[
            ("gen_ai.system", Str("OpenAI")),
            ("llm.request.type", Str("chat")),
            ("gen_ai.request.model", Str("gpt-3.5-turbo")),
            ("llm.is_streaming", Bool(false)),
            ("gen_ai.response.model", Str("gpt-3.5-turbo-0125")),
            ("gen_ai.usage.prompt_tokens", Int(15)),
            ("gen_ai.usage.completion_tokens", Int(21)),
            ("llm.usage.total_tokens", Int(36)),
            ("llm.user", Str("u-2")),
            ("traceloop.association.properties.session_id", Str("s-1")),
        ],
        "Chat provider=openai model=gpt-3.5-turbo answered=gpt-3.5-turbo-0125 conversation=s-1 user=u-2 Input=15 Output=21",
    );
    for (kind, operation) in [
        ("completion", "TextCompletion"),
        ("embedding", "Embeddings"),
        ("rerank", "Rerank"),
        ("unknown", "nothing"),
    ] {
        check("any", "x", &[("llm.request.type", Str(kind))], operation);
    }
}

#[test]
fn openllmetry_adds_up_what_anthropic_does_not() {
    // Its instrumentation of Anthropic sets input = input + read + created.
    check(
        "opentelemetry.instrumentation.anthropic",
        "anthropic.chat",
        &[
            ("gen_ai.system", Str("Anthropic")),
            ("llm.request.type", Str("completion")),
            ("gen_ai.usage.input_tokens", Int(1163)),
            ("gen_ai.usage.output_tokens", Int(187)),
            ("gen_ai.usage.cache_read_input_tokens", Int(0)),
            ("gen_ai.usage.cache_creation_input_tokens", Int(1163)),
        ],
        "TextCompletion provider=anthropic Input=1163 Output=187 CacheRead=0 CacheWrite=1163",
    );
}

#[test]
fn openllmetry_of_entities() {
    let entity = |kind, name| {
        [
            ("traceloop.span.kind", Str(kind)),
            ("traceloop.entity.name", Str(name)),
            ("traceloop.workflow.name", Str("joke")),
        ]
    };
    check(
        "any",
        "joke.workflow",
        &entity("workflow", "joke"),
        "InvokeWorkflow workflow=joke",
    );
    check(
        "any",
        "x.agent",
        &entity("agent", "teller"),
        "InvokeAgent agent=teller workflow=joke",
    );
    check(
        "any",
        "x.tool",
        &entity("tool", "search"),
        "ExecuteTool workflow=joke tool=search",
    );
    check(
        "any",
        "x.task",
        &entity("task", "step"),
        "Task workflow=joke",
    );
}

#[test]
fn openinference() {
    check(
        "openinference.instrumentation.openai",
        "ChatCompletion",
        &[
            ("openinference.span.kind", Str("LLM")),
            ("llm.system", Str("openai")),
            ("llm.provider", Str("azure")),
            ("llm.model_name", Str("gpt-4-0613")),
            ("llm.finish_reason", Str("stop")),
            ("llm.token_count.prompt", Int(50)),
            ("llm.token_count.prompt_details.cache_read", Int(20)),
            ("llm.token_count.prompt_details.cache_write", Int(5)),
            ("llm.token_count.completion", Int(30)),
            ("llm.token_count.completion_details.reasoning", Int(10)),
            ("llm.token_count.total", Int(80)),
            ("llm.cost.total", Float(0.021)),
            ("session.id", Str("26bcd3d2")),
            ("user.id", Str("9328ae73")),
        ],
        // The provider is who hosts the model, the system who made it.
        "Chat provider=azure.ai.openai model=gpt-4-0613 conversation=26bcd3d2 user=9328ae73 Input=50 Output=30 CacheRead=20 \
         CacheWrite=5 Reasoning=10 because=stop cost=0.021",
    );
    for (kind, operation) in [
        ("EMBEDDING", "Embeddings"),
        ("RETRIEVER", "Retrieval"),
        ("RERANKER", "Rerank"),
        ("AGENT", "InvokeAgent"),
        ("agent", "InvokeAgent"),
        ("CHAIN", "InvokeWorkflow"),
        ("PROMPT", "Prompt"),
        ("GUARDRAIL", "nothing"),
    ] {
        check(
            "any",
            "x",
            &[("openinference.span.kind", Str(kind))],
            operation,
        );
    }
    check(
        "any",
        "x",
        &[
            ("openinference.span.kind", Str("TOOL")),
            ("tool.name", Str("WeatherAPI")),
            ("tool_call.id", Str("call_62136355")),
        ],
        "ExecuteTool tool=WeatherAPI call=call_62136355",
    );
    check(
        "any",
        "x",
        &[
            ("openinference.span.kind", Str("LLM")),
            ("llm.request.model_name", Str("gpt-4o")),
            ("llm.response.model_name", Str("gpt-4o-2024")),
        ],
        "Chat model=gpt-4o answered=gpt-4o-2024",
    );
}

#[test]
fn a_chain_is_a_workflow_where_it_is_outermost() {
    let said = Said(&[("openinference.span.kind", Str("CHAIN"))]);
    let inner = SpanView {
        is_root: false,
        ..span("any", "x", &said)
    };
    assert_eq!(inner.operation(), Some(Operation::Chain));
    assert_eq!(
        span("any", "x", &said).operation(),
        Some(Operation::InvokeWorkflow)
    );
}

#[test]
fn vercel_of_the_fifth_version() {
    check(
        "ai",
        "ai.streamText.doStream",
        &[
            ("ai.operationId", Str("ai.streamText.doStream")),
            ("ai.model.id", Str("gpt-4o")),
            ("ai.model.provider", Str("openai.chat")),
            ("ai.response.model", Str("gpt-4o-2024-08-06")),
            ("ai.response.id", Str("chatcmpl-2")),
            ("ai.response.finishReason", Str("tool-calls")),
            ("ai.response.msToFirstChunk", Float(413.0)),
            ("ai.usage.inputTokens", Int(90)),
            ("ai.usage.cachedInputTokens", Int(64)),
            ("ai.usage.outputTokens", Int(12)),
            ("ai.usage.reasoningTokens", Int(8)),
            ("ai.telemetry.metadata.sessionId", Str("s-2")),
            ("ai.telemetry.metadata.userId", Str("u-3")),
        ],
        "Chat provider=openai model=gpt-4o answered=gpt-4o-2024-08-06 id=chatcmpl-2 conversation=s-2 user=u-3 stream Input=90 \
         Output=12 CacheRead=64 Reasoning=8 first=0.413s because=tool_calls",
    );
    // Before the fifth version tokens had other names.
    check(
        "ai",
        "ai.generateText.doGenerate",
        &[
            ("ai.operationId", Str("ai.generateText.doGenerate")),
            ("ai.usage.promptTokens", Int(7)),
            ("ai.usage.completionTokens", Int(9)),
            ("ai.finishReason", Str("stop")),
        ],
        "Chat Input=7 Output=9 because=stop",
    );
    for (id, operation) in [
        ("ai.generateText", "InvokeAgent"),
        ("ai.streamText my-function", "InvokeAgent"),
        ("ai.generateObject.doGenerate", "Chat"),
        ("ai.streamObject.doStream", "Chat stream"),
        ("ai.embed.doEmbed", "Embeddings"),
        ("ai.embedMany.doEmbed", "Embeddings"),
        ("ai.embed", "InvokeWorkflow"),
        ("ai.new.doSomething", "nothing"),
    ] {
        check("ai", "x", &[("ai.operationId", Str(id))], operation);
    }
    check(
        "ai",
        "ai.toolCall",
        &[
            ("ai.operationId", Str("ai.toolCall")),
            ("ai.toolCall.name", Str("weather")),
            ("ai.toolCall.id", Str("call_3")),
        ],
        "ExecuteTool tool=weather call=call_3",
    );
}

#[test]
fn vercel_of_anthropic_is_without_cache_until_it_tells_parts() {
    let base = [
        ("ai.operationId", Str("ai.generateText.doGenerate")),
        ("ai.model.provider", Str("anthropic.messages")),
        ("ai.usage.inputTokens", Int(100)),
        ("ai.usage.cachedInputTokens", Int(60)),
    ];
    check(
        "ai",
        "x",
        &base,
        "Chat provider=anthropic Input=160 CacheRead=60",
    );
    let parts = [("ai.usage.inputTokenDetails.noCacheTokens", Int(40))];
    let sixth = [&base[..], &parts].concat();
    check(
        "ai",
        "x",
        &sixth,
        "Chat provider=anthropic Input=100 CacheRead=60",
    );
}

#[test]
fn vercel_of_the_sixth_version_has_the_conventions_beside_its_own() {
    check(
        "ai",
        "chat gpt-4o",
        &[
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.system", Str("openai.responses")),
            ("gen_ai.request.model", Str("gpt-4o")),
            ("gen_ai.usage.input_tokens", Int(20)),
            ("gen_ai.usage.output_tokens", Int(10)),
            ("gen_ai.response.finish_reasons", List(&["stop"])),
            ("ai.operationId", Str("ai.streamText.doStream")),
            ("ai.usage.inputTokens", Int(21)),
        ],
        "Chat provider=openai model=gpt-4o stream Input=20 Output=10 because=stop",
    );
}

#[test]
fn langsmith() {
    check(
        "langsmith",
        "ChatOpenAI",
        &[
            ("langsmith.span.kind", Str("llm")),
            ("langsmith.metadata.ls_provider", Str("google_genai")),
            ("langsmith.metadata.ls_model_name", Str("gemini-2.5-pro")),
            ("gen_ai.usage.input_tokens", Int(5)),
            ("langsmith.trace.session_id", Str("s-4")),
        ],
        "Chat provider=gcp.gemini model=gemini-2.5-pro conversation=s-4 Input=5",
    );
    for (kind, operation) in [
        ("chain", "InvokeWorkflow"),
        ("tool", "ExecuteTool"),
        ("retriever", "Retrieval"),
        ("embedding", "Embeddings"),
        ("prompt", "Prompt"),
        ("parser", "nothing"),
    ] {
        check("any", "x", &[("langsmith.span.kind", Str(kind))], operation);
    }
}

#[test]
fn rig() {
    // https://docs.rs/crate/rig-core/0.44.0/source/src/telemetry/mod.rs: totals have all their parts.
    check(
        "rig::agent_chat",
        "chat",
        &[
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.agent.name", Str("assistant")),
            ("gen_ai.provider.name", Str("openai")),
            ("gen_ai.request.model", Str("gpt-4o")),
            ("gen_ai.usage.input_tokens", Int(30)),
            ("gen_ai.usage.tool_use_prompt_tokens", Int(4)),
            ("gen_ai.usage.output_tokens", Int(20)),
            ("gen_ai.usage.reasoning_tokens", Int(12)),
        ],
        "Chat provider=openai model=gpt-4o agent=assistant Input=30 Output=20 Reasoning=12",
    );
    check(
        "rig_agent::agent::telemetry",
        "execute_tool",
        &[
            ("gen_ai.operation.name", Str("execute_tool")),
            ("gen_ai.tool.name", Str("add")),
            ("gen_ai.tool.call.id", Str("call_1")),
            ("gen_ai.tool.error.type", Str("not_found")),
        ],
        "ExecuteTool tool=add call=call_1 error=not_found",
    );
}

#[test]
fn adk() {
    check(
        "adk_telemetry::spans",
        "gen_ai.generate",
        &[
            ("gen_ai.system", Str("gemini")),
            ("gen_ai.request.model", Str("gemini-2.5-flash")),
            ("gen_ai.request.stream", Bool(true)),
            ("gen_ai.usage.input_tokens", Int(100)),
            ("gen_ai.usage.output_tokens", Int(50)),
            ("gen_ai.usage.total_tokens", Int(150)),
            ("gen_ai.usage.cache_read_tokens", Int(80)),
            ("gen_ai.usage.thinking_tokens", Int(30)),
            ("gen_ai.usage.audio_input_tokens", Int(2)),
        ],
        "Chat provider=gcp.gemini model=gemini-2.5-flash stream Input=100 Output=50 CacheRead=80 Reasoning=30 AudioInput=2",
    );
    check(
        "adk_runner::runner",
        "agent.execute",
        &[
            ("agent.name", Str("planner")),
            ("gen_ai.conversation.id", Str("s-5")),
            ("adk.user_id", Str("u-5")),
        ],
        "InvokeAgent conversation=s-5 user=u-5 agent=planner",
    );
    check(
        "adk_agent::llm_agent",
        "execute_tool weather",
        &[
            ("tool.name", Str("weather")),
            ("gen_ai.tool.call_id", Str("c")),
        ],
        "ExecuteTool tool=weather call=c",
    );
    // What stands around a call of a model is none.
    check(
        "adk_agent::llm_agent",
        "call_llm",
        &[("gen_ai.conversation.id", Str("s"))],
        "nothing",
    );
}

#[test]
fn langchain_rust() {
    let scope = "langchain_rust::observability";
    check(
        scope,
        "llm.generate",
        &[
            ("provider", Str("openai")),
            ("model", Str("gpt-4o-mini")),
            ("stream", Bool(true)),
            ("prompt_tokens", Int(7)),
            ("completion_tokens", Int(3)),
            ("total_tokens", Int(10)),
            ("error", Str("boom")),
        ],
        "Chat provider=openai model=gpt-4o-mini error= message=boom stream Input=7 Output=3",
    );
    check(
        scope,
        "embed.documents",
        &[("provider", Str("openai"))],
        "Embeddings provider=openai",
    );
    check(
        scope,
        "chain.call",
        &[("chain", Str("llm_chain"))],
        "InvokeWorkflow workflow=llm_chain",
    );
    check(scope, "agent.run", &[], "InvokeAgent");
    check(scope, "agent.plan", &[("step", Int(0))], "Plan");
    check(
        scope,
        "tool.call",
        &[("tool", Str("add"))],
        "ExecuteTool tool=add",
    );
    // Words that are its own count on its spans only.
    check(
        "another",
        "llm.generate",
        &[("provider", Str("openai"))],
        "nothing",
    );
    check(
        "another",
        "x",
        &[
            ("gen_ai.operation.name", Str("chat")),
            ("model", Str("m")),
            ("error", Str("e")),
        ],
        "Chat",
    );
}

#[test]
fn swiftide() {
    let scope = "swiftide_agents::agent";
    check(scope, "agent.query", &[], "InvokeAgent");
    check(scope, "agent.run_once", &[], "InvokeAgent");
    check(
        scope,
        "tool.search_code",
        &[],
        "ExecuteTool tool=search_code",
    );
    check(scope, "step-1", &[], "nothing");
    check(scope, "tool.", &[], "nothing");
}

#[test]
fn genai() {
    check(
        "genai::otel::span",
        "chat claude-sonnet-4-5",
        &[
            ("gen_ai.operation.name", Str("chat")),
            ("gen_ai.provider.name", Str("anthropic")),
            ("gen_ai.response.finish_reasons", Str("[\"end_turn\"]")),
            ("gen_ai.response.time_to_first_chunk", Float(0.5)),
            ("otel.status_code", Str("error")),
            ("error.type", Str("429")),
        ],
        "Chat provider=anthropic error=429 first=0.5s because=end_turn",
    );
}
