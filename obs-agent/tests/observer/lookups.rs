//! What is looked up and remembered, by the names of either dialect.

use crate::components::holds;
use crate::support::{MS, observed, of, start, tool};
use obs_agent::input::{MemoryInput, MemoryOperation};
use obs_agent::{Component, Input, Output, RunParent};
use obs_llm::{Dialect, Tokens};
use obs_testing::{Capture, assert_tree};

#[test]
fn a_retrieval_has_the_question_to_its_store_beneath_it() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let input = Input::Retriever(of!(input::RetrieverInput {
        data_source_id: Some("handbook"),
        provider: Some("aws.bedrock"),
        top_k: Some(5),
    }));
    let retrieval = start(
        &handlers,
        Component::Retriever,
        "books",
        RunParent::Root,
        &input,
    );
    let input = Input::Embedding(of!(input::EmbeddingInput {
        provider: Some("openai"),
        model: Some("text-embedding-3-small"),
        texts: Some(1),
        dimensions: Some(256),
    }));
    let embedding = start(
        &handlers,
        Component::Embedding,
        "",
        retrieval.as_parent(),
        &input,
    );
    embedding.end(&Output::Embedding(of!(output::EmbeddingOutput {
        model: Some("text-embedding-3-small"),
        usage: Some(obs_llm::Usage::new().with(Tokens::Input, 7)),
    })));
    let input = Input::Retriever(of!(input::RetrieverInput {
        store: Some("qdrant"),
        collection: Some("pages"),
        namespace: Some("prod"),
    }));
    let store = start(
        &handlers,
        Component::Retriever,
        "",
        retrieval.as_parent(),
        &input,
    );
    capture.clock().advance(4 * MS);
    let found = Output::Documents(of!(output::DocumentsOutput { count: Some(5) }));
    store.end(&found);
    retrieval.end(&found);
    // One run is both.
    let input = Input::Retriever(of!(input::RetrieverInput {
        data_source_id: Some("wiki"),
        store: Some("postgresql"),
        namespace: Some("wiki_db"),
    }));
    let both = start(&handlers, Component::Retriever, "", RunParent::Root, &input);
    let within = tool(&handlers, "rank", both.as_parent());
    within.end(&Output::Tool(Default::default()));
    both.end(&found);
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          retrieval handbook [client]
            - gen_ai.data_source.id: "handbook"
            - gen_ai.operation.name: "retrieval"
            - gen_ai.provider.name: "aws.bedrock"
            - gen_ai.request.top_k: 5.0
            - obs.agent.depth: 0
            - obs.agent.documents: 5
            - obs.agent.node.name: "books"
            embeddings text-embedding-3-small [client]
              - gen_ai.embeddings.dimension.count: 256
              - gen_ai.operation.name: "embeddings"
              - gen_ai.provider.name: "openai"
              - gen_ai.request.model: "text-embedding-3-small"
              - gen_ai.response.model: "text-embedding-3-small"
              - gen_ai.usage.input_tokens: 7
              - obs.agent.depth: 1
              - obs.agent.step: 1
              - obs.agent.texts: 1
            pages [client]
              - db.collection.name: "pages"
              - db.namespace: "prod"
              - db.system.name: "qdrant"
              - obs.agent.depth: 1
              - obs.agent.documents: 5
              - obs.agent.step: 2
        trace 2
          retrieval wiki [client]
            - gen_ai.data_source.id: "wiki"
            - gen_ai.operation.name: "retrieval"
            - gen_ai.provider.name: "_OTHER"
            - obs.agent.depth: 0
            - obs.agent.documents: 5
            wiki_db [client]
              - db.namespace: "wiki_db"
              - db.system.name: "postgresql"
              execute_tool rank [internal]
                - gen_ai.operation.name: "execute_tool"
                - gen_ai.tool.name: "rank"
                - gen_ai.tool.type: "function"
                - obs.agent.depth: 1
                - obs.agent.step: 1
    "#,
    );
    holds(&capture, "db.client.operation.duration", 2, 0.004);
    assert_eq!(capture.count("gen_ai.client.operation.duration"), 3);
    // Of two crates, and one metric on a page.
    let page = capture.telemetry().prometheus();
    let types = page
        .lines()
        .filter(|line| line.starts_with("# TYPE gen_ai_client_operation"));
    assert_eq!(types.count(), 1, "{page}");
}

