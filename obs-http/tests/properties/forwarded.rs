//! What holds for every input of the reader of `Forwarded` and the `X-Forwarded-` headers. Shared by the property tests, the
//! committed corpus and the fuzz target.
//!
//! Ours reads from the end; it is compared with a reading from the beginning, written for plainness, on what is well-formed
//! as a whole. What proxies wrote has to stand whatever a stranger put before it, well-formed or not.

use http::{HeaderMap, HeaderName, HeaderValue};
use obs_http::{Client, Forwarded, Original};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A rule and its input: the first line says how many proxies and which headers (`2s`, `1x`), each further one is a value;
/// of the `X-Forwarded-` headers its first byte says which.
pub(crate) struct Input {
    standard: bool,
    proxies: usize,
    headers: HeaderMap,
}

impl Input {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let rule = lines.next().unwrap_or_default();
        let proxies = rule.first().map_or(1, |byte| usize::from(byte % 8));
        let standard = rule.get(1) != Some(&b'x');
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = match line.split_first() {
                _ if standard => ("forwarded", line),
                Some((b'p', value)) => ("x-forwarded-proto", value),
                Some((b'h', value)) => ("x-forwarded-host", value),
                Some((b'o', value)) => ("x-forwarded-port", value),
                Some((_, value)) => ("x-forwarded-for", value),
                None => continue,
            };
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        Self {
            standard,
            proxies,
            headers,
        }
    }

    fn lines(&self, name: &str) -> Vec<&[u8]> {
        self.headers
            .get_all(name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect()
    }
}

pub(crate) fn read<'a>(rule: &Forwarded, headers: &'a HeaderMap) -> Original<'a> {
    rule.read(headers)
}

/// Checks a reader on one input.
#[track_caller]
pub(crate) fn check(
    read: impl for<'a> Fn(&Forwarded, &'a HeaderMap) -> Original<'a>,
    bytes: &[u8],
) {
    let input = Input::of(bytes);
    let rule = match input.standard {
        true => Forwarded::standard(input.proxies),
        false => Forwarded::x_headers(input.proxies),
    };
    let found = read(&rule, &input.headers);
    let shown = bytes.escape_ascii().to_string();
    if let Some(host) = &found.host {
        let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_~%:[]".contains(c);
        assert!(!host.is_empty() && host.chars().all(is_host), "{shown}");
    }
    let expected = match input.standard {
        true => standard(&input),
        false => Some(x_headers(&input)),
    };
    if let Some((client, https, host, port)) = expected {
        let found = (found.client, found.https, found.host.as_deref(), found.port);
        assert_eq!(found, (client, https, host.as_deref(), port), "{shown}");
    }

    // Our own proxy adds to what is there, in a line of its own or at the end of the last.
    let mut headers = input.headers.clone();
    let (name, value) = match input.standard {
        true => ("forwarded", "for=\"[2001:db8::9]:9\";proto=https"),
        false => ("x-forwarded-for", "[2001:db8::9]:9"),
    };
    headers.append(name, HeaderValue::from_static(value));
    believed(&read, input.standard, &headers, &shown);
    if let Some(last) = input.lines(name).last() {
        let joined = [last, b", ".as_slice(), value.as_bytes()].concat();
        let joined = HeaderValue::from_bytes(&joined).expect("of two good values");
        let mut headers = HeaderMap::new();
        headers.append(name, joined);
        believed(&read, input.standard, &headers, &shown);
    }
}

#[track_caller]
fn believed(
    read: &impl for<'a> Fn(&Forwarded, &'a HeaderMap) -> Original<'a>,
    standard: bool,
    headers: &HeaderMap,
    shown: &str,
) {
    let rule = match standard {
        true => Forwarded::standard(1),
        false => Forwarded::x_headers(1),
    };
    let ours = read(&rule, headers).client;
    let address = "2001:db8::9".parse().expect("an address");
    assert_eq!(ours, Client::Known(address, Some(9)), "after {shown}");
    assert_eq!(read(&Forwarded::standard(0), headers), Original::default());
}

type Expected = (Client, Option<bool>, Option<String>, Option<u16>);

const NOTHING: Expected = (Client::Unsaid, None, None, None);

