//! What else an agent dispatches: memories, indexes, embeddings, further models; and hooks beside each other.

use crate::answers::{answers, calls};
use crate::client::Sends;
use crate::scripted::{serve, serve_each, soon};
use crate::server::whole;
use crate::support::hyper;
use crate::support::{BY, By, Places, Weather, agent, agent_of, ask, chat, config, observer};
use crate::told::Told;
use obs_agent::adapters::rig::RigObserver;
use obs_agent::{Component, Handlers};
use obs_testing::assert_tree;
use rig_agent::AgentBuilder;
use rig_agent::agent::{AgentHook, HookContext, ModelTurnAction, ModelTurnFinished};
use rig_core::effect::{EffectKind, EmbedInputs, Outcome};
use rig_core::memory::InMemoryConversationMemory;
use rig_core::operation::Embedding;
use rig_core::serde::de::DeserializeOwned;
use rig_core::serve::adapters::{MemoryAdapter, ModelAdapter, RetrieveAdapter};
use rig_core::serve::{ErasedHandler, serve_inline};
use rig_core::vector_store::in_memory_store::InMemoryVectorStore;
use rig_core::vector_store::request::{Filter, VectorSearchRequest};
use rig_core::vector_store::{
    VectorSearchIdResult, VectorSearchResult, VectorStoreError, VectorStoreIndex,
};
use std::sync::atomic::{AtomicBool, Ordering};

/// rig loads it before it tells its hooks of the run: the agent's run begins there.
#[tokio::test]
async fn a_memory_is_read_and_written_within_the_run_of_its_conversation() {
    let server = serve(answers(false)).await;
    let told = Told::default();
    let observer = observer(&told);
    let memory = MemoryAdapter::new(InMemoryConversationMemory::new());
    let agent = observer
        .agent(chat(&server.url("")))
        .name("guide")
        .memory_handler(observer.handler(memory))
        .conversation("day-1")
        .build();
    for _ in 0..2 {
        soon(agent.prompt("How is it?").run())
            .await
            .expect("an answer");
    }
    assert_tree(
        told.tree(),
        "
        agent guide in day-1 => 30+5 tokens stop ok
          memory Search None => Some(0) ok
          model gpt-4o-mini of openai with  => 30+5 tokens stop ok
          memory Create Some(2) => None ok
        agent guide in day-1 => 30+5 tokens stop ok
          memory Search None => Some(2) ok
          model gpt-4o-mini of openai with  => 30+5 tokens stop ok
          memory Create Some(2) => None ok
        ",
    );
}

#[tokio::test]
async fn the_turn_is_the_how_manieth_of_what_a_user_said() {
    let server = serve(answers(false)).await;
    let told = Told::default();
    let agent = agent(By::All, &told, &server.url(""));
    let first = soon(agent.prompt("How is it?").run())
        .await
        .expect("an answer");
    let second = agent.prompt("And now?").history(first.messages);
    soon(second.run()).await.expect("an answer");
    let agents: Vec<_> = told.tree().lines().filter_map(agents).collect();
    assert_eq!(agents, ["turn 1", "turn 2"]);
}

fn agents(line: &str) -> Option<String> {
    let line = line.strip_prefix("agent guide ")?;
    Some(line.split(" =>").next()?.to_owned())
}

fn vectors() -> Vec<crate::scripted::Act> {
    let body = r#"{"object":"list","model":"text-embedding-3-small","data":[{"object":"embedding","index":0,"embedding":[1.0,0.0]}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    whole("200 OK", "application/json", body)
}

/// rig asks for its documents without a word to its hooks.
#[tokio::test]
async fn documents_are_looked_up_within_the_only_run_of_the_agent() {
    let server = serve_each(vec![vectors(), answers(false)]).await;
    let told = Told::default();
    let observer = observer(&told);
    let openai = config(&server.url("")).connect(Sends(hyper()));
    let embeds = openai.embedding("text-embedding-3-small", Some(2)).erase();
    let vector = rig_core::embeddings::Embedding {
        document: "Take an umbrella.".to_owned(),
        vec: vec![1.0, 0.0],
    };
    let documents = [("Take an umbrella.".to_owned(), vec![vector])];
    let index = InMemoryVectorStore::from_documents(documents).index(embeds);
    let agent = observer
        .agent(chat(&server.url("")))
        .name("guide")
        .dynamic_context_handler(1, observer.handler(RetrieveAdapter::new(index)))
        .build();
    soon(agent.prompt("How is it?").run())
        .await
        .expect("an answer");
    assert!(server.bodies()[1].contains("umbrella"), "it was found");
    assert_tree(
        told.tree(),
        "
        agent guide turn 1 => 30+5 tokens stop ok
          retriever  How is it? top Some(1) => Some(1) ok
          model gpt-4o-mini of openai with  => 30+5 tokens stop ok
        ",
    );
}

