//! Which kind the calls of a layer are of: by its side, and by what its telemetry calls the status.

use crate::call::settings::Role;
use crate::descriptor::{
    RPC_CALL, RPC_CALL_NEXT, RPC_CLIENT, RPC_CLIENT_NEXT, RPC_SERVER, RPC_SERVER_NEXT, StatusKey,
};
use obs_core::{Descriptor, Kind, Telemetry};
use std::sync::Arc;

/// What a layer is told of its kind before there is one: it is registered when a service is first wrapped, because it is
/// known only then which it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) key: StatusKey,
    /// Values of labels that keep their place, each with the label's index.
    pub(crate) known: Vec<(usize, Arc<str>)>,
}

impl Told {
    pub(crate) fn kind(&self, telemetry: &Telemetry, role: Role) -> &'static Kind {
        let kind = registered(telemetry, role, self.key);
        for (label, value) in &self.known {
            kind.reserve(*label, value);
        }
        kind
    }
}

/// What stands in settings until then.
pub(crate) fn none_yet(role: Role) -> &'static Kind {
    Telemetry::noop().kind(descriptor(role, StatusKey::default()))
}

const fn descriptor(role: Role, key: StatusKey) -> &'static Descriptor {
    match (role, key) {
        (Role::Server, StatusKey::ResponseStatusCode) => &RPC_SERVER,
        (Role::Server, StatusKey::StatusCode) => &RPC_SERVER_NEXT,
        (Role::Client, StatusKey::ResponseStatusCode) => &RPC_CLIENT,
        (Role::Client, StatusKey::StatusCode) => &RPC_CLIENT_NEXT,
        (Role::Logical, StatusKey::ResponseStatusCode) => &RPC_CALL,
        (Role::Logical, StatusKey::StatusCode) => &RPC_CALL_NEXT,
    }
}

/// All layers of a telemetry call the status the same, as the first of them: or one metric would be two, each with a part of
/// the calls, and whoever sums over its statuses would have no idea.
fn registered(telemetry: &Telemetry, role: Role, key: StatusKey) -> &'static Kind {
    let other = match key {
        StatusKey::ResponseStatusCode => StatusKey::StatusCode,
        StatusKey::StatusCode => StatusKey::ResponseStatusCode,
    };
    let kinds = telemetry.kinds();
    let has = |key| {
        let is_one = |kind: &Kind| {
            let roles = [Role::Server, Role::Client, Role::Logical];
            let mut all = roles.into_iter().map(|role| descriptor(role, key));
            all.any(|descriptor| std::ptr::eq(kind.descriptor(), descriptor))
        };
        kinds.iter().any(|kind| is_one(kind))
    };
    if has(key) || !has(other) {
        return telemetry.kind(descriptor(role, key));
    }
    let kind = telemetry.kind(descriptor(role, other));
    kind.warn(&format!(
        "a layer for RPCs is to call the status `{}`, and others of this telemetry call it `{}`: so does this one",
        key.as_str(),
        other.as_str()
    ));
    kind
}
