//! What exists before the first command: the default namespace and the built-in node pools.

use crate::state::State;
use caravan_model::*;
use std::sync::Arc;

/// The index that built-in rows carry.
const BUILT_IN_INDEX: u64 = 1;
/// How long identities of nodes last when their pool says nothing.
const NODE_IDENTITY_TTL: Duration = Duration::from_secs(24 * 3600);

/// What stands for the content of the default namespace until somebody changes it.
const DEFAULT_NAMESPACE_HASH: [u8; 32] = *b"caravan/namespace/default/shared";

impl State {
    /// The state of a cluster to which nothing has happened yet.
    #[must_use]
    pub fn initial() -> Self {
        let mut state = Self::default();
        let namespace = Namespace {
            name: NamespaceName::default_namespace(),
            description: "Default shared namespace".to_owned(),
            hash: DEFAULT_NAMESPACE_HASH.to_vec(),
            create_index: BUILT_IN_INDEX,
            modify_index: BUILT_IN_INDEX,
            ..Namespace::default()
        };
        state
            .namespaces
            .insert(NamespaceName::DEFAULT.to_owned(), Arc::new(namespace));
        for (name, description) in crate::apply::BUILT_IN_POOLS {
            let pool = NodePool {
                name: name.to_owned(),
                description: description.to_owned(),
                node_identity_ttl: NODE_IDENTITY_TTL,
                create_index: BUILT_IN_INDEX,
                modify_index: BUILT_IN_INDEX,
                ..NodePool::default()
            };
            state.node_pools.insert(name.to_owned(), Arc::new(pool));
        }
        state
            .indexes
            .set(crate::table::Table::Namespaces, BUILT_IN_INDEX);
        state
            .indexes
            .set(crate::table::Table::NodePools, BUILT_IN_INDEX);
        state
    }
}
