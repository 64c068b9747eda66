//! Systems without Linux's `/proc`: nothing beyond `getrusage`.

use super::Reading;

#[derive(Debug)]
pub(super) struct Proc;

impl Proc {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn read(&mut self) -> Reading {
        Reading::default()
    }
}
