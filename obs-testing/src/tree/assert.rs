//! Comparing trees, with a difference one can read.

use std::fmt::Display;

/// Panics with a line-by-line difference unless `actual` reads as `expected`.
///
/// `expected` may be indented as the code around it is and may begin and end with empty lines; white space at the end of
/// lines counts on neither side.
///
/// # Panics
///
/// If the two differ: that is what it is for.
#[track_caller]
pub fn assert_tree(actual: impl Display, expected: &str) {
    let actual = tidy(&actual.to_string());
    let expected = tidy(expected);
    if actual != expected {
        panic!(
            "the tree differs (- expected, + actual):\n{}",
            difference(&expected, &actual)
        );
    }
}

/// Lines without the indentation they share, without empty ones around them, without white space behind them.
fn tidy(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let first = lines
        .iter()
        .position(|line| !line.is_empty())
        .unwrap_or(lines.len());
    let last = lines
        .iter()
        .rposition(|line| !line.is_empty())
        .map_or(first, |last| last + 1);
    let lines = &lines[first..last];
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let shared = lines
        .iter()
        .filter(|line| !line.is_empty())
        .map(|line| indent(line))
        .min()
        .unwrap_or(0);
    lines
        .iter()
        .map(|line| line.get(shared..).unwrap_or_default().to_owned())
        .collect()
}

/// Every line of both sides once, marked by the side it is on: the longest common subsequence stays unmarked.
fn difference(expected: &[String], actual: &[String]) -> String {
    let same_head = expected
        .iter()
        .zip(actual)
        .take_while(|(a, b)| a == b)
        .count();
    let (expected_rest, actual_rest) = (&expected[same_head..], &actual[same_head..]);
    let same_tail = expected_rest
        .iter()
        .rev()
        .zip(actual_rest.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (left, tail) = expected_rest.split_at(expected_rest.len() - same_tail);
    let right = &actual_rest[..actual_rest.len() - same_tail];

    let mut out = Vec::with_capacity(expected.len() + actual.len());
    out.extend(expected[..same_head].iter().map(|line| format!("  {line}")));
    if left.len().saturating_mul(right.len()) > LARGEST_TABLE {
        out.extend(left.iter().map(|line| format!("- {line}")));
        out.extend(right.iter().map(|line| format!("+ {line}")));
    } else {
        middle(left, right, &mut out);
    }
    out.extend(tail.iter().map(|line| format!("  {line}")));
    out.join("\n")
}

/// Cells of the table beyond which a finer difference costs more than it tells.
const LARGEST_TABLE: usize = 4_000_000;

fn middle(left: &[String], right: &[String], out: &mut Vec<String>) {
    // common[i][j]: the most lines that left[i..] and right[j..] have in common, in order.
    let mut common = vec![vec![0_u32; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            common[i][j] = if left[i] == right[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        if i < left.len() && j < right.len() && left[i] == right[j] {
            out.push(format!("  {}", left[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < left.len() && (j == right.len() || common[i + 1][j] >= common[i][j + 1]) {
            out.push(format!("- {}", left[i]));
            i += 1;
        } else {
            out.push(format!("+ {}", right[j]));
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: &str, actual: &str, difference_shown: &str) {
        assert_eq!(difference(&tidy(expected), &tidy(actual)), difference_shown);
    }

    #[test]
    fn the_difference_keeps_what_is_common() {
        check("a\nb\nc", "a\nc", "  a\n- b\n  c");
        check("a\nc", "a\nb\nc", "  a\n+ b\n  c");
        check(
            "a\nb\nc\nd",
            "a\nx\nc\ny\nd",
            "  a\n- b\n+ x\n  c\n+ y\n  d",
        );
        check("", "a", "+ a");
        check("a", "", "- a");
    }

    #[test]
    fn indentation_of_the_code_around_does_not_count() {
        assert_tree(
            "trace 1\n  a\n    b\n",
            "\n        trace 1\n          a   \n            b\n    ",
        );
        assert_tree("", "\n   \n");
    }

    #[test]
    #[should_panic(expected = "  trace 1\n-   a [server]\n+   a [client]\n    b")]
    fn one_wrong_line_is_pointed_at() {
        assert_tree("trace 1\n  a [client]\n  b", "trace 1\n  a [server]\n  b");
    }

    #[test]
    #[should_panic(expected = "the tree differs")]
    fn inner_indentation_counts() {
        assert_tree("trace 1\n  a\n  b", "trace 1\n  a\n    b");
    }
}