#[tokio::test]
async fn an_embedding_model_on_a_bus_is_told_with_its_tokens() {
    let server = serve(vectors()).await;
    let told = Told::default();
    let observer = observer(&told).with_provider("openai");
    let observer = observer.with_model("text-embedding-3-small");
    let openai = config(&server.url("")).connect(Sends(hyper()));
    let model = openai.embedding("text-embedding-3-small", Some(2));
    let model = observer.handler(ModelAdapter::<Embedding>::new("words", model));
    let inputs = EmbedInputs::Texts(vec!["umbrella".to_owned()]);
    let kind = EffectKind::Embed { inputs };
    let model = ErasedHandler::new(model);
    let served = soon(serve_inline(&model, kind)).await.expect("vectors");
    assert!(matches!(served, Outcome::Embeddings(_)));
    assert_tree(
        told.tree(),
        "embedding text-embedding-3-small Some(1) texts => 3+0 tokens ok",
    );
}

/// Wants an answer once more.
struct Again(AtomicBool);

impl AgentHook for Again {
    async fn on_model_turn_finished(
        &self,
        _: &HookContext,
        _: ModelTurnFinished<'_>,
    ) -> ModelTurnAction {
        match self.0.swap(true, Ordering::Relaxed) {
            false => ModelTurnAction::repeat(),
            true => ModelTurnAction::continue_run(),
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_refused_is_asked_for_again_and_counts() {
    for by in BY {
        for streams in [false, true] {
            let server = serve(answers(streams)).await;
            let told = Told::default();
            let model = chat(&server.url(""));
            let observer = observer(&told);
            let agent = agent_of(by, &observer, model, &Places::default());
            let runner = agent.prompt("How is it?");
            let runner = runner.add_hook(Again(AtomicBool::default()));
            match streams {
                false => drop(soon(runner.run()).await.expect("an answer")),
                true => {
                    let items = futures_util::StreamExt::collect::<Vec<_>>(runner.stream());
                    assert!(soon(items).await.iter().all(Result::is_ok));
                }
            }
            let tree = told.tree();
            let models: Vec<_> = tree
                .lines()
                .filter(|line| line.contains(" model "))
                .collect();
            assert_eq!(models.len(), 2, "{tree}");
            assert!(models[1].contains("again 1"), "{tree}");
            assert!(
                tree.starts_with("agent guide turn 1 => 60+10 tokens"),
                "{tree}"
            );
        }
    }
}

/// Selected by its label, which the hook is told.
#[tokio::test]
async fn a_further_model_is_told_by_its_own_name() {
    let server = serve(answers(false)).await;
    let told = Told::default();
    let observer = observer(&told);
    let openai = config(&server.url("")).connect(Sends(hyper()));
    let large = observer.model("large", openai.chat("gpt-4o"));
    let agent = observer
        .agent(chat(&server.url("")))
        .name("guide")
        .model_route_handler("large", large)
        .build();
    let runner = agent.prompt("How is it?").using_model("large");
    soon(runner.run()).await.expect("an answer");
    assert!(server.bodies()[0].contains(r#""model":"gpt-4o""#));
    assert_tree(
        told.tree(),
        "
        agent guide turn 1 => 30+5 tokens stop ok
          model gpt-4o of openai with  => 30+5 tokens stop ok
        ",
    );
}

#[tokio::test]
async fn two_hooks_of_the_same_handlers_tell_a_run_once() {
    for streams in [false, true] {
        let server = serve(answers(streams)).await;
        let told = Told::default();
        let handlers = Handlers::new().with(told.clone());
        let hook = || RigObserver::new(&handlers).hook();
        let agent = AgentBuilder::new(chat(&server.url("")))
            .name("guide")
            .add_hook(hook())
            .add_hook(hook())
            .build();
        soon(ask(&agent, streams)).await.expect("an answer");
        assert_eq!(told.runs().len(), 2, "{:#?}", told.runs());
        assert_eq!(told.open(), 0);
    }
}

/// Handlers of the process and those of one call: each are told all of it.
#[tokio::test]
async fn hooks_of_other_handlers_tell_the_same_run() {
    let server = serve_each(vec![calls(false, "clock", "{}"), answers(false)]).await;
    let (told, others) = (Told::default(), Told::default());
    let agent = agent(By::All, &told, &server.url(""));
    let runner = agent.prompt("What time is it?");
    let runner = runner.add_hook(observer(&others).hook());
    soon(runner.run()).await.expect("an answer");
    let named = |told: &Told| {
        let runs = told.runs().into_iter();
        runs.map(|run| (run.component, run.end)).collect::<Vec<_>>()
    };
    assert_eq!(named(&told), named(&others));
    assert_eq!(told.runs().len(), 4);
}

#[tokio::test]
async fn where_nobody_listens_an_agent_runs_as_ever() {
    for streams in [false, true] {
        let turns = vec![calls(streams, "clock", "{}"), answers(streams)];
        let server = serve_each(turns).await;
        let nobody = RigObserver::new(&Handlers::new());
        let model = chat(&server.url(""));
        let agent = agent_of(By::All, &nobody, model, &Places::default());
        soon(ask(&agent, streams)).await.expect("an answer");
        assert!(server.bodies()[1].contains("noon"), "the tool's answer");
    }
}

/// Handlers and tools that are given twice, and three hooks.
#[tokio::test]
async fn what_is_observed_twice_is_told_once() {
    for streams in [false, true] {
        let oslo = calls(streams, "weather", r#"{"city":"Oslo"}"#);
        let server = serve_each(vec![oslo, answers(streams)]).await;
        let told = Told::default();
        let observer = observer(&told);
        let model = || chat(&server.url(""));
        let twice = observer.handler(observer.model("default", model()));
        let agent = AgentBuilder::named_model("default", model())
            .model_route_handler("default", twice)
            .name("guide")
            .tool(observer.tool(observer.tool(Weather)))
            .add_hook(observer.hook())
            .add_hook(observer.hook())
            .default_max_turns(3)
            .build();
        let runner = agent.prompt("How is it?");
        match streams {
            false => drop(soon(observer.run(runner)).await.expect("an answer")),
            true => {
                let items = futures_util::StreamExt::collect::<Vec<_>>(observer.stream(runner));
                assert!(soon(items).await.iter().all(Result::is_ok));
            }
        }
        let items = |count| match streams {
            true => format!(" {count} items"),
            false => String::new(),
        };
        assert_tree(
            told.tree(),
            &format!(
                r#"
                agent guide turn 1 => 34+7 tokens stop ok
                  model gpt-4o-mini of openai with weather =>{} weather:call_9 4+2 tokens tool_calls ok
                  tool weather call_9{{"city":"Oslo"}} => rain ok
                  model gpt-4o-mini of openai with weather =>{} 30+5 tokens stop ok
                "#,
                items(1),
                items(2),
            ),
        );
    }
}

/// An index of nothing.
struct Nothing;

impl VectorStoreIndex for Nothing {
    type Filter = Filter<serde_json::Value>;

    async fn top_n<T: DeserializeOwned + Send>(
        &self,
        _: VectorSearchRequest,
    ) -> Result<Vec<VectorSearchResult<T>>, VectorStoreError> {
        Ok(Vec::new())
    }

    async fn top_n_ids(
        &self,
        _: VectorSearchRequest,
    ) -> Result<Vec<VectorSearchIdResult>, VectorStoreError> {
        Ok(Vec::new())
    }
}

/// rig says of none whose it is, so that it is nobody's while there are two.
#[tokio::test]
async fn documents_of_runs_side_by_side_are_not_told_within_the_wrong_one() {
    let server = serve(answers(false)).await;
    let told = Told::default();
    let observer = observer(&told);
    let agent = observer
        .agent(chat(&server.url("")))
        .name("guide")
        .dynamic_context_handler(1, observer.handler(RetrieveAdapter::new(Nothing)))
        .build();
    let runs = (0..4).map(|_| agent.prompt("How is it?").run());
    for run in soon(futures_util::future::join_all(runs)).await {
        run.expect("an answer");
    }
    assert_eq!(told.open(), 0);
    let runs = told.runs();
    let (mut agents, mut looked_up) = (0, 0);
    for run in &runs {
        match run.component {
            Component::Agent => agents += 1,
            // All of them are there before the first of them has its answer.
            Component::Retriever if agents > 1 => {
                looked_up += 1;
                assert_eq!(run.parent, None, "{runs:#?}");
            }
            _ => {}
        }
    }
    assert_eq!((agents, looked_up > 0), (4, true), "{runs:#?}");
}
