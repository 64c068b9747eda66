//! Verdicts as a service writes them down.

use super::Verdict;
use obs_core::Error;
use std::collections::BTreeMap;

/// How many numbers one line may speak of: a slip of the keyboard must not fill memory.
const LONGEST: u64 = 1_000;

/// What the text says of which number.
pub(super) fn read(text: &str) -> Result<BTreeMap<u64, Verdict>, Error> {
    let mut read = BTreeMap::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        let wrong =
            |what: String| Error::configuration(format!("verdicts on XIDs, line {line}: {what}"));
        let mut words = content.split_whitespace();
        let (Some(codes), Some(verdict), None) = (words.next(), words.next(), words.next()) else {
            return Err(wrong(format!("`{content}` is not a number and a verdict")));
        };
        let verdict = Verdict::from_name(verdict).ok_or_else(|| {
            let all = Verdict::ALL.map(Verdict::as_str).join(", ");
            wrong(format!("`{verdict}` is not one of {all}"))
        })?;
        let (first, last) = codes.split_once('-').unwrap_or((codes, codes));
        let number = |text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = plain.then(|| text.parse().ok()).flatten();
            number.ok_or_else(|| wrong(format!("`{text}` is not a number")))
        };
        let (first, last): (u64, u64) = (number(first)?, number(last)?);
        if last < first || last - first >= LONGEST {
            return Err(wrong(format!(
                "`{codes}` runs backwards, or over more than {LONGEST} numbers"
            )));
        }
        for code in first..=last {
            let before = read.insert(code, verdict);
            if let Some(before) = before.filter(|before| *before != verdict) {
                return Err(wrong(format!(
                    "{code} was {before} before, and is {verdict}"
                )));
            }
        }
    }
    Ok(read)
}
