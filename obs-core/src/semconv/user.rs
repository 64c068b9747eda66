//! Users (v1.44.0, development).

names! {
    /// The user.
    ID = "user.id";
}
