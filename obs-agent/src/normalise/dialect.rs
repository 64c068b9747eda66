//! Whose words a span is told in.

use super::attributes::Attributes;
use super::table;

/// Whose words a span is told in, where that makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// The conventions', of whichever version.
    Conventions,
    /// OpenInference's.
    OpenInference,
    /// OpenLLMetry's.
    OpenLlmetry,
    /// Those of Vercel's AI SDK.
    Vercel,
    /// LangSmith's.
    LangSmith,
    /// langchain-rust's own fields.
    LangChainRust,
    /// adk-rust's.
    Adk,
    /// swiftide's.
    Swiftide,
}

/// Which crates a framework has: the first part of their names.
const FRAMEWORKS: &[Framework] = &[
    (
        "langchain_rust",
        "langchain-rust",
        Some(Dialect::LangChainRust),
    ),
    ("adk_", "adk-rust", Some(Dialect::Adk)),
    ("swiftide", "swiftide", Some(Dialect::Swiftide)),
    ("rig", "rig", None),
    ("genai", "genai", None),
];

impl Dialect {
    /// That of a span of this scope (the name of an instrumentation's scope, the target of a span of `tracing`) with these
    /// attributes.
    pub fn of(scope: &str, attributes: &(impl Attributes + ?Sized)) -> Self {
        if let Some((.., Some(own))) = framework_row(scope) {
            return *own;
        }
        let has = |key| attributes.get(key).is_some();
        let vercel = has(table::VERCEL_OPERATION) || has(table::VERCEL_MODEL);
        match () {
            () if vercel => Self::Vercel,
            () if has(table::OPEN_INFERENCE_KIND) => Self::OpenInference,
            () if has(table::TRACELOOP_KIND) || has(table::REQUEST_TYPE) => Self::OpenLlmetry,
            () if has(table::LANGSMITH_KIND) => Self::LangSmith,
            () => Self::Conventions,
        }
    }
}

type Framework = (&'static str, &'static str, Option<Dialect>);

fn framework_row(scope: &str) -> Option<&'static Framework> {
    FRAMEWORKS.iter().find(|(prefix, ..)| {
        // `adk_agent::x` is adk's, and `rigid` is not rig's.
        let behind = scope.strip_prefix(prefix).map(str::as_bytes);
        behind.is_some_and(|behind| {
            prefix.ends_with('_') || matches!(behind.first(), None | Some(b'_' | b':'))
        })
    })
}

/// The name of the Rust framework that a scope is of, if it is one that is known: `rig`, `adk-rust`.
pub fn framework(scope: &str) -> Option<&'static str> {
    framework_row(scope).map(|(_, name, _)| *name)
}
