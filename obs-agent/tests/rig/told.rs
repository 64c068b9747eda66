//! What handlers were told, as a tree.

use obs_agent::{
    Component, Handler, Input, Item, Output, RunError, RunId, RunRef, Starting, State,
};
use obs_llm::{Tokens, Usage};
use std::fmt::Write;
use std::sync::{Arc, Mutex};

/// A run, as far as it was told.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) parent: Option<RunId>,
    pub(crate) component: Component,
    pub(crate) name: String,
    asked: String,
    items: u32,
    said: String,
    pub(crate) usage: Option<Usage>,
    pub(crate) end: Option<String>,
}

/// Writes down what it is told. Clones write to the same place.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<Run>>>);

impl Told {
    pub(crate) fn runs(&self) -> Vec<Run> {
        self.0.lock().unwrap().clone()
    }

    /// The only run of this name.
    #[track_caller]
    pub(crate) fn run(&self, name: &str) -> Run {
        let runs = self.runs();
        let mut named = runs.iter().filter(|run| run.name == name);
        let run = named.next().expect("it is there").clone();
        assert!(named.next().is_none(), "another {name}: {runs:#?}");
        run
    }

    /// Those that have not ended.
    pub(crate) fn open(&self) -> usize {
        self.runs().iter().filter(|run| run.end.is_none()).count()
    }

    /// Tokens of all calls of models.
    pub(crate) fn tokens(&self, tokens: Tokens) -> u64 {
        let runs = self.runs();
        let models = runs.iter().filter(|run| run.component == Component::Model);
        models.filter_map(|run| run.usage?.get(tokens)).sum()
    }

    /// All runs, each of which has ended, in the order in which they began.
    #[track_caller]
    pub(crate) fn tree(&self) -> String {
        let runs = self.runs();
        assert_eq!(self.open(), 0, "each has ended: {runs:#?}");
        let mut tree = String::new();
        Self::write(&runs, None, 0, &mut tree);
        assert_eq!(
            tree.lines().count(),
            runs.len(),
            "parents are there: {runs:#?}"
        );
        tree
    }

    fn write(runs: &[Run], parent: Option<RunId>, depth: usize, tree: &mut String) {
        for run in runs.iter().filter(|run| run.parent == parent) {
            let (asked, said) = (&run.asked, &run.said);
            let end = run.end.as_deref().unwrap_or_default();
            let streamed = match run.items {
                0 => String::new(),
                items => format!(" {items} items"),
            };
            let indent = depth * 2;
            let _ = writeln!(
                tree,
                "{:indent$}{} {}{asked} =>{streamed}{said} {end}",
                "", run.component, run.name
            );
            Self::write(runs, Some(run.id), depth + 1, tree);
        }
    }

    fn of(&self, id: RunId, change: impl FnOnce(&mut Run)) {
        let mut runs = self.0.lock().unwrap();
        let run = runs.iter_mut().find(|run| run.id == id);
        let run = run.expect("it has begun");
        assert_eq!(run.end, None, "it has not ended");
        change(run);
    }

    fn end(&self, id: RunId, end: String) {
        self.of(id, |run| run.end = Some(end));
    }
}

fn tokens(usage: &Usage) -> String {
    let count = |tokens| usage.get(tokens).unwrap_or_default();
    format!(" {}+{} tokens", count(Tokens::Input), count(Tokens::Output))
}

impl Handler for Told {
    fn on_start(&self, run: &mut Starting<'_>, input: &Input<'_>) -> State {
        let mut asked = String::new();
        match input {
            Input::Model(input) => {
                if let Some(provider) = input.provider {
                    let _ = write!(asked, " of {provider}");
                }
                let _ = write!(asked, " with {}", input.tools.join(","));
            }
            Input::Tool(input) => {
                if let Some(id) = input.call_id {
                    let _ = write!(asked, " {id}");
                }
                if let Some(arguments) = input.arguments {
                    arguments.with(|arguments| asked.push_str(arguments));
                }
            }
            Input::Agent(input) => {
                if let Some(conversation) = input.conversation_id {
                    let _ = write!(asked, " in {conversation}");
                }
                if let Some(turn) = input.turn {
                    let _ = write!(asked, " turn {turn}");
                }
            }
            Input::Retriever(input) => {
                let query = input.query.expect("rig has one");
                query.with(|query| asked = format!(" {query} top {:?}", input.top_k));
            }
            Input::Memory(input) => {
                asked = format!("{:?} {:?}", input.operation, input.records);
            }
            Input::Embedding(input) => asked = format!(" {:?} texts", input.texts),
            other => asked = format!(" {other:?}"),
        }
        let info = *run.info();
        if info.attempt > 0 {
            let _ = write!(asked, " again {}", info.attempt);
        }
        self.0.lock().unwrap().push(Run {
            id: run.id(),
            parent: run.parent().map(RunRef::id),
            component: info.component,
            name: info.name.to_owned(),
            asked,
            items: 0,
            said: String::new(),
            usage: None,
            end: None,
        });
        State::none()
    }

    fn on_end(&self, run: &RunRef, _: &mut State, output: &Output<'_>) {
        let mut said = String::new();
        let mut told = None;
        match output {
            Output::Model(output) => {
                for call in output.tool_calls {
                    let _ = write!(said, " {}:{}", call.name, call.id.unwrap_or("-"));
                }
                told = output.usage;
                said.push_str(&told.as_ref().map(tokens).unwrap_or_default());
                let _ = write!(said, " {}", output.finish_reasons.join(","));
            }
            Output::Agent(output) => {
                told = output.usage;
                said.push_str(&told.as_ref().map(tokens).unwrap_or_default());
                let _ = write!(said, " {}", output.finish_reason.unwrap_or("-"));
            }
            Output::Tool(output) => {
                if let Some(result) = output.result {
                    result.with(|result| said = format!(" {result}"));
                }
            }
            Output::Documents(output) => said = format!(" {:?}", output.count),
            Output::Memory(output) => said = format!(" {:?}", output.count),
            Output::Embedding(output) => {
                told = output.usage;
                said.push_str(&told.as_ref().map(tokens).unwrap_or_default());
            }
            Output::Streamed => {}
            other => said = format!(" {other:?}"),
        }
        self.of(run.id(), |run| {
            run.said.push_str(&said);
            run.usage = told.or(run.usage);
        });
        self.end(run.id(), "ok".to_owned());
    }

    fn on_error(&self, run: &RunRef, _: &mut State, error: &RunError<'_>) {
        self.end(run.id(), format!("{:?} {}", error.end, error.kind));
    }

    fn on_output_item(&self, run: &RunRef, _: &mut State, item: &Item<'_>) {
        let Item::Model(chunk) = item else {
            panic!("rig streams models alone");
        };
        self.of(run.id(), |run| {
            run.items += u32::from(chunk.content.is_some());
            if let Some(call) = chunk.tool_call {
                let _ = write!(run.said, " {}:{}", call.name, call.id.unwrap_or("-"));
            }
            if let Some(usage) = chunk.usage {
                run.usage = Some(*usage);
                run.said.push_str(&tokens(usage));
            }
            if let Some(reason) = chunk.finish_reason {
                let _ = write!(run.said, " {reason}");
            }
        });
    }
}
