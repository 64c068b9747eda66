//! What is read of requests while they pass.

mod hostile;
mod oracle;
mod told;
mod wires;
