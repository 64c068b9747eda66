//! Sessions (v1.44.0, development).

names! {
    /// The session.
    ID = "session.id";
}
