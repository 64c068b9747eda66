//! Where things run: agents within tools, tools that spawn, agents side by side, and what is polled in whose run.

use crate::answers::{answers, asks, calls};
use crate::scripted::{serve, serve_each, soon};
use crate::support::{
    BY, By, Clock, Places, Weather, agent, agent_of, ask, chat, chat_in, observer,
};
use crate::told::{Run, Told};
use futures_util::StreamExt;
use obs_agent::adapters::rig::RigObserver;
use obs_agent::{Component, Handlers, Input, RunInfo, RunParent, current};
use obs_testing::assert_tree;
use rig_agent::agent::{
    Agent, AgentBuilder, AgentHook, CompletionCallAction, CompletionCallEvent, HookContext,
};
use rig_agent::bus::Bus;
use rig_core::tool::{PortableTool, ToolExecutionError};
use std::collections::HashSet;
use tokio::task::JoinHandle;

#[tokio::test]
async fn requests_and_tools_are_within_the_runs_that_they_are_of() {
    for streams in [false, true] {
        let server = serve_each(vec![asks(streams), answers(streams)]).await;
        let told = Told::default();
        let places = Places::default();
        let model = chat_in(&server.url(""), &places);
        let agent = agent_of(By::All, &observer(&told), model, &places);
        soon(ask(&agent, streams)).await.expect("an answer");
        let asked = "gpt-4o-mini";
        assert_eq!(places.take(), [asked, "clock", "clock", asked]);
    }
}

/// Runs of one agent are polled by whichever of them has its turn: nothing ambient could tell whose request it is.
#[tokio::test]
async fn runs_of_one_agent_side_by_side_keep_apart() {
    for by in BY {
        let server = serve(answers(true)).await;
        let told = Told::default();
        let places = Places::default();
        let model = chat_in(&server.url(""), &places);
        let agent = agent_of(by, &observer(&told), model, &places);
        let runs = (0..8).map(|_| ask(&agent, true));
        for asked in soon(futures_util::future::join_all(runs)).await {
            asked.expect("an answer");
        }
        let tree = told.tree();
        let one = "\
agent guide turn 1 => 30+5 tokens stop ok
  model gpt-4o-mini of openai with weather,clock => 2 items 30+5 tokens stop ok
";
        assert_eq!(tree, one.repeat(8));
        let runs: HashSet<_> = places.runs().into_iter().flatten().collect();
        let of_models = told.runs().into_iter();
        let of_models = of_models.filter(|run| run.component == Component::Model);
        let of_models: HashSet<_> = of_models.map(|run| run.id).collect();
        match by {
            By::Hook => assert!(runs.is_empty(), "they are nowhere"),
            By::All => assert_eq!(runs, of_models, "each is sent within its own"),
        }
    }
}

/// Whoever polls the bus just then, on whichever thread, and whoever goes in the middle of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_one_agent_on_several_threads_keep_apart_and_end() {
    for by in BY {
        let server = serve(answers(true)).await;
        let told = Told::default();
        let agent = agent(by, &told, &server.url(""));
        let runs = (0..32_usize).map(|run| {
            let agent = agent.clone();
            tokio::spawn(async move {
                let mut items = agent.prompt("How is it?").stream();
                let items_wanted = if run % 2 == 0 { usize::MAX } else { run % 5 };
                for _ in 0..items_wanted {
                    match items.next().await {
                        Some(item) => drop(item.expect("unbroken")),
                        None => break,
                    }
                }
            })
        });
        for run in soon(futures_util::future::join_all(runs)).await {
            run.expect("no panic");
        }
        assert_eq!(told.open(), 0, "{:#?}", told.runs());
        let runs = told.runs();
        let of = |component| runs.iter().filter(move |run| run.component == component);
        let whole = of(Component::Agent).filter(|run| run.end.as_deref() == Some("ok"));
        assert!(whole.count() >= 16, "those that were read to their end");
        let mut within = HashSet::new();
        for model in of(Component::Model) {
            assert!(within.insert(model.parent), "each agent's run has its own");
            let parent = runs.iter().find(|run| Some(run.id) == model.parent);
            assert_eq!(parent.map(|run| run.component), Some(Component::Agent));
        }
    }
}

/// Another agent, as a tool.
struct Asks(Agent);

impl PortableTool for Asks {
    const NAME: &'static str = "clock";
    type Args = serde_json::Value;
    type Output = String;
    type Error = ToolExecutionError;

    fn description(&self) -> String {
        "Another agent.".to_owned()
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({"type": "object", "properties": {}})
    }

    async fn call(&self, _: serde_json::Value) -> Result<String, ToolExecutionError> {
        let answer = self.0.prompt("What time is it?").run().await;
        let answer = answer.map_err(ToolExecutionError::from_error)?;
        Ok(answer.output())
    }
}

