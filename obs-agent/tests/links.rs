//! What the adapters' tables link to is of the versions that they are pinned to, and each link is used.

use std::collections::BTreeSet;

const PAGES: [(&str, &str); 3] = [
    ("adapters", include_str!("../src/adapters.rs")),
    ("rig", include_str!("../src/adapters/rig.rs")),
    ("rmcp", include_str!("../src/adapters/rmcp.rs")),
];

/// The versions that are built here: by the lock of the workspace.
fn built(of: &str) -> BTreeSet<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let packages = lock.split("[[package]]");
    let named = packages.filter(|package| package.contains(&format!("\nname = \"{of}\"\n")));
    let versions = named.filter_map(|package| package.split("version = \"").nth(1));
    { versions.filter_map(|version| version.split('"').next()) }.collect()
}

#[test]
fn links_are_of_the_versions_that_are_built() {
    let mut seen = 0;
    for (page, text) in PAGES {
        for link in text.split("https://docs.rs/").skip(1) {
            let mut parts = link.split('/');
            let (Some(of), Some(version)) = (parts.next(), parts.next()) else {
                panic!("{page}: {link:.60}")
            };
            assert!(built(of).contains(version), "{page}: {of} {version}");
            seen += 1;
        }
    }
    assert!(seen >= 30, "{seen} links");
}

#[test]
fn each_cannot_is_linked() {
    for (page, text) in PAGES {
        let told = |number: usize| text.contains(&format!("//! [{number}]: https://docs.rs/"));
        let used = |number: usize| text.contains(&format!("([{number}])"));
        let last = (1..).take_while(|number| told(*number)).count();
        assert!(last > 0, "{page}");
        for number in 1..=last {
            assert!(used(number), "{page}: [{number}] is used");
        }
        assert!(!used(last + 1), "{page}: [{}] is told", last + 1);
        let rows = text.lines().filter(|line| line.starts_with("//! | "));
        let mut table = "";
        for row in rows {
            if row.starts_with("//! | |") {
                table = row;
            }
            let is_told = row.contains("([");
            let cannot = !table.is_empty() && row.contains("| –");
            assert!(!cannot || is_told, "{page}: {row}");
        }
    }
}
