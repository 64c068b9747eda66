//! Joining pages in the text format: by families of metrics, none of them twice.

mod line;

use line::{Sample, is_name};
use obs_core::encode::PageFormat;
use std::collections::HashSet;
use std::fmt::Write;

/// What is under one name on a page in the text format.
#[derive(Debug, Default)]
struct Family<'a> {
    name: &'a str,
    help: Option<&'a str>,
    kind: Option<&'a str>,
    samples: Vec<Sample<'a>>,
}

const KINDS: [&str; 5] = ["counter", "gauge", "histogram", "summary", "untyped"];
const ENDINGS: [&str; 3] = ["_bucket", "_sum", "_count"];

impl Family<'_> {
    /// Every name that its samples could have.
    fn names(&self) -> impl Iterator<Item = String> + '_ {
        let several = matches!(self.kind, Some("histogram" | "summary"));
        let endings = ENDINGS.iter().filter(move |_| several);
        std::iter::once(self.name.to_owned())
            .chain(endings.map(|ending| format!("{}{ending}", self.name)))
    }

    fn has(&self, sample: &str) -> bool {
        sample == self.name
            || matches!(self.kind, Some("histogram" | "summary"))
                && sample
                    .strip_prefix(self.name)
                    .is_some_and(|ending| ENDINGS.contains(&ending))
    }
}

/// The families of a page, in order. Comments and what is no line of the format are left out: one such line, and whoever
/// scrapes the page loses all of it.
fn families(page: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for line in page.lines().map(str::trim_end) {
        for (mark, is_help) in [("# HELP ", true), ("# TYPE ", false)] {
            let described = line.strip_prefix(mark).and_then(|it| it.split_once(' '));
            let Some((name, said)) = described.filter(|(name, _)| is_name(name)) else {
                continue;
            };
            if families.last().is_none_or(|family| family.name != name) {
                families.push(Family {
                    name,
                    ..Family::default()
                });
            }
            if let Some(family) = families.last_mut() {
                if is_help {
                    family.help = Some(said);
                } else if KINDS.contains(&said) {
                    family.kind = Some(said);
                }
            }
        }
        let Some(sample) = Sample::of(line) else {
            continue;
        };
        if families
            .last()
            .is_none_or(|family| !family.has(sample.name))
        {
            families.push(Family {
                name: sample.name,
                ..Family::default()
            });
        }
        if let Some(family) = families.last_mut() {
            family.samples.push(sample);
        }
    }
    families
}

/// The first name that both pages have.
pub(super) fn collision(one: &str, other: &str) -> Option<String> {
    let taken = names(one);
    let mut names = families(other)
        .into_iter()
        .flat_map(|family| family.names().collect::<Vec<_>>());
    names.find(|name| taken.contains(name))
}

fn names(page: &str) -> HashSet<String> {
    let families = families(page);
    families.iter().flat_map(Family::names).collect()
}

/// Adds `other`, in the text format, to a `page` of `format`.
pub(super) fn join(page: &mut String, other: &str, name: &str, format: PageFormat) {
    let open = format == PageFormat::OpenMetrics;
    // In OpenMetrics a counter has two: its family's, and its samples' with a last word.
    let mut taken = names(page);
    if open {
        page.truncate(page.len() - END.len());
    }
    let theirs = families(other);
    let own: HashSet<String> = theirs.iter().flat_map(Family::names).collect();
    for family in theirs {
        if family.samples.is_empty() {
            continue;
        }
        if family.names().any(|name| taken.contains(&name)) {
            if !open {
                let _ = writeln!(
                    page,
                    "# not shown: {} of {name}: another metric has the name",
                    family.name
                );
            }
            continue;
        }
        taken.extend(family.names());
        let is_free = |stem: &str| !taken.contains(stem) && !own.contains(stem);
        write(page, &family, open, is_free);
    }
    if open {
        page.push_str(END);
    }
}

const END: &str = "# EOF\n";

