//! Set-up: what the process environment says, and who is speaking.

pub mod environment;
pub mod resource;
