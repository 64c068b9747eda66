//! The page about engines is what the tables say.

use obs_docs::page::{is_up_to_date, root};
use obs_llm::engines::{ALL, Coverage, Further, Mapping, Row, Select, Target};
use std::fmt::Write;
use std::fs;

const HEAD: &str = "\
<!-- Written by `OBS_WRITE=1 cargo test -p obs-docs --test engines`, which fails where this is stale. -->
# Engines

What `obs_llm::engines` makes of the metrics pages of inference engines: one vocabulary, in which the same name is the same
thing, whoever says it. This page is written from the tables that the program reads (`obs_llm::engines::ALL`).

- Histograms keep the buckets that the engine counted in. None is made to fit others, so quantiles are as good as the engine's.
- *exact* is what the name says. *approximate* is nearly that; the notes say what is different. A dash is *none*: the engine
  does not say it, the metric is absent, and nothing that looks like it stands in its place. The notes say what there is instead.
- Time per output token is one value per request, time between tokens is one value per token. They are two metrics, and no
  engine's one is shown as the other.
- Quantiles that an engine says itself are gauges with names of their own. Nobody can make a histogram of them, nor one
  quantile of those of two engines.
- Where an engine has had several names for a metric, the first that its page has counts.
- Of a metric that is written with labels only the series that have these values count; a `?` is: or without that label. What
  differs in labels that are not asked for is added up.
- Attributes of all: `obs.llm.engine`, `server.address`, `server.port`, and `gen_ai.request.model` where the page or the target says
  it. Where several engines stand behind one page, `obs.llm.engine.index` says which.

";

fn coverage(mapping: &Mapping, target: Target) -> &'static str {
    match mapping.coverage(target) {
        Coverage::None => "–",
        other => other.as_str(),
    }
}

fn selected(row: &Row) -> String {
    let one = |select: &Select| match select {
        Select::Is(label, value) => format!("{label}=\"{value}\""),
        Select::IsOrAbsent(label, value) => format!("{label}=\"{value}\"?"),
        Select::Absent(label) => format!("{label}=\"\""),
        other => panic!("{other:?} is not written yet"),
    };
    let labels: Vec<_> = row.select.iter().map(one).collect();
    match labels.is_empty() {
        true => format!("`{}`", row.source),
        false => format!("`{}{{{}}}`", row.source, labels.join(",")),
    }
}

fn notes(row: &Row) -> String {
    let mut notes = Vec::new();
    if row.per != 1.0 {
        notes.push(format!("divided by {}", row.per));
    }
    match row.further {
        Further::Nothing => {}
        Further::Label(label) => notes.push(format!("by `{label}`")),
        Further::Fixed(value) => notes.push(format!("`{value}`")),
        other => panic!("{other:?} is not written yet"),
    }
    if !row.note.is_empty() {
        notes.push(row.note.to_owned());
    }
    notes.join("; ")
}

fn render() -> String {
    let mut page = HEAD.to_owned();
    page.push_str(
        "## The vocabulary\n\n| metric | kind | unit | what it says |\n|---|---|---|---|\n",
    );
    for target in Target::ALL {
        let (name, kind, unit) = (target.metric(), target.shape().as_str(), target.unit());
        let _ = writeln!(
            page,
            "| `{name}` | {kind} | `{unit}` | {} |",
            target.description()
        );
    }
    page.push_str("\n## Who says what\n\n| metric |");
    ALL.iter().for_each(|mapping| {
        let _ = write!(page, " {} |", mapping.title);
    });
    page.push_str("\n|---|");
    page.push_str(&"---|".repeat(ALL.len()));
    page.push('\n');
    for target in Target::ALL {
        let _ = write!(page, "| `{}` |", target.metric());
        for mapping in ALL {
            let _ = write!(page, " {} |", coverage(mapping, *target));
        }
        page.push('\n');
    }
    for mapping in ALL {
        engine(mapping, &mut page);
    }
    page
}

fn engine(mapping: &Mapping, page: &mut String) {
    let (title, engine, path) = (mapping.title, mapping.engine, mapping.path);
    let _ = writeln!(page, "\n## {title}\n");
    let _ = write!(
        page,
        "`obs.llm.engine` is `{engine}`, its page is at `{path}`. "
    );
    let labels = |labels: &[&str]| {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        labels.join(", else ")
    };
    match mapping.model {
        [] => page.push_str("The page does not say the model."),
        model => {
            let _ = write!(page, "The model is in {}.", labels(model));
        }
    }
    if !mapping.index.is_empty() {
        let _ = write!(
            page,
            " Which of several engines it is, is in {}.",
            labels(mapping.index)
        );
    }
    let _ = writeln!(page, "\n\nRead in {}.\n", mapping.read_in);
    page.push_str("| metric | of | is | notes |\n|---|---|---|---|\n");
    for row in mapping.rows {
        let is = match row.semantics {
            obs_llm::engines::Semantics::Exact => Coverage::Exact,
            obs_llm::engines::Semantics::Approximate => Coverage::Approximate,
        };
        let (name, of, notes) = (row.target.metric(), selected(row), notes(row));
        let _ = writeln!(page, "| `{name}` | {of} | {} | {notes} |", is.as_str());
    }
    for (target, why) in mapping.none {
        let _ = writeln!(page, "| `{}` | – | none | {why} |", target.metric());
    }
}

#[test]
fn the_page_is_what_the_tables_say() {
    let path = root().join("engines.md");
    let is = fs::read_to_string(&path).unwrap_or_default();
    is_up_to_date(&path, &is, &render());
}
