/// stub
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// stub
    Trusted,
    /// stub
    LinkOnly,
}
