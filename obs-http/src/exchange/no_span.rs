//! The twin of `span.rs` where the feature `tracing` is off: nothing, of no size.

use super::carried::Said;
use obs_core::{Operation, Outcome};
use std::marker::PhantomData;

#[derive(Clone, Debug, Default)]
pub(crate) struct SpanSetting(());

impl SpanSetting {
    #[inline(always)]
    pub(crate) const fn is_on(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn open(&self, _operation: &mut Operation, _said: &Said<'_>) -> OperationSpan {
        OperationSpan::NONE
    }
}

#[derive(Debug)]
pub(crate) struct OperationSpan;

impl OperationSpan {
    pub(crate) const NONE: Self = Self;

    #[inline(always)]
    pub(crate) const fn is_some(&self) -> bool {
        false
    }

    #[inline(always)]
    pub(crate) fn enter(&self) -> EnteredSpan<'_> {
        EnteredSpan(PhantomData)
    }

    #[inline(always)]
    pub(crate) fn answered(&self, _status: http::StatusCode) {}

    #[inline(always)]
    pub(crate) fn end(&mut self, _outcome: Outcome) {}
}

pub(crate) struct EnteredSpan<'a>(PhantomData<&'a ()>);

impl EnteredSpan<'_> {
    #[inline(always)]
    pub(crate) fn leave(self) {}
}
