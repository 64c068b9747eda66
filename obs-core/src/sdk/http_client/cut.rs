//! Requests of others: how many items are in one, and the same in parts where it is too large.

use super::walk::{Fields, Malformed};
use crate::courier::Signal;
use crate::encode::{Buffer, FRAME, ResourceBytes, Scoped, join};

mod field {
    /// Of `Export…ServiceRequest`.
    pub(super) const RESOURCE_ITEMS: u64 = 1;
    /// Of `Resource…`.
    pub(super) const SCOPE_ITEMS: u64 = 2;
    /// Of `Scope…`.
    pub(super) const ITEMS: u64 = 2;
    /// Of `Metric`: its data, by kind.
    pub(super) const DATA: [u64; 5] = [5, 7, 9, 10, 11];
    /// Of each of them.
    pub(super) const POINTS: u64 = 1;
}

/// What was in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) items: u64,
    /// Of them, those that are in none of the bodies that were emitted.
    pub(super) too_large: u64,
}

/// One resource's or scope's fields but for what is in it, and what is in it.
struct Part<'a> {
    /// Copied, because they need not stand together.
    frame: Vec<u8>,
    inside: Vec<&'a [u8]>,
}

impl<'a> Part<'a> {
    /// `inside`: the field that holds what is in it; `whole`: with its tag.
    fn of(message: &'a [u8], inside: u64, whole: bool) -> Result<Self, Malformed> {
        let mut part = Self {
            frame: Vec::new(),
            inside: Vec::new(),
        };
        for field in Fields::of(message) {
            let field = field?;
            match field.inside {
                Some(content) if field.number == inside => {
                    part.inside.push(if whole { field.whole } else { content });
                }
                None if field.number == inside => return Err(Malformed),
                _ => part.frame.extend_from_slice(field.whole),
            }
        }
        Ok(part)
    }
}

/// Emits a request as it is, or, if it is longer than `limit`, in bodies that are not, each with the number of its items; an
/// item that is longer by itself has a body of its own, of `most` bytes. Nothing is emitted of a request that cannot be read.
pub(super) fn cut(
    signal: Signal,
    request: &[u8],
    limit: usize,
    most: usize,
    emit: &mut dyn FnMut(&[u8], u64),
) -> Result<Cut, Malformed> {
    let mut resources = Vec::new();
    let mut items = 0;
    let all = Part::of(request, field::RESOURCE_ITEMS, false)?;
    for resource in all.inside {
        let resource = Part::of(resource, field::SCOPE_ITEMS, false)?;
        let mut scopes = Vec::new();
        for scope in &resource.inside {
            let scope = Part::of(scope, field::ITEMS, true)?;
            let counted = scope
                .inside
                .iter()
                .map(|item| Ok((*item, count(signal, item)?)));
            let counted: Vec<(&[u8], u64)> = counted.collect::<Result<_, Malformed>>()?;
            items += counted.iter().map(|(_, count)| count).sum::<u64>();
            scopes.push((scope.frame, counted));
        }
        resources.push((resource.frame, scopes));
    }
    if request.len() <= limit {
        // An empty one says nothing, and costs the destination a request.
        if items > 0 {
            emit(request, items);
        }
        return Ok(Cut {
            items,
            too_large: 0,
        });
    }
    let mut too_large = 0;
    for (frame, scopes) in &resources {
        let mut body = Body::new(frame, limit, most);
        for (frame, items) in scopes {
            for (item, count) in items {
                too_large += body.add(frame, item, *count, emit);
            }
        }
        body.emit(emit);
    }
    Ok(Cut { items, too_large })
}

/// Items of one resource, as many as a body has room for.
struct Body<'a> {
    resource: ResourceBytes,
    limit: usize,
    most: usize,
    scopes: Vec<(&'a [u8], Vec<&'a [u8]>)>,
    bytes: usize,
    items: u64,
}

impl<'a> Body<'a> {
    fn new(frame: &[u8], limit: usize, most: usize) -> Self {
        let beside = frame.len() + FRAME;
        Self {
            resource: ResourceBytes::raw(frame),
            limit: limit.saturating_sub(beside),
            most: most.saturating_sub(beside),
            scopes: Vec::new(),
            bytes: 0,
            items: 0,
        }
    }

    /// Says how many of them are too large.
    fn add(
        &mut self,
        scope: &'a [u8],
        item: &'a [u8],
        count: u64,
        emit: &mut dyn FnMut(&[u8], u64),
    ) -> u64 {
        let frame = scope.len() + FRAME;
        if frame + item.len() > self.most {
            return count;
        }
        let is_last = |last: &(&[u8], _)| std::ptr::eq(last.0, scope);
        let known = self.scopes.last().is_some_and(is_last);
        if self.bytes + item.len() + if known { 0 } else { frame } > self.limit {
            self.emit(emit);
        }
        match self.scopes.last_mut() {
            Some(last) if is_last(last) => last.1.push(item),
            _ => {
                self.scopes.push((scope, vec![item]));
                self.bytes += frame;
            }
        }
        self.bytes += item.len();
        self.items += count;
        0
    }

    fn emit(&mut self, emit: &mut dyn FnMut(&[u8], u64)) {
        if self.scopes.is_empty() {
            return;
        }
        let mut body = Buffer::new();
        join(&mut body, &self.resource, || {
            self.scopes.iter().map(|(frame, items)| Scoped {
                head: frame,
                items: items.iter().copied(),
                tail: &[],
            })
        });
        emit(body.as_slice(), self.items);
        self.scopes.clear();
        (self.bytes, self.items) = (0, 0);
    }
}

/// A span and a log record are one, a metric is as many as it has points.
fn count(signal: Signal, item: &[u8]) -> Result<u64, Malformed> {
    if signal != Signal::Metrics {
        return Ok(1);
    }
    let mut points = 0;
    let metric = Fields::of(item).next().ok_or(Malformed)??;
    for data in Fields::of(metric.inside.ok_or(Malformed)?) {
        let data = data?;
        let Some(inside) = data.inside.filter(|_| field::DATA.contains(&data.number)) else {
            continue;
        };
        for point in Fields::of(inside) {
            points += u64::from(point?.number == field::POINTS);
        }
    }
    Ok(points)
}

#[cfg(test)]
mod tests;
