//! The assistant as its users run it: two processes of two services, seen from outside.

mod ends;
mod program;
mod shown;
mod together;