#[tokio::test]
async fn an_agent_that_is_a_tool_of_another_is_within_its_call() {
    let server = serve_each(vec![calls(false, "clock", "{}"), answers(false)]).await;
    let told = Told::default();
    let within = observer(&told)
        .agent(chat(&server.url("")))
        .name("watch")
        .build();
    let outer = observer(&told);
    let agent = outer
        .agent(chat(&server.url("")))
        .name("guide")
        .tool(outer.tool(Asks(within)))
        .build();
    soon(agent.prompt("When?").max_turns(3).run())
        .await
        .expect("an answer");
    assert_tree(
        told.tree(),
        "
        agent guide turn 1 => 34+7 tokens stop ok
          model gpt-4o-mini of openai with clock => clock:call_9 4+2 tokens tool_calls ok
          tool clock call_9{} => Rain at noon. ok
            agent watch turn 1 => 30+5 tokens stop ok
              model gpt-4o-mini of openai with  => 30+5 tokens stop ok
          model gpt-4o-mini of openai with clock => 30+5 tokens stop ok
        ",
    );
}

/// A tool whose work is another task's.
struct Spawns(Handlers);

impl PortableTool for Spawns {
    const NAME: &'static str = "clock";
    type Args = serde_json::Value;
    type Output = String;
    type Error = ToolExecutionError;

    fn description(&self) -> String {
        "Elsewhere.".to_owned()
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::json!({"type": "object", "properties": {}})
    }

    async fn call(&self, _: serde_json::Value) -> Result<String, ToolExecutionError> {
        let run = current::run().expect("the tool's");
        let handlers = self.0.clone();
        let spawned = tokio::spawn(run.wrap(async move {
            tokio::task::yield_now().await;
            let info = RunInfo::new(Component::Lambda, "elsewhere");
            let run = handlers.start(info, RunParent::Current, &Input::Node(Default::default()));
            run.end(&obs_agent::Output::Node(Default::default()));
        }));
        spawned.await.map_err(ToolExecutionError::from_error)?;
        Ok("noon".to_owned())
    }
}

#[tokio::test]
async fn what_a_tool_spawns_is_within_its_run() {
    let server = serve_each(vec![calls(false, "clock", "{}"), answers(false)]).await;
    let told = Told::default();
    let handlers = Handlers::new().with(told.clone());
    let observer = RigObserver::new(&handlers);
    let agent = observer
        .agent(chat(&server.url("")))
        .tool(observer.tool(Spawns(handlers)))
        .build();
    soon(agent.prompt("When?").max_turns(3).run())
        .await
        .expect("an answer");
    let elsewhere = told.run("elsewhere");
    assert_eq!(elsewhere.parent, Some(told.run("clock").id));
}

#[tokio::test]
async fn tools_side_by_side_are_each_within_their_own_run() {
    let server = serve_each(vec![asks(false), answers(false)]).await;
    let told = Told::default();
    let agent = agent(By::All, &told, &server.url(""));
    let runner = agent.prompt("How is it?").tool_concurrency(2);
    soon(runner.run()).await.expect("an answer");
    let guide = told.run("guide").id;
    for name in ["weather", "clock"] {
        assert_eq!(told.run(name).parent, Some(guide));
    }
}

/// A hook that does something of its own.
struct Works(Places);

impl AgentHook for Works {
    async fn on_completion_call(
        &self,
        _: &HookContext,
        _: CompletionCallEvent<'_>,
    ) -> CompletionCallAction {
        self.0.here();
        CompletionCallAction::Continue
    }
}

