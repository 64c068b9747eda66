//! What is within a span is within its run: runs, operations of obs-core, and what OpenTelemetry has.

use super::recorded::{Log, lines, rig_agent, rig_tool, subscriber};
use obs_agent::normalise::Normaliser;
use obs_agent::obs_core::current as operation;
use obs_agent::obs_core::{ContextMode, Kind, Labels, Outcome, Parent};
use obs_agent::{
    AgentObserver, Component, Handlers, Input, Output, RunInfo, RunParent, current, input, output,
};
use obs_testing::Capture;
use tracing::Instrument;

struct World {
    capture: Capture,
    observer: AgentObserver,
    handlers: Handlers,
}

impl World {
    fn new(mode: ContextMode) -> Self {
        let capture = Capture::builder().with_context_mode(mode).build();
        let observer = AgentObserver::new(capture.telemetry());
        let handlers = Handlers::new().with(observer.clone());
        Self {
            capture,
            observer,
            handlers,
        }
    }

    fn with<R>(&self, work: impl FnOnce() -> R) -> R {
        let subscriber = subscriber(Normaliser::new(&self.handlers));
        tracing::subscriber::with_default(subscriber, work)
    }

    /// An operation that begins where it is called, as a layer of any crate's does.
    fn operation(&self) {
        operate(self.observer.kind(Component::Tool));
    }

    fn tool(&self, name: &str) -> obs_agent::Run {
        let input = Input::Tool(input::ToolInput::default());
        let info = RunInfo::new(Component::Tool, name);
        self.handlers.start(info, RunParent::Current, &input)
    }

    fn tree(&self) -> String {
        let tree = self.capture.tree().without_attributes().to_string();
        tree.trim_end().to_owned()
    }
}

fn operate(kind: &'static Kind) {
    let named = Some((0, "own"));
    let operation = kind.start_with(Labels::NONE, named, Parent::Current);
    operation.end(Outcome::ANSWERED);
}

fn over(run: obs_agent::Run) {
    run.end(&Output::Tool(output::ToolOutput::default()));
}

#[test]
fn an_operation_in_a_span_is_within_its_run() {
    for mode in [ContextMode::Full, ContextMode::IdsOnly] {
        let world = World::new(mode);
        world.with(|| {
            let agent = rig_agent();
            agent.in_scope(|| world.operation());
            // Beside it, nothing is.
            world.operation();
        });
        let expect = [
            "  execute_tool own [internal]",
            "  invoke_agent assistant [internal]\n    execute_tool own [internal]",
        ];
        assert_eq!(traces(&world.tree()), expect, "{mode:?}");
    }
}

/// Traces, by their names.
fn traces(tree: &str) -> Vec<String> {
    let traces = tree.split("trace ").skip(1);
    let lines = traces.map(|trace| trace.split_once('\n').map_or("", |(_, lines)| lines));
    let mut traces: Vec<String> = lines.map(|lines| lines.trim_end().to_owned()).collect();
    traces.sort();
    traces
}

#[test]
fn runs_and_spans_nest_either_way() {
    for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
        let world = World::new(mode);
        world.with(|| {
            let outer = world.tool("outer");
            outer.in_scope(|| {
                let agent = rig_agent();
                agent.in_scope(|| {
                    let inner = world.tool("inner");
                    inner.in_scope(|| {
                        let tool = rig_tool();
                        tool.record("gen_ai.tool.name", "innermost");
                        tool.in_scope(|| over(world.tool("last")));
                    });
                    over(inner);
                });
            });
            over(outer);
        });
        let expect = lines(
            "
            trace 1
              execute_tool outer [internal]
                invoke_agent assistant [internal]
                  execute_tool inner [internal]
                    execute_tool innermost [internal]
                      execute_tool last [internal]
            ",
        );
        assert_eq!(world.tree(), expect, "{mode:?}");
    }
}

