//! The assistant as its users run it: three processes of three services, seen from outside.

mod ends;
mod program;
mod shown;
mod theirs;
mod together;
