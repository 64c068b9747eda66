//! One exchange from its head to the end of its body: what both sides do alike.

pub(crate) mod body;
pub(crate) mod future;
pub(crate) mod settings;
pub(crate) mod side;
