//! Tools that are called within their runs.

use super::RigObserver;
use super::links::Link;
use super::told;
use crate::component::Component;
use crate::current;
use crate::failure::RunError;
use crate::input::{Input, ToolInput};
use crate::output::{Output, ToolOutput};
use crate::run::{RunInfo, RunParent};
use rig_agent::bus::Dispatcher;
use rig_core::serde_json::Value;
use rig_core::tool::{Tool, ToolContext, ToolExecutionError};

/// A tool that is called within its run: see [`RigObserver::tool`].
#[derive(Clone, Debug)]
pub struct ObservedTool<T> {
    inner: T,
    observer: RigObserver,
}

impl<T> ObservedTool<T> {
    pub(super) fn new(inner: T, observer: &RigObserver) -> Self {
        Self {
            inner,
            observer: observer.clone(),
        }
    }

    /// The tool inside.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The tool inside.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: Tool> Tool for ObservedTool<T> {
    const NAME: &'static str = T::NAME;
    type Args = T::Args;
    type Output = T::Output;
    type Error = T::Error;

    fn description(&self) -> String {
        self.inner.description()
    }

    fn parameters(&self) -> Value {
        self.inner.parameters()
    }

    fn map_error(&self, error: T::Error) -> ToolExecutionError {
        self.inner.map_error(error)
    }

    async fn call(&self, context: &mut ToolContext, args: T::Args) -> Result<T::Output, T::Error> {
        let dispatcher = context.scope::<Dispatcher>();
        let id = dispatcher.and_then(|dispatcher| dispatcher.parent());
        let link = id.map_or(Ok(None), |id| self.observer.links.get(id));
        let around = match link {
            Ok(Some(Link::Run(child, _))) => child.reference().cloned(),
            Ok(Some(Link::Around(run))) => run,
            Ok(None) if !self.is_current() => return self.called_by_hand(context, args).await,
            Ok(None) | Err(_) => None,
        };
        let call = self.inner.call(context, args);
        match around {
            Some(around) => around.wrap(call).await,
            None => call.await,
        }
    }
}

impl<T: Tool> ObservedTool<T> {
    /// Whether somebody around tells this call already.
    fn is_current(&self) -> bool {
        current::run().is_some_and(|run| {
            let info = run.info();
            info.component == Component::Tool && info.name == T::NAME
        })
    }

    /// By no agent that is observed: what it is asked, and what it gives, only the tool can read.
    async fn called_by_hand(
        &self,
        context: &mut ToolContext,
        args: T::Args,
    ) -> Result<T::Output, T::Error> {
        let run = self.observer.handlers.start(
            RunInfo::new(Component::Tool, T::NAME).with_kind(told::KIND),
            RunParent::Current,
            &Input::Tool(ToolInput::default()),
        );
        let result = run.wrap(self.inner.call(context, args)).await;
        match &result {
            Ok(_) => run.end(&Output::Tool(ToolOutput::default())),
            Err(error) => run.fail(&RunError::failed("").with_message(error)),
        }
        result
    }
}
