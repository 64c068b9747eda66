//! A Rust file split into what the rules look at: code, and the literals in it. Comments and test items are neither.

/// A file of Rust, line for line.
#[derive(Debug)]
pub(crate) struct Source {
    /// The text with comments, test items and the insides of literals blanked.
    pub(crate) code: String,
    /// String literals outside of test items, each with its line.
    pub(crate) strings: Vec<(usize, String)>,
}

impl Source {
    pub(crate) fn parse(text: &str) -> Self {
        let mut scan = Scan {
            text: text.chars().collect(),
            at: 0,
            code: Vec::new(),
            strings: Vec::new(),
        };
        while scan.at < scan.text.len() {
            scan.step();
        }
        let tests = test_items(&scan.code);
        let in_tests = |offset: usize| tests.iter().any(|item| item.contains(&offset));
        let line = |offset: usize| 1 + scan.code[..offset].iter().filter(|&&c| c == '\n').count();
        let strings = scan
            .strings
            .iter()
            .filter(|(offset, _)| !in_tests(*offset))
            .map(|(offset, string)| (line(*offset), string.clone()))
            .collect();
        let code = scan
            .code
            .iter()
            .enumerate()
            .map(|(offset, &c)| {
                if c != '\n' && in_tests(offset) {
                    ' '
                } else {
                    c
                }
            })
            .collect();
        Self { code, strings }
    }

    /// Lines of the code that have `word` as a whole word (`a::b` is one).
    pub(crate) fn lines_with(&self, word: &str) -> Vec<usize> {
        let whole = |line: &str| {
            line.match_indices(word).any(|(at, found)| {
                let (before, after) = (&line[..at], &line[at + found.len()..]);
                !(before.ends_with(is_word)
                    || after.starts_with(is_word) && word.ends_with(is_word))
            })
        };
        let lines = self.code.lines().enumerate();
        lines
            .filter(|(_, line)| whole(line))
            .map(|(n, _)| n + 1)
            .collect()
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

struct Scan {
    text: Vec<char>,
    at: usize,
    /// As long as what was read of `text`.
    code: Vec<char>,
    strings: Vec<(usize, String)>,
}

impl Scan {
    fn step(&mut self) {
        let fresh_word = !self.code.last().copied().is_some_and(is_word);
        if self.looking_at("//") {
            let end = self.find("\n").unwrap_or(self.text.len());
            self.blank(end);
        } else if self.looking_at("/*") {
            self.block_comment();
        } else if let Some(hashes) = self.raw_string().filter(|_| fresh_word) {
            self.literal(hashes, &format!("\"{}", "#".repeat(hashes)));
        } else if self.looking_at("\"") {
            self.string();
        } else if self.looking_at("'") {
            self.quote();
        } else {
            self.code.push(self.text[self.at]);
            self.at += 1;
        }
    }

    fn looking_at(&self, what: &str) -> bool {
        what.chars()
            .enumerate()
            .all(|(n, c)| self.text.get(self.at + n) == Some(&c))
    }

    /// Where `what` begins, from here on.
    fn find(&self, what: &str) -> Option<usize> {
        let what: Vec<char> = what.chars().collect();
        let found = self.text[self.at..]
            .windows(what.len())
            .position(|w| w == what)?;
        Some(self.at + found)
    }

    fn blank(&mut self, end: usize) {
        for n in self.at..end {
            self.code
                .push(if self.text[n] == '\n' { '\n' } else { ' ' });
        }
        self.at = end;
    }

    fn block_comment(&mut self) {
        let (mut depth, mut end) = (0, self.at);
        while end < self.text.len() {
            match self.text.get(end..end + 2) {
                Some(['/', '*']) => depth += 1,
                Some(['*', '/']) => depth -= 1,
                _ => {
                    end += 1;
                    continue;
                }
            }
            end += 2;
            if depth == 0 {
                break;
            }
        }
        self.blank(end);
    }

    /// The number of hashes if a raw string begins here.
    fn raw_string(&self) -> Option<usize> {
        let rest = &self.text[self.at..];
        let rest = match rest {
            ['b' | 'c', 'r', rest @ ..] | ['r', rest @ ..] => rest,
            _ => return None,
        };
        let hashes = rest.iter().take_while(|&&c| c == '#').count();
        (rest.get(hashes) == Some(&'"')).then_some(hashes)
    }

    fn literal(&mut self, hashes: usize, close: &str) {
        let open = self.find("\"").unwrap_or(self.at);
        self.blank(open + 1);
        let end = self.find(close).unwrap_or(self.text.len());
        self.strings
            .push((self.at, self.text[self.at..end].iter().collect()));
        self.blank((end + 1 + hashes).min(self.text.len()));
    }

    fn string(&mut self) {
        let mut end = self.at + 1;
        while end < self.text.len() && self.text[end] != '"' {
            end += 1 + usize::from(self.text[end] == '\\');
        }
        let end = end.min(self.text.len());
        self.strings
            .push((self.at, self.text[self.at + 1..end].iter().collect()));
        self.blank((end + 1).min(self.text.len()));
    }

    /// A character literal, or the mark of a lifetime.
    fn quote(&mut self) {
        let end = match self.text.get(self.at + 1..) {
            Some(['\\', _, rest @ ..]) => {
                self.at + 3 + rest.iter().take_while(|&&c| c != '\'').count() + 1
            }
            Some([_, '\'', ..]) => self.at + 3,
            _ => self.at + 1,
        };
        self.blank(end.min(self.text.len()));
    }
}

/// Where items under `#[cfg(test)]` and the like are.
fn test_items(code: &[char]) -> Vec<std::ops::Range<usize>> {
    let mut items = Vec::new();
    for mark in ["#[cfg(test)]", "#[cfg(all(test"] {
        let mark: Vec<char> = mark.chars().collect();
        for start in 0..code.len().saturating_sub(mark.len()) {
            if code[start..].starts_with(&mark) {
                items.push(start..item_end(code, start));
            }
        }
    }
    items
}

/// The end of the item that begins at `start`: its `;`, or the brace that closes it.
fn item_end(code: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    for (n, c) in code.iter().enumerate().skip(start) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => return n + 1,
            _ => continue,
        }
        if depth == 0 {
            return n + 1;
        }
    }
    code.len()
}
