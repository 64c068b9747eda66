//! Tokens counted here.
fn main() {}