/// From the beginning; `None` where it is not well-formed as a whole, which is not for this reading to judge.
fn standard(input: &Input) -> Option<Expected> {
    if input.proxies == 0 {
        return Some(NOTHING);
    }
    // Each line by itself: nobody writes a string over two.
    let lines = input.lines("forwarded").into_iter().map(|line| {
        let text = std::str::from_utf8(line).ok()?;
        split(text, ',').filter(|_| text.is_ascii())
    });
    let lines: Option<Vec<_>> = lines.collect();
    let mut elements = Vec::new();
    for element in lines?.concat() {
        let element = element.trim_matches(BLANK);
        if element.is_empty() {
            continue;
        }
        let mut pairs = Vec::<(String, String)>::new();
        for pair in split(element, ';')? {
            let pair = pair.trim_matches(BLANK);
            if pair.is_empty() {
                continue;
            }
            let (name, value) = pair.split_once('=')?;
            if name.is_empty()
                || !name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
            {
                return None;
            }
            let value = match value.strip_prefix('"') {
                Some(quoted) => unquote(quoted)?,
                None if value.is_empty() => return None,
                None if value.contains(|c: char| !c.is_ascii_graphic() || "\"\\".contains(c)) => {
                    return None;
                }
                None => value.to_owned(),
            };
            let name = name.to_ascii_lowercase();
            if matches!(name.as_str(), "for" | "proto" | "host")
                && pairs.iter().any(|(seen, _)| *seen == name)
            {
                return None;
            }
            pairs.push((name, value));
        }
        elements.push(pairs);
    }
    let Some(element) = elements.get(elements.len().saturating_sub(input.proxies)) else {
        return Some(NOTHING);
    };
    let get = |name: &str| {
        element
            .iter()
            .find(|(seen, _)| seen == name)
            .map(|(_, value)| value.as_str())
    };
    let client = get("for").map_or(Some(Client::Unsaid), node);
    let host = get("host").map_or(Some(None), |text| host(text).map(Some));
    // One thing that makes no sense makes an element of none.
    let (Some(client), Some(host)) = (client, host) else {
        return Some(NOTHING);
    };
    Some((client, get("proto").and_then(https), host, None))
}

/// What the optional white space around a member may be.
const BLANK: [char; 2] = [' ', '\t'];

fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if quoted => quoted = false,
            // Only a value begins with one.
            '"' if before == '=' => quoted = true,
            '"' | '\\' => return None,
            _ if c == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        before = c;
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

fn unquote(quoted: &str) -> Option<String> {
    let (mut plain, mut chars) = (String::new(), quoted.chars());
    loop {
        match chars.next()? {
            '\\' => plain.push(chars.next()?),
            '"' => return chars.next().is_none().then_some(plain),
            c => plain.push(c),
        }
    }
}

fn node(text: &str) -> Option<Client> {
    let hidden = |text: &str| {
        text.len() > 1
            && text.starts_with('_')
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Client::Known(address, None));
    }
    let (name, port) = if text.ends_with(']') {
        (text, None)
    } else {
        match text.rsplit_once(':') {
            Some((name, port)) if hidden(port) => (name, None),
            Some((name, port)) => (name, Some(number(port)?)),
            None => (text, None),
        }
    };
    if name.eq_ignore_ascii_case("unknown") || hidden(name) {
        return Some(Client::Hidden);
    }
    let v6 = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let address = match v6 {
        Some(v6) => IpAddr::V6(v6.parse::<Ipv6Addr>().ok()?),
        None => IpAddr::V4(name.parse::<Ipv4Addr>().ok()?),
    };
    Some(Client::Known(address, port))
}

fn number(text: &str) -> Option<u16> {
    let is_number = text.len() <= 5 && !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn host(text: &str) -> Option<String> {
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_~%:[]".contains(c);
    (!text.is_empty() && text.len() <= 255 && text.chars().all(is_host)).then(|| text.to_owned())
}

fn https(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "https" => Some(true),
        "http" => Some(false),
        _ => None,
    }
}

fn x_headers(input: &Input) -> Expected {
    if input.proxies == 0 {
        return NOTHING;
    }
    let of = |name: &str| {
        let list = input.lines(name).join(&b',');
        let members = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let members: Vec<_> = members.filter(|member| !member.is_empty()).collect();
        let member = members.get(members.len().saturating_sub(input.proxies))?;
        String::from_utf8(member.to_vec()).ok()
    };
    (
        of("x-forwarded-for")
            .and_then(|text| node(&text))
            .unwrap_or_default(),
        of("x-forwarded-proto").and_then(|text| https(&text)),
        of("x-forwarded-host").and_then(|text| host(&text)),
        of("x-forwarded-port").and_then(|text| number(&text)),
    )
}
