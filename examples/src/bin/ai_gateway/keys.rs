//! Who may ask, each by a key, and counted by a name.

use crate::Result;
use axum::http::{HeaderMap, header};
use std::collections::{HashMap, HashSet};
use std::fs;

/// So many names are told apart on metrics; a file with more is refused, so that none of them is `_OTHER`.
pub(crate) const MOST: usize = 256;

/// Who everybody is where no file says it.
const ANONYMOUS: &str = "anonymous";

/// Those who may ask. What they are known by is their place in [`names`](Self::names).
pub(crate) struct Keys {
    names: Vec<String>,
    /// None: anybody may.
    places: Option<HashMap<String, usize>>,
}

impl Keys {
    pub(crate) fn anybody() -> Self {
        Self {
            names: vec![ANONYMOUS.to_owned()],
            places: None,
        }
    }

    /// A name, a space and a key on each line; empty lines and those that begin with `#` are passed over.
    pub(crate) fn from_file(path: &str) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        Self::from_text(&text).map_err(|error| format!("{path}: {error}").into())
    }

    fn from_text(text: &str) -> Result<Self> {
        let (mut names, mut places) = (Vec::new(), HashMap::new());
        for (at, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // What stands in such a line is nothing to print.
            let (name, key) = line
                .split_once(char::is_whitespace)
                .ok_or_else(|| format!("line {at} is no name and key"))?;
            if places.insert(key.trim().to_owned(), names.len()).is_some() {
                return Err(format!("the key of line {at} is somebody else's already").into());
            }
            names.push(name.to_owned());
        }
        let different: HashSet<_> = names.iter().collect();
        if different.len() < names.len() {
            return Err("a name stands there twice".into());
        }
        if names.is_empty() || names.len() > MOST {
            return Err(format!("{} keys, and not 1 to {MOST}", names.len()).into());
        }
        Ok(Self {
            names,
            places: Some(places),
        })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whose request it is, by `authorization: Bearer`.
    pub(crate) fn place(&self, headers: &HeaderMap) -> Option<usize> {
        let Some(places) = &self.places else {
            return Some(0);
        };
        let said = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, key) = said.split_once(' ')?;
        let is_bearer = scheme.eq_ignore_ascii_case("bearer");
        is_bearer.then(|| places.get(key.trim()).copied())?
    }
}

/// No key is printed.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn asks(authorization: &str, expect: Option<&str>) {
        let keys = Keys::from_text("# who asks\n\nann  sk-1\nben\tsk-2 \n").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        let place = keys.place(&headers);
        assert_eq!(place.map(|place| keys.names()[place].as_str()), expect);
    }

    #[test]
    fn a_key_has_a_name() {
        asks("Bearer sk-1", Some("ann"));
        asks("bearer  sk-2", Some("ben"));
        asks("Bearer sk-3", None);
        asks("Bearer ", None);
        asks("Basic sk-1", None);
        asks("sk-1", None);
        // A name is no key.
        asks("Bearer ann", None);
    }

    #[test]
    fn without_a_key_nobody_is_let_in_unless_anybody_is() {
        let none = HeaderMap::new();
        assert_eq!(Keys::from_text("ann sk-1").unwrap().place(&none), None);
        assert_eq!(Keys::anybody().place(&none), Some(0));
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        let error = Keys::from_text(text).unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("sk-"), "{error}");
    }

    #[test]
    fn a_file_that_makes_no_sense_is_refused_without_its_keys() {
        refused("", "0 keys");
        refused("sk-alone", "line 1");
        refused("ann sk-1\nben sk-1", "line 2");
        refused("ann sk-1\nann sk-2", "twice");
        let many: Vec<_> = (0..=MOST).map(|n| format!("n{n} sk-{n}")).collect();
        refused(&many.join("\n"), "257 keys");
    }
}