#[test]
fn a_span_follows_its_future_to_other_threads_and_parallel_ones_do_not_mix() {
    let log = Log::default();
    let world = World::new(ContextMode::Full);
    let handlers = world.handlers.clone().with(log.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .build()
        .unwrap();
    let dispatch = tracing::Dispatch::new(subscriber(Normaliser::new(&handlers)));
    let agents: Vec<_> = (0..8)
        .map(|number| {
            let span = tracing::dispatcher::with_default(&dispatch, || {
                let name = format!("a{number}");
                tracing::info_span!(
                    target: "genai::otel",
                    "invoke_agent",
                    gen_ai.operation.name = "invoke_agent",
                    gen_ai.agent.name = name,
                )
            });
            let (kind, dispatch) = (world.observer.kind(Component::Tool), dispatch.clone());
            let handlers = handlers.clone();
            let work = async move {
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                    let run = current::run().expect("the span's");
                    assert_eq!(run.info().name, format!("a{number}"));
                    operate(kind);
                    let info = RunInfo::new(Component::Tool, "t");
                    let input = Input::Tool(input::ToolInput::default());
                    over(handlers.start(info, RunParent::Current, &input));
                }
                assert!(current::run().is_some());
            };
            use tracing::instrument::WithSubscriber;
            runtime.spawn(work.instrument(span).with_subscriber(dispatch))
        })
        .collect();
    runtime.block_on(async {
        for agent in agents {
            agent.await.expect("nothing panics");
        }
    });
    drop(runtime);
    drop(dispatch);
    let traces = traces(&world.tree());
    assert_eq!(traces.len(), 8, "{traces:#?}");
    for (number, trace) in traces.iter().enumerate() {
        let mut lines = trace.lines();
        let root = format!("  invoke_agent a{number} [internal]");
        assert_eq!(lines.next(), Some(&*root));
        assert!(
            lines
                .clone()
                .all(|line| line.starts_with("    execute_tool ")),
            "{trace}"
        );
        assert_eq!(lines.count(), 40, "{trace}");
    }
}

#[test]
fn guards_may_go_in_any_order() {
    let world = World::new(ContextMode::Full);
    world.with(|| {
        let (first, second) = (rig_agent(), rig_tool());
        second.record("gen_ai.tool.name", "t");
        let outer = first.enter();
        let inner = second.enter();
        drop(outer);
        world.operation();
        drop(inner);
        assert!(current::run().is_none());
        world.operation();
    });
    assert!(operation::handle().is_none());
    let names: Vec<String> = world
        .capture
        .records()
        .into_iter()
        .map(|record| record.name)
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn nothing_is_around_where_no_span_is() {
    let world = World::new(ContextMode::Full);
    world.with(|| {
        let other = tracing::info_span!("request");
        other.in_scope(|| assert!(current::run().is_none()));
        let agent = rig_agent();
        agent.in_scope(|| assert!(current::run().is_some()));
        assert!(current::run().is_none());
    });
}

/// Of a run that is polled within a span: what the user has open there is around the runs that begin in it.
#[test]
fn what_is_open_in_a_run_stands_between_though_a_span_is_around() {
    for mode in [ContextMode::Full, ContextMode::IdsOnly, ContextMode::Off] {
        let world = World::new(mode);
        world.with(|| {
            rig_agent().in_scope(|| {
                let outer = world.tool("outer");
                outer.in_scope(|| {
                    let kind = world.observer.kind(Component::Tool);
                    let mut own = kind.start_with(Labels::NONE, Some((0, "own")), Parent::Current);
                    let handle = own.handle().expect("it goes on");
                    handle.in_scope(|| over(world.tool("inner")));
                    own.end(Outcome::ANSWERED);
                });
                over(outer);
            });
        });
        let expect = lines(
            "
            trace 1
              invoke_agent assistant [internal]
                execute_tool outer [internal]
                  execute_tool own [internal]
                    execute_tool inner [internal]
            ",
        );
        assert_eq!(world.tree(), expect, "{mode:?}");
    }
}

/// It begins late, since it says late what it is of; it is entered all the same.
#[test]
fn an_operation_in_a_span_that_has_begun_late_is_within_its_run() {
    for mode in [ContextMode::Full, ContextMode::IdsOnly] {
        let world = World::new(mode);
        world.with(|| {
            let chat = super::recorded::rig_chat();
            chat.in_scope(|| {
                let tool = rig_tool();
                tool.record("gen_ai.tool.name", "t");
                drop(tool);
                world.operation();
            });
        });
        let tree = world.tree();
        assert_eq!(traces(&tree).len(), 1, "{mode:?}: {tree}");
    }
}

/// What begins within it makes it begin, too, and is not in its way.
#[test]
fn a_span_that_has_begun_late_is_not_within_what_is_within_it() {
    for mode in [ContextMode::Full, ContextMode::IdsOnly] {
        let world = World::new(mode);
        world.with(|| {
            let chat = super::recorded::rig_chat();
            chat.in_scope(|| {
                let outer = world.tool("outer");
                let none = super::recorded::rig_chat();
                none.in_scope(|| {
                    outer.in_scope(|| {
                        let tool = rig_tool();
                        tool.record("gen_ai.tool.name", "t");
                        drop(tool);
                        world.operation();
                    });
                });
                over(outer);
            });
        });
        let tree = world.tree();
        let line = tree.lines().find(|line| line.contains("own"));
        let outer = tree.lines().find(|line| line.contains("outer"));
        let depth = |line: Option<&str>| line.map(|line| line.len() - line.trim_start().len());
        assert_eq!(
            depth(line),
            depth(outer).map(|depth| depth + 2),
            "{mode:?}: {tree}"
        );
    }
}
