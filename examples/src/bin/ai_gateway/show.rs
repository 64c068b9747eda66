//! The gateway from outside.

use crate::Result;

pub(crate) fn run() -> Result<()> {
    Err("not yet".into())
}
