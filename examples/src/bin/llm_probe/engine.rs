//! What the engine says of itself: its `/metrics`, its slots, its tokenizer. Asked for directly, with blocking sockets.

use crate::Result;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Engine(pub(crate) SocketAddr);

/// How many tokens it counted since it began. What it read of prompts is without what its cache had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) read: u64,
    pub(crate) cached: u64,
    pub(crate) written: u64,
}

impl Account {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            cached: self.cached + other.cached,
            written: self.written + other.written,
        }
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            read: self.read - before.read,
            cached: self.cached - before.cached,
            written: self.written - before.written,
        }
    }
}

/// One of the places where requests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) runs: bool,
    /// The last request, counted by the engine.
    pub(crate) task: Option<u64>,
    /// How many tokens it holds: of the prompt, and of the answer all but the last.
    pub(crate) holds: u64,
}

impl Slot {
    /// What was done for a request of which nothing was in the cache, by what its slot holds in the end. The last token that
    /// was written is not held: it would be read next.
    pub(crate) fn spent(&self, prompt: u64) -> Account {
        let (read, written) = match self.holds.checked_sub(prompt) {
            None => (self.holds, 0),
            Some(more) => (prompt, more + 1),
        };
        Account {
            read,
            cached: 0,
            written,
        }
    }
}

impl Engine {
    /// What it counted, once nothing runs any more.
    ///
    /// It writes numbers with six digits, so from a million on the last ones are lost; no run here comes near.
    pub(crate) fn account(self) -> Result<Account> {
        let page = self.settled(|| {
            let page = self.get("/metrics")?;
            let busy = number(&page, "requests_processing")? + number(&page, "requests_deferred")?;
            Ok((busy == 0).then_some(page))
        })?;
        let account = Account {
            read: number(&page, "prompt_tokens_total")?,
            cached: number(&page, "prompt_tokens_cached_total")?,
            written: number(&page, "tokens_predicted_total")?,
        };
        let most = account.read.max(account.cached).max(account.written);
        if most >= 1_000_000 {
            return Err(format!("{account:?} is rounded").into());
        }
        Ok(account)
    }

    pub(crate) fn slot(self, slot: usize) -> Result<Slot> {
        let slots: Value = serde_json::from_str(&self.get("/slots")?)?;
        let slot = &slots[slot];
        Ok(Slot {
            runs: slot["is_processing"].as_bool().ok_or("no such slot")?,
            task: slot["id_task"].as_u64(),
            holds: slot["n_prompt_tokens"].as_u64().unwrap_or_default(),
        })
    }

    /// A slot, once nothing runs in it.
    pub(crate) fn idle_slot(self, slot: usize) -> Result<Slot> {
        self.settled(|| Ok(Some(self.slot(slot)?).filter(|slot| !slot.runs)))
    }

    /// How many tokens a prompt has: as it is, or as the only message of a chat.
    pub(crate) fn tokens_of(self, prompt: &str, is_chat: bool) -> Result<u64> {
        let mut text = json!({"content": prompt, "parse_special": true});
        if is_chat {
            let chat = json!({"messages": [{"role": "user", "content": prompt}]});
            let chat: Value = serde_json::from_str(&self.post("/apply-template", &chat)?)?;
            text["content"] = chat["prompt"].clone();
        }
        let tokens: Value = serde_json::from_str(&self.post("/tokenize", &text)?)?;
        Ok(tokens["tokens"].as_array().ok_or("no tokens")?.len() as u64)
    }

    fn settled<T>(self, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(settled) = ask()? {
                return Ok(settled);
            }
            if Instant::now() > until {
                return Err("the engine does not come to rest".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn get(self, path: &str) -> Result<String> {
        self.ask(&format!(
            "GET {path} HTTP/1.1\r\nhost: engine\r\nconnection: close\r\n\r\n"
        ))
    }

    fn post(self, path: &str, body: &Value) -> Result<String> {
        let body = body.to_string();
        let length = body.len();
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nhost: engine\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    fn ask(self, request: &str) -> Result<String> {
        let mut socket = TcpStream::connect(self.0)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        socket.write_all(request.as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or("an answer without an end")?;
        match head.split(' ').nth(1) {
            Some("200") => Ok(body.to_owned()),
            _ => Err(format!("the engine says {head}\n{body}").into()),
        }
    }
}

/// A number of the page.
fn number(page: &str, name: &str) -> Result<u64> {
    let name = format!("llamacpp:{name} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&name));
    let value = value.ok_or_else(|| format!("/metrics has no {name}"))?;
    Ok(value.trim().parse::<f64>()? as u64)
}
