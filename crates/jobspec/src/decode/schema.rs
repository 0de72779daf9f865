//! What a body may contain.

/// The attributes and blocks of a body.
pub(crate) struct Schema {
    pub(crate) attributes: &'static [&'static str],
    pub(crate) blocks: &'static [BlockType],
}

/// A type of blocks.
#[derive(Clone, Copy)]
pub(crate) struct BlockType {
    pub(crate) name: &'static str,
    /// What each label is called.
    pub(crate) labels: &'static [&'static str],
    /// There may be only one.
    pub(crate) single: bool,
}

/// Any number of blocks.
pub(crate) const fn many(name: &'static str) -> BlockType {
    BlockType {
        name,
        labels: &[],
        single: false,
    }
}

/// One block.
pub(crate) const fn one(name: &'static str) -> BlockType {
    BlockType {
        name,
        labels: &[],
        single: true,
    }
}

/// Any number of blocks with a name each.
pub(crate) const fn named(name: &'static str) -> BlockType {
    BlockType {
        name,
        labels: &["name"],
        single: false,
    }
}
