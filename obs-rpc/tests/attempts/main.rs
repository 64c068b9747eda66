//! Retries and hedges over a real server: one call, and an operation of its own for each attempt.
#![cfg(feature = "tonic")]

#[path = "../support/echo.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod echo;

mod counting;
mod hedges;
mod retries;
mod rig;
mod streams;
