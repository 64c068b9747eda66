//! The rules. Each takes a file as the walk found it and says on which lines it is broken, and how.

use crate::source::Source;

/// A file of the repository: its path from the root, and its text.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A broken line and what is wrong with it.
pub(crate) type Finding = (usize, String);

/// First parts of names that conventions define, ours included.
const NAMESPACES: &str = "client code db deployment enduser error exception gen_ai host http hw jsonrpc log mcp messaging network \
    obs os otel peer process rpc server service session telemetry url user user_agent";

/// Where a clock may be read. In `obs-testing` real time passes only while a test waits for others; in `obs-gpu-fake` it is the
/// driver's.
const CLOCKS: [&str; 4] = [
    "obs-core/src/clock.rs",
    "obs-core/src/courier/time.rs",
    "obs-gpu-fake/src/clock.rs",
    "obs-testing/src/wait.rs",
];

const MOST_LINES: usize = 600;

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is compiled into a library of ours: not a test, not an example, not a bench.
    fn is_library(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        self.is_rust()
            && parts[0].starts_with("obs-")
            && parts.get(1) == Some(&"src")
            && !parts
                .iter()
                .any(|part| matches!(*part, "tests" | "tests.rs"))
    }

    fn library_source(&self) -> Option<Source> {
        self.is_library().then(|| Source::parse(&self.text))
    }
}

/// Names of attributes and metrics stand in `semconv`, where each group says which version of the conventions it follows.
pub(crate) fn names_in_semconv(file: &File) -> Vec<Finding> {
    if file.path == "obs-core/src/semconv.rs" || file.path.starts_with("obs-core/src/semconv/") {
        return Vec::new();
    }
    let is_name = |string: &str| {
        string.split_once('.').is_some_and(|(first, rest)| {
            // `http.server` and its like name descriptors in settings; no attribute is called so.
            NAMESPACES.split_whitespace().any(|name| name == first)
                && rest.starts_with(|c: char| c.is_ascii_lowercase())
                && !matches!(rest, "server" | "client" | "call" | "connect")
        })
    };
    let strings = file.library_source().map(|source| source.strings);
    let names = strings
        .into_iter()
        .flatten()
        .filter(|(_, string)| is_name(string));
    names
        .map(|(line, name)| (line, format!("{name:?} belongs into obs_core::semconv")))
        .collect()
}

/// Time comes from the clock of the telemetry, so that a test can move it.
pub(crate) fn clocks_in_clock(file: &File) -> Vec<Finding> {
    if CLOCKS.contains(&file.path.as_str()) {
        return Vec::new();
    }
    lines_of(
        file,
        &["Instant::now", "SystemTime::now"],
        "reads a clock of its own",
    )
}

/// One line of `unsafe` in all, and every other file forbidden to have one.
pub(crate) fn no_unsafe(file: &File) -> Vec<Finding> {
    // The calls that nvml-wrapper has no safe form of, and the C library that stands in for the driver's.
    let foreign =
        file.path.starts_with("obs-gpu/src/nvml/raw") || file.path.starts_with("obs-gpu-fake/");
    if foreign || file.path == "obs-core/src/clock.rs" {
        return Vec::new();
    }
    lines_of(file, &["unsafe"], "unsafe code")
}

/// What is not finished is not committed.
pub(crate) fn no_stub(file: &File) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    // In tests, too: their items are code here.
    let code = Source::parse(&file.text.replace("#[cfg(test)]", ""));
    let stubs = ["todo!", "unimplemented!", "#[ignore"];
    stubs
        .iter()
        .flat_map(|stub| {
            code.lines_with(stub)
                .into_iter()
                .map(move |line| (line, format!("{stub} is a stub")))
        })
        .collect()
}

/// `name.rs` beside `name/`: a tab of an editor then says which file it is.
pub(crate) fn no_mod_rs(file: &File) -> Vec<Finding> {
    let is_one = file.path.ends_with("/mod.rs");
    is_one
        .then(|| (1, "is called name.rs here".to_owned()))
        .into_iter()
        .collect()
}

/// Past this many lines there is a second idea in the file.
pub(crate) fn short(file: &File) -> Vec<Finding> {
    let lines = file.text.lines().count();
    let long = file.is_library() && lines > MOST_LINES;
    long.then(|| (lines, format!("{lines} lines, more than {MOST_LINES}")))
        .into_iter()
        .collect()
}

/// Each dependency and each feature of a manifest has its reason above it. One comment may serve a run of lines, but in
/// the `[dependencies]` of a library each line has its own: those are what a user's service pays for.
pub(crate) fn reasons(file: &File) -> Vec<Finding> {
    if !file.path.ends_with("/Cargo.toml") {
        return Vec::new();
    }
    let library = file.path.starts_with("obs-") && !file.path.starts_with("obs-testing/");
    let (mut section, mut explained, mut open) = (String::new(), false, 0_i32);
    let mut found = Vec::new();
    for (n, line) in file.text.lines().enumerate() {
        let (line, within) = (line.trim(), open > 0);
        open += line.matches(['[', '{']).count() as i32 - line.matches([']', '}']).count() as i32;
        if within || line.is_empty() {
            explained &= within;
        } else if line.starts_with('[') {
            (section, explained) = (line.trim_matches(['[', ']']).to_owned(), false);
        } else if line.starts_with('#') {
            explained = true;
        } else {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            let wants = match section.rsplit('.').next() {
                Some("features") => name != "default",
                Some("dependencies" | "dev-dependencies" | "build-dependencies") => {
                    !name.starts_with("obs-")
                }
                _ => false,
            };
            if wants && !explained {
                found.push((n + 1, format!("{name} has no reason above it")));
            }
            explained &= !(library && matches!(section.as_str(), "dependencies" | "features"));
        }
    }
    found
}

/// Nothing that holds on one machine only.
pub(crate) fn no_machine(file: &File) -> Vec<Finding> {
    // Put together, or this file would break its own rule.
    let homes = ["root", "home", "work", "Users"].map(|name| format!("/{name}/"));
    let names_one = |line: &str| homes.iter().any(|home| line.contains(home));
    let lines = file
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| names_one(line));
    lines
        .map(|(n, line)| (n + 1, format!("a path of one machine: {}", line.trim())))
        .collect()
}

fn lines_of(file: &File, words: &[&str], what: &str) -> Vec<Finding> {
    let Some(source) = file.library_source() else {
        return Vec::new();
    };
    let found = words.iter().flat_map(|word| source.lines_with(word));
    found.map(|line| (line, what.to_owned())).collect()
}