#[test]
fn main_has_names_for_lookups() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::Main);
    let input = Input::Retriever(of!(input::RetrieverInput {
        data_source_id: Some("handbook"),
        top_k: Some(5),
        store: Some("qdrant"),
        collection: Some("pages"),
    }));
    let books = (Component::Retriever, "");
    let retrieval = start(&handlers, books.0, books.1, RunParent::Root, &input);
    let input = Input::Memory(of!(input::MemoryInput {
        operation: MemoryOperation::Upsert,
        store_id: Some("store_1"),
        records: Some(3),
    }));
    let memory = start(
        &handlers,
        Component::Memory,
        "notes",
        retrieval.as_parent(),
        &input,
    );
    memory.end(&Output::Memory(Default::default()));
    let input = Input::Prompt(of!(input::PromptInput { version: Some("2") }));
    let prompt = start(
        &handlers,
        Component::Prompt,
        "summary",
        retrieval.as_parent(),
        &input,
    );
    capture.clock().advance(MS);
    prompt.end(&Output::Node(Default::default()));
    retrieval.end(&Output::Documents(Default::default()));
    assert_tree(
        capture.tree(),
        r#"
        trace 1
          retrieval handbook [client]
            - gen_ai.data_source.id: "handbook"
            - gen_ai.operation.name: "retrieval"
            - gen_ai.retrieval.top_k: 5
            - obs.agent.depth: 0
            pages [client]
              - db.collection.name: "pages"
              - db.system.name: "qdrant"
              prompt summary [internal]
                - gen_ai.prompt.name: "summary"
                - gen_ai.prompt.version: "2"
                - obs.agent.depth: 1
                - obs.agent.node.kind: "prompt"
                - obs.agent.node.name: "summary"
                - obs.agent.step: 2
              upsert_memory [client]
                - gen_ai.memory.record.count: 3
                - gen_ai.memory.store.id: "store_1"
                - gen_ai.operation.name: "upsert_memory"
                - obs.agent.depth: 1
                - obs.agent.node.name: "notes"
                - obs.agent.step: 1
    "#,
    );
}

#[test]
fn what_is_remembered_is_told_by_its_operation() {
    let operations = [
        (MemoryOperation::Search, "search_memory"),
        (MemoryOperation::Create, "create_memory"),
        (MemoryOperation::Update, "update_memory"),
        (MemoryOperation::Upsert, "upsert_memory"),
        (MemoryOperation::Delete, "delete_memory"),
        (MemoryOperation::CreateStore, "create_memory_store"),
        (MemoryOperation::DeleteStore, "delete_memory_store"),
    ];
    for (dialect, prefix) in [(Dialect::V1_41, "obs.agent"), (Dialect::Main, "gen_ai")] {
        let capture = Capture::new();
        let handlers = observed(&capture, dialect);
        for (operation, name) in operations {
            let mut input = MemoryInput::default();
            input.operation = operation;
            input.store_id = Some("store_1");
            input.record_id = Some("rec_1");
            let input = Input::Memory(input);
            let run = start(&handlers, Component::Memory, "", RunParent::Root, &input);
            run.end(&Output::Memory(of!(output::MemoryOutput {
                count: Some(2)
            })));
            let record = capture.take_records().remove(0);
            assert_eq!(record.name, name);
            for (key, value) in [
                ("memory.store.id", "store_1".into()),
                ("memory.record.id", "rec_1".into()),
                ("memory.record.count", 2_i64.into()),
            ] {
                let key = format!("{prefix}.{key}");
                assert_eq!(record.attr(&key), Some(&value), "{key}");
            }
        }
        let each = { capture.points() }
            .histograms("gen_ai.client.operation.duration", &[])
            .len();
        assert_eq!(each, operations.len(), "a series for each");
    }
}

/// A store's span is called by what it is asked and of what, as far as that is told.
#[test]
fn a_question_to_a_store_is_called_by_its_operation_and_target() {
    let cases = [
        ((Some("query"), Some("pages"), Some("prod")), "query pages"),
        ((Some("query"), None, Some("prod")), "query prod"),
        ((Some("query"), None, None), "query"),
        ((None, Some("pages"), Some("prod")), "pages"),
        ((None, None, Some("prod")), "prod"),
        ((None, None, None), "qdrant"),
    ];
    for ((asked, collection, namespace), expect) in cases {
        let capture = Capture::new();
        let handlers = observed(&capture, Dialect::V1_41);
        let input = Input::Retriever(of!(input::RetrieverInput {
            store: Some("qdrant"),
            store_operation: asked,
            collection: collection,
            namespace: namespace,
        }));
        let run = start(&handlers, Component::Retriever, "", RunParent::Root, &input);
        run.end(&Output::Documents(Default::default()));
        let store = capture.take_records().remove(0);
        assert_eq!(store.name, expect);
        assert_eq!(store.text("db.operation.name"), asked);
        let points = capture.points();
        let point = points.histogram("db.client.operation.duration", &[]);
        let series = point.expect("there").series;
        let told = series.attr("db.operation.name");
        assert_eq!(told.and_then(|told| told.as_str()), asked);
    }
}

/// A store that is asked within anything but a retrieval has a retrieval of its own around the question.
#[test]
fn only_a_retrieval_around_a_question_is_its_retrieval() {
    let capture = Capture::new();
    let handlers = observed(&capture, Dialect::V1_41);
    let around = tool(&handlers, "search", RunParent::Root);
    let input = Input::Retriever(of!(input::RetrieverInput {
        store: Some("qdrant"),
        collection: Some("pages"),
    }));
    let run = start(
        &handlers,
        Component::Retriever,
        "",
        around.as_parent(),
        &input,
    );
    run.end(&Output::Documents(Default::default()));
    around.end(&Output::Tool(Default::default()));
    let [store, retrieval, tool] = <[_; 3]>::try_from(capture.records()).expect("three spans");
    assert_eq!(store.descriptor, "db.client");
    assert_eq!(retrieval.name, "retrieval");
    assert_eq!(store.parent_span_id, Some(retrieval.span_id));
    assert_eq!(retrieval.parent_span_id, Some(tool.span_id));
}