#[tokio::test]
async fn what_other_hooks_do_is_within_the_agent_s_run_where_that_is_driven_here() {
    for by in BY {
        let server = serve(answers(true)).await;
        let told = Told::default();
        let places = Places::default();
        let observer = observer(&told);
        let agent = agent_of(by, &observer, chat(&server.url("")), &places);
        let runner = || agent.prompt("How is it?").add_hook(Works(places.clone()));
        let items: Vec<_> = soon(observer.stream(runner()).collect()).await;
        assert!(items.iter().all(Result::is_ok), "{items:?}");
        assert_eq!(places.take(), ["guide"]);
        let named = |run: &Run| run.name == "guide";
        assert_eq!(told.runs().iter().filter(|run| named(run)).count(), 1);

        soon(ask(&agent, true)).await.expect("an answer");
        assert_eq!(places.take(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_agent_that_has_no_hook_is_told_of_where_it_is_driven_here() {
    let server = serve(answers(false)).await;
    let told = Told::default();
    let agent = AgentBuilder::new(chat(&server.url("")))
        .name("guide")
        .build();
    let driven = observer(&told).run(agent.prompt("How is it?"));
    soon(driven).await.expect("an answer");
    assert_tree(
        told.tree(),
        "
        agent guide turn 1 => 30+5 tokens stop ok
          model  with  => 30+5 tokens stop ok
        ",
    );
    soon(agent.prompt("And now?").run())
        .await
        .expect("an answer");
    assert_eq!(told.runs().len(), 2, "that one is not");
}

#[tokio::test]
async fn a_hook_can_be_told_what_its_runs_are_part_of() {
    let server = serve(answers(false)).await;
    let told = Told::default();
    let handlers = Handlers::new().with(told.clone());
    let info = RunInfo::new(Component::Workflow, "day");
    let day = handlers.start(info, RunParent::Root, &Input::Node(Default::default()));
    let hook = RigObserver::new(&handlers).hook();
    let hook = hook.within(day.reference().expect("it is told"));
    let agent = AgentBuilder::new(chat(&server.url("")))
        .name("guide")
        .build();
    let runner = agent.prompt("How is it?").add_hook(hook);
    soon(tokio::spawn(runner.run()))
        .await
        .expect("no panic")
        .expect("an answer");
    day.end(&obs_agent::Output::Node(Default::default()));
    assert_eq!(told.run("guide").parent, Some(told.run("day").id));
}

/// Each bus counts its dispatches from one, so that two agents' are the same to who knows their numbers only.
#[tokio::test]
async fn two_agents_of_one_observer_are_told_as_by_hooks_alone() {
    let server = serve(answers(true)).await;
    let told = Told::default();
    let places = Places::default();
    let observer = observer(&told);
    let agents = [(); 4].map(|()| {
        let model = chat_in(&server.url(""), &places);
        agent_of(By::All, &observer, model, &places)
    });
    let runs = agents.iter().map(|agent| ask(agent, true));
    for asked in soon(futures_util::future::join_all(runs)).await {
        asked.expect("an answer");
    }
    let runs = told.runs();
    assert_eq!(told.open(), 0);
    assert_eq!(runs.len(), 8, "nothing is told twice: {runs:#?}");
    let agents = runs.iter().filter(|run| run.component == Component::Agent);
    for agent in agents {
        let within = runs.iter().filter(|run| run.parent == Some(agent.id));
        assert_eq!(within.count(), 1, "{runs:#?}");
    }
}

#[tokio::test]
async fn a_tool_that_is_called_by_hand_is_a_run_too() {
    let told = Told::default();
    let observer = observer(&told);
    let places = Places::default();
    let tools = rig_agent::tool::ToolSet::from_tools(vec![observer.tool(Clock(places.clone()))]);
    let mut context = rig_core::tool::ToolContext::new();
    let result = tools.execute("clock", "{}".to_owned(), &mut context).await;
    assert!(result.is_success());
    assert_eq!(places.take(), ["clock", "clock"]);
    let failing = rig_agent::tool::ToolSet::from_tools(vec![observer.tool(Weather)]);
    let lost = r#"{"city":"Atlantis"}"#.to_owned();
    let result = failing.execute("weather", lost, &mut context).await;
    assert!(result.is_error());
    assert_tree(
        told.tree(),
        "
        tool clock => ok
        tool weather => Failed
        ",
    );
}

/// An agent on a bus that a task of its own drives.
fn hosted(told: &Told, url: &str) -> (Agent, JoinHandle<()>) {
    let (dispatcher, registrar, driver) = Bus::channel();
    let observer = observer(told);
    let model = observer.model("host", chat(url));
    registrar.register("model:host", model).expect("it is free");
    let agent = AgentBuilder::over_bus(dispatcher, registrar, "host", "model:host".into())
        .name("guide")
        .default_max_turns(3)
        .tool(observer.tool(Weather))
        .add_hook(observer.hook())
        .build();
    (agent, tokio::spawn(driver))
}

#[tokio::test]
async fn on_a_bus_of_the_host_s_a_run_is_told_as_on_its_own() {
    for streams in [false, true] {
        let oslo = calls(streams, "weather", r#"{"city":"Oslo"}"#);
        let server = serve_each(vec![oslo, answers(streams)]).await;
        let told = Told::default();
        let (agent, driver) = hosted(&told, &server.url(""));
        soon(ask(&agent, streams)).await.expect("an answer");
        let tree = told.tree();
        let items = |count| match streams {
            true => format!(" {count} items"),
            false => String::new(),
        };
        assert_tree(
            tree,
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
        driver.abort();
    }
}

/// It takes the bus with it, and not the agent's run: that has no answer.
#[tokio::test]
async fn a_tool_that_panics_on_a_bus_of_the_host_s_is_told_of_its_panic() {
    let server = serve(calls(false, "weather", r#"{"city":"Babel"}"#)).await;
    let told = Told::default();
    let (agent, driver) = hosted(&told, &server.url(""));
    soon(ask(&agent, false)).await.expect_err("no answer");
    assert!(soon(driver).await.expect_err("it panics").is_panic());
    assert_eq!(told.run("weather").end.as_deref(), Some("Panicked panic"));
    let agent = told.run("guide").end.expect("it has ended");
    assert!(agent.starts_with("Failed"), "{agent}");
    assert_eq!(told.open(), 0);
}
