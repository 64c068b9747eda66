//! What the conventions say of our names: `conventions.tsv`, which `conventions.py` takes from their model, and
//! `conventions_main.tsv`, of what generative AI has on main only.

use obs_docs::page::root;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Rows of the files: of both, and of the second.
#[derive(Debug)]
pub(crate) struct Facts(Vec<Vec<String>>, Vec<Vec<String>>);

impl Facts {
    pub(crate) fn read() -> Self {
        let [mut all, main] = ["conventions.tsv", "conventions_main.tsv"].map(|name| {
            let text = fs::read_to_string(root().join(name)).expect("it is checked in");
            let rows = text.lines().filter(|line| !line.starts_with('#'));
            let rows = rows.map(|line| line.split('\t').map(str::to_owned).collect());
            rows.collect::<Vec<Vec<String>>>()
        });
        for row in main.iter().filter(|row| row[0] != "requirement") {
            let name = &row[1];
            let twice = all.iter().any(|known| known[1] == *name);
            assert!(!twice, "{name} is of main only, and in the model");
        }
        all.extend(main.iter().cloned());
        Self(all, main)
    }

    /// Whether only main of the conventions for generative AI has it.
    pub(crate) fn is_of_main(&self, name: &str) -> bool {
        self.1.iter().any(|row| row[1] == name)
    }

    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Vec<String>> {
        self.0.iter().filter(move |row| row[0] == kind)
    }

    /// Names, each with its stability in words.
    pub(crate) fn stability(&self) -> Vec<(String, String)> {
        let named = self.0.iter().filter(|row| row[0] != "requirement");
        named
            .map(|row| (row[1].clone(), row[2].replace('_', " ")))
            .collect()
    }

    /// The same of what the published crate has constants for.
    pub(crate) fn of_crate(&self) -> Vec<(String, String)> {
        let events: Vec<_> = self.of("event").map(|row| row[1].as_str()).collect();
        let mut names = self.stability();
        names.retain(|(name, _)| !events.contains(&name.as_str()));
        names
    }

    pub(crate) fn is_convention(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.stability().iter().any(|(known, _)| known == name)
    }

    /// The kind of instrument and the unit.
    pub(crate) fn metric(&self, name: &str) -> Option<(&'static str, &str)> {
        let row = self.of("metric").find(|row| row[1] == name)?;
        let instrument = match row[3].as_str() {
            "counter" => "counter",
            "updowncounter" => "up-down counter",
            "gauge" => "gauge",
            "histogram" => "histogram",
            other => panic!("{other}"),
        };
        Some((instrument, &row[4]))
    }

    /// How much the conventions want an attribute there, on a span or a metric.
    pub(crate) fn requirement(&self, of: &str, attribute: &str) -> Option<String> {
        let is_it = |row: &&Vec<String>| row[1] == of && row[2] == attribute;
        let level = &self.of("requirement").find(is_it)?[3];
        Some(match level.as_str() {
            "conditionally_required" => "conditional".to_owned(),
            other => other.replace('_', "-"),
        })
    }
}

/// Became stable after the version that the published crate has.
pub(crate) const BECAME_STABLE: &[&str] = &[];

/// Names in the published crate that are there without its feature for what is experimental.
pub(crate) fn published_stable() -> BTreeSet<String> {
    let rustc = Command::new("rustc")
        .arg("-vV")
        .output()
        .expect("the compiler");
    let rustc = String::from_utf8(rustc.stdout).expect("text");
    let host = rustc
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("a host");
    // What other platforms depend on need not be on this machine.
    let cargo = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--filter-platform",
            host,
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs, it runs this");
    assert!(
        cargo.status.success(),
        "{}",
        String::from_utf8_lossy(&cargo.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&cargo.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let is_it =
        |package: &&serde_json::Value| package["name"] == "opentelemetry-semantic-conventions";
    let manifest = packages.iter().find(is_it).expect("a dependency")["manifest_path"].as_str();
    let source = std::path::Path::new(manifest.expect("a path")).with_file_name("src");
    let mut names = BTreeSet::new();
    for file in ["attribute.rs", "metric.rs"] {
        let text = fs::read_to_string(source.join(file)).expect("its source");
        let mut hidden = false;
        for line in text.lines() {
            hidden |= line.contains("semconv_experimental") || line.contains("deprecated");
            if let Some(constant) = line.strip_prefix("pub const ") {
                let name = constant.split('"').nth(1);
                names.extend(name.filter(|_| !hidden).map(str::to_owned));
            }
            if line.is_empty() {
                hidden = false;
            }
        }
    }
    names
}
