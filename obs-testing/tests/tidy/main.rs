//! The rules of this repository that a compiler does not know, and for each a file that breaks it.

mod rules;
mod source;

use rules::{File, Finding};
use std::fs;
use std::path::{Path, PathBuf};

type Rule = fn(&File) -> Vec<Finding>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every text file of the checkout but what tools write.
fn files() -> Vec<File> {
    let (mut found, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_str().unwrap();
            if entry.file_type().unwrap().is_dir() {
                if !matches!(name, ".git" | "target" | "out" | "__pycache__") {
                    folders.push(path);
                }
            } else if !matches!(name, ".git" | "Cargo.lock")
                && let Ok(text) = fs::read_to_string(&path)
            {
                let path = path
                    .strip_prefix(root())
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.push(File { path, text });
            }
        }
    }
    assert!(
        found.iter().any(|file| file.path == "obs-core/src/lib.rs"),
        "the walk missed the library, so it can find nothing wrong"
    );
    found
}

#[track_caller]
fn holds(rule: Rule) {
    let broken: Vec<String> = files()
        .iter()
        .flat_map(|file| {
            rule(file)
                .into_iter()
                .map(|(line, why)| format!("{}:{line}: {why}", file.path))
        })
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// What `rule` says about `text` at `path`: the lines.
#[track_caller]
fn check(rule: Rule, path: &str, text: &str, expect: &[usize]) {
    let file = File {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let lines: Vec<usize> = rule(&file).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, expect, "{path}:\n{text}");
}

#[test]
fn names_stand_in_semconv() {
    let rule: Rule = rules::names_in_semconv;
    let lib = "obs-http/src/lib.rs";
    check(rule, lib, "let a = 1;\nset(\"http.route\", x);", &[2]);
    check(
        rule,
        lib,
        "set(r#\"gen_ai.system\"#); set(\"obs.keep.reason\");",
        &[1, 1],
    );
    check(rule, lib, "format!(\"http.request.header.{name}\")", &[1]);
    check(
        rule,
        lib,
        "// \"http.route\"\n/* /* */ \"url.path\" */",
        &[],
    );
    check(
        rule,
        lib,
        "x(\"https://example.com/http.route\", \"http.\", \"httpd.conf\")",
        &[],
    );
    check(
        rule,
        lib,
        "#[cfg(test)]\nmod tests {\n  f(\"http.route\");\n}\nf(\"url.path\");",
        &[5],
    );
    check(
        rule,
        lib,
        "f('\"', \"\\\"\", '\\'', \"error.type\", 'x'); fn g<'a>(_: &'a str) {}",
        &[1],
    );
    check(rule, lib, "name: \"http.server\"", &[]);
    check(rule, "obs-core/src/semconv/http.rs", "\"http.route\"", &[]);
    check(rule, "obs-core/src/courier/tests.rs", "\"http.route\"", &[]);
    check(rule, "obs-core/tests/keep.rs", "\"http.route\"", &[]);
    check(rule, "examples/src/bin/a.rs", "\"http.route\"", &[]);
    holds(rules::names_in_semconv);
}

#[test]
fn clocks_are_read_in_one_place() {
    let rule: Rule = rules::clocks_in_clock;
    check(
        rule,
        "obs-http/src/a.rs",
        "use x;\nlet t = std::time::Instant::now();",
        &[2],
    );
    check(rule, "obs-core/src/a.rs", "SystemTime::now()", &[1]);
    check(
        rule,
        "obs-core/src/a.rs",
        "// Instant::now()\nlet a = \"Instant::now\";",
        &[],
    );
    check(
        rule,
        "obs-core/src/a.rs",
        "#[cfg(test)]\nfn f() { Instant::now(); }",
        &[],
    );
    check(rule, "obs-core/src/clock.rs", "Instant::now()", &[]);
    holds(rules::clocks_in_clock);
}

#[test]
fn unsafe_is_one_line() {
    let rule: Rule = rules::no_unsafe;
    check(
        rule,
        "obs-core/src/a.rs",
        "fn f() {\n  unsafe { g() }\n}",
        &[2],
    );
    check(
        rule,
        "obs-core/src/lib.rs",
        "#![deny(unsafe_code)]\n// unsafe\n\"unsafe\"",
        &[],
    );
    holds(rules::no_unsafe);

    let clock = fs::read_to_string(root().join("obs-core/src/clock.rs")).unwrap();
    let lines = source::Source::parse(&clock).lines_with("unsafe");
    assert_eq!(lines.len(), 1, "clock.rs has unsafe on lines {lines:?}");
    for library in libraries() {
        let front = fs::read_to_string(root().join(&library).join("src/lib.rs")).unwrap();
        // The fake is a library of C functions: all of it is `unsafe` at its edge.
        if library == "obs-gpu-fake" {
            continue;
        }
        let level = if ["obs-core", "obs-gpu"].contains(&library.as_str()) {
            "deny"
        } else {
            "forbid"
        };
        assert!(
            front.contains(&format!("#![{level}(unsafe_code)]")),
            "{library} does not {level} unsafe code"
        );
    }
}

#[test]
fn nothing_is_a_stub() {
    let rule: Rule = rules::no_stub;
    check(
        rule,
        "benches/src/a.rs",
        concat!("to", "do!()\nunimple", "mented!(\"later\")"),
        &[1, 2],
    );
    check(
        rule,
        "obs-core/tests/a.rs",
        concat!("#[test]\n#[ig", "nore = \"slow\"]\nfn a() {}"),
        &[2],
    );
    check(
        rule,
        "obs-core/src/a.rs",
        "#[cfg(test)]\nmod tests { fn a() { todo!() } }",
        &[2],
    );
    check(
        rule,
        "obs-core/src/a.rs",
        "// todo!\nlet ignore = my_todo!();",
        &[],
    );
    holds(rules::no_stub);
}

#[test]
fn modules_are_named_by_their_file() {
    check(rules::no_mod_rs, "obs-core/src/a/mod.rs", "", &[1]);
    check(rules::no_mod_rs, "obs-core/src/a/mods.rs", "", &[]);
    holds(rules::no_mod_rs);
}

#[test]
fn files_are_short() {
    check(rules::short, "obs-core/src/a.rs", &"\n".repeat(601), &[601]);
    check(rules::short, "obs-core/src/a.rs", &"\n".repeat(600), &[]);
    holds(rules::short);
}

#[test]
fn manifests_give_reasons() {
    let rule: Rule = rules::reasons;
    let lib = "obs-core/Cargo.toml";
    check(
        rule,
        lib,
        "[dependencies]\n# Why.\na = \"1\"\nb = \"1\"\n",
        &[4],
    );
    check(
        rule,
        lib,
        "[dependencies]\n# Why.\na = [\n  \"x\",\n]\nb.workspace = true\n",
        &[6],
    );
    check(
        rule,
        lib,
        "[dev-dependencies]\n# Why, both.\na = \"1\"\nb = \"1\"\n\nc = \"1\"\n",
        &[6],
    );
    check(
        rule,
        lib,
        "[target.'cfg(loom)'.dependencies]\nloom = \"1\"\n",
        &[2],
    );
    check(
        rule,
        lib,
        "[dependencies]\nobs-http = \"1\"\n[package]\nname = \"x\"\n",
        &[],
    );
    check(
        rule,
        lib,
        "[features]\ndefault = [\"a\"]\n# Why.\na = []\nb = []\n",
        &[5],
    );
    check(
        rule,
        "examples/Cargo.toml",
        "[dependencies]\n# Why, both.\na = \"1\"\nb = \"1\"\n",
        &[],
    );
    holds(rules::reasons);
}

#[test]
fn no_path_of_one_machine() {
    check(
        rules::no_machine,
        "README.md",
        concat!("a\n", "/ro", "ot/x\nb"),
        &[2],
    );
    check(
        rules::no_machine,
        "a.rs",
        "// see https://example.com/roots/",
        &[],
    );
    holds(rules::no_machine);
}

#[test]
fn every_example_is_in_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    // `.ci/run` takes the list of what it runs from the manifest; only the README can forget one.
    let unnamed: Vec<String> = examples()
        .into_iter()
        .filter(|name| !readme.contains(&format!("`{name}`")))
        .collect();
    assert!(unnamed.is_empty(), "README.md does not name {unnamed:?}");
}

#[test]
fn the_gate_runs_the_commands_of_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let gate = fs::read_to_string(root().join(".ci/run")).unwrap();
    for mark in ["main", "test"] {
        assert_eq!(
            readme.matches(&format!("<!-- {mark} -->\n")).count(),
            1,
            "README.md, <!-- {mark} -->"
        );
        assert!(
            gate.contains(&format!("$(readme_command {mark})")),
            ".ci/run leaves out {mark}"
        );
    }
}

#[test]
fn every_library_is_in_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for library in libraries() {
        assert!(
            readme.contains(&format!("`{library}`")),
            "README.md does not name {library}"
        );
    }
}

/// Names of the programs in `examples/`.
fn examples() -> Vec<String> {
    let Ok(programs) = fs::read_dir(root().join("examples/src/bin")) else {
        return Vec::new();
    };
    programs
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

fn libraries() -> Vec<String> {
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap());
    let names = entries.map(|entry| entry.file_name().to_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("obs-")).collect()
}