fn write(page: &mut String, family: &Family<'_>, open: bool, is_free: impl Fn(&str) -> bool) {
    let (mut name, mut kind) = (family.name, family.kind.unwrap_or("untyped"));
    if open {
        // A counter's samples end so, by the rules of OpenMetrics; of one whose do not, it has no type, and neither has one whose
        // family would be another's.
        (name, kind) = match (kind, name.strip_suffix("_total")) {
            ("counter", Some(stem)) if is_free(stem) => (stem, kind),
            ("counter" | "untyped", _) => (name, "unknown"),
            _ => (name, kind),
        };
    }
    if let Some(help) = family.help {
        let help = if open {
            help.replace('"', "\\\"")
        } else {
            help.to_owned()
        };
        let _ = writeln!(page, "# HELP {name} {help}");
    }
    let _ = writeln!(page, "# TYPE {name} {kind}");
    for sample in &family.samples {
        sample.write(page, open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total{a=\"x y\"} 1\n\
                        # TYPE took_seconds histogram\ntook_seconds_bucket{le=\"+Inf\"} 1\ntook_seconds_sum 2\ntook_seconds_count 1\n";
    const THEIRS: &str = "# HELP orders Orders, \"all\".\n# TYPE orders counter\norders{shop=\"a\"} 3\n\n\
                          # TYPE paid_total counter\npaid_total 4 1700000000500\n\n# TYPE load gauge\nload 0.5\n\
                          lonely 1\n";

    #[test]
    fn text_is_joined_by_families() {
        let mut page = OURS.to_owned();
        join(&mut page, THEIRS, "theirs", PageFormat::Text);
        let expected = "# HELP orders Orders, \"all\".\n# TYPE orders counter\norders{shop=\"a\"} 3\n\
                        # TYPE paid_total counter\npaid_total 4 1700000000500\n# TYPE load gauge\nload 0.5\n\
                        # TYPE lonely untyped\nlonely 1\n";
        assert_eq!(page, format!("{OURS}{expected}"));
    }

    #[test]
    fn openmetrics_gets_its_own_types_times_and_end() {
        let mut page = "# TYPE calls counter\ncalls_total 1\n# EOF\n".to_owned();
        join(&mut page, THEIRS, "theirs", PageFormat::OpenMetrics);
        assert_eq!(
            page,
            "# TYPE calls counter\ncalls_total 1\n\
             # HELP orders Orders, \\\"all\\\".\n# TYPE orders unknown\norders{shop=\"a\"} 3\n\
             # TYPE paid counter\npaid_total 4 1700000000.5\n# TYPE load gauge\nload 0.5\n\
             # TYPE lonely unknown\nlonely 1\n# EOF\n"
        );
    }

    #[test]
    fn a_name_that_both_have_is_found_and_left_out() {
        for (theirs, name) in [
            ("# TYPE calls_total counter\ncalls_total 9\n", "calls_total"),
            (
                "# TYPE took_seconds gauge\ntook_seconds 9\n",
                "took_seconds",
            ),
            ("took_seconds_sum 9\n", "took_seconds_sum"),
            (
                "# TYPE calls summary\ncalls_sum 1\n# TYPE took_seconds_count counter\ntook_seconds_count 1\n",
                "took_seconds_count",
            ),
        ] {
            assert_eq!(collision(OURS, theirs).as_deref(), Some(name));
            let mut page = OURS.to_owned();
            join(&mut page, theirs, "theirs", PageFormat::Text);
            assert!(
                page.contains(&format!("# not shown: {name} of theirs")),
                "{page}"
            );
            assert!(!page.contains(" 9\n"), "{page}");
        }
        assert_eq!(collision(OURS, THEIRS), None);
        // OpenMetrics calls the family `calls`, the text format `calls_total`.
        let mut page = "# TYPE calls counter\ncalls_total 1\n# EOF\n".to_owned();
        let before = page.clone();
        join(
            &mut page,
            "# TYPE calls_total counter\ncalls_total 9\n",
            "theirs",
            PageFormat::OpenMetrics,
        );
        assert_eq!(page, before);
    }

    #[test]
    fn a_counter_is_not_missing_in_openmetrics_because_a_gauge_has_its_name_without_total() {
        let mut page = "# TYPE load gauge\nload 1\n# EOF\n".to_owned();
        let theirs = "# TYPE load_total counter\nload_total 2\n# TYPE paid_total counter\npaid_total 3\n\
                      # TYPE paid gauge\npaid 4\n";
        join(&mut page, theirs, "theirs", PageFormat::OpenMetrics);
        assert_eq!(
            page,
            "# TYPE load gauge\nload 1\n# TYPE load_total unknown\nload_total 2\n\
             # TYPE paid_total unknown\npaid_total 3\n# TYPE paid gauge\npaid 4\n# EOF\n"
        );
    }

    #[test]
    fn what_is_no_page_adds_nothing_that_could_break_ours() {
        for theirs in [
            "",
            "\n\n",
            "# a comment\n",
            "# HELP\n# TYPE x\n",
            "# TYPE x counter\n",
            "<html>oops</html>\nError: connection refused\nnovalue\nbad{a=\"1\" 3\n",
            "# HELP <b> x\n# TYPE a{b gauge\n# TYPE 9 gauge\n",
        ] {
            let mut page = OURS.to_owned();
            join(&mut page, theirs, "theirs", PageFormat::Text);
            assert_eq!(page, OURS, "{theirs:?}");
        }
    }

    #[test]
    fn lines_that_are_none_of_the_format_do_not_cost_the_lines_around_them() {
        let theirs = "# TYPE good gauge\ngood 1\nError: connection refused\ngood{a=\"1\" 3\ngood{a=\"2\"} 4\n\
                      # TYPE odd <br>\nodd 1\n# TYPE odder stateset\nodder 1\n";
        let mut page = OURS.to_owned();
        join(&mut page, theirs, "theirs", PageFormat::Text);
        let expected = "# TYPE good gauge\ngood 1\ngood{a=\"2\"} 4\n# TYPE odd untyped\nodd 1\n\
                        # TYPE odder untyped\nodder 1\n";
        assert_eq!(page, format!("{OURS}{expected}"));
    }

    #[test]
    fn blanks_that_only_the_text_format_allows_do_not_break_openmetrics() {
        let mut page = "# EOF\n".to_owned();
        let theirs = "# TYPE a gauge\na { b = \"1 , \" , c=\"\\\"\",}\t 2  1000 \na  3\na{} 4\n";
        join(&mut page, theirs, "theirs", PageFormat::OpenMetrics);
        assert_eq!(
            page,
            "# TYPE a gauge\na{b=\"1 , \",c=\"\\\"\"} 2 1\na 3\na 4\n# EOF\n"
        );
    }
}
