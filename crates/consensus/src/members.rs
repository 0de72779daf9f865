//! Changing who takes part, and who leads.

use std::collections::{BTreeMap, BTreeSet};

use openraft::{
    ChangeMembers, async_runtime::watch::WatchReceiver as _, errors::ChangeMembershipError,
};

use crate::{
    Consensus, Member, MembershipError, PeerInfo, ProposeError, StateMachine, TransferError,
    propose::{Refused, refused_write},
    raft::{ClientWriteError, Erased, ForwardToLeader, RaftError, Types},
    status,
};

type Written = openraft::raft::ClientWriteResponse<Types>;
type Change = ChangeMembers<u64, PeerInfo>;

impl<M: StateMachine> Consensus<M> {
    /// Voters and learners, as of the last membership entry in this node's log.
    pub fn members(&self) -> Vec<Member> {
        let metrics = self.raft().server_metrics();
        let metrics = metrics.borrow_watched();
        status::members(&metrics.membership_config)
    }

    /// Adds a node that receives the log but does not vote, and waits until it has caught up.
    /// A member that is known under another address gets the new one.
    pub async fn add_learner(&self, id: u64, info: PeerInfo) -> Result<(), MembershipError> {
        let known = self.members().into_iter().find(|member| member.id == id);
        if known.is_some_and(|known| known.address != info.address || known.name != info.name) {
            let nodes = BTreeMap::from([(id, info.clone())]);
            self.change(ChangeMembers::SetNodes(nodes), true).await?;
        }
        self.write(|| self.raft().add_learner(id, info.clone(), true))
            .await
    }

    /// Adds a node that votes; it catches up as a learner first.
    pub async fn add_voter(&self, id: u64, info: PeerInfo) -> Result<(), MembershipError> {
        self.add_learner(id, info).await?;
        self.change(ChangeMembers::AddVoterIds(BTreeSet::from([id])), true)
            .await
    }

    /// Takes the vote of a member away; it stays as a learner.
    pub async fn demote(&self, id: u64) -> Result<(), MembershipError> {
        self.known(id)?;
        self.change(ChangeMembers::RemoveVoters(BTreeSet::from([id])), true)
            .await
    }

    /// Removes a member. A leader that removes itself hands over first.
    pub async fn remove(&self, id: u64) -> Result<(), MembershipError> {
        let ids = BTreeSet::from([id]);
        let change = match self.known(id)?.voter {
            true => ChangeMembers::RemoveVoters(ids),
            false => ChangeMembers::RemoveNodes(ids),
        };
        self.change(change, false).await
    }

    fn known(&self, id: u64) -> Result<Member, MembershipError> {
        self.members()
            .into_iter()
            .find(|member| member.id == id)
            .ok_or(MembershipError::Unknown { id })
    }

    async fn change(&self, change: Change, retain: bool) -> Result<(), MembershipError> {
        self.write(|| self.raft().change_membership(change.clone(), retain))
            .await
    }

    async fn write<F>(&self, call: impl Fn() -> F) -> Result<(), MembershipError>
    where
        F: Future<Output = Result<Written, RaftError<ClientWriteError>>>,
    {
        let refusal = std::sync::Mutex::new(None);
        let result = self
            .when_ready(call, |error| match error {
                // A leader so fresh that its first entry is not committed: the next try may do.
                ClientWriteError::ChangeMembershipError(
                    ChangeMembershipError::UncommittedLeaderLog(_),
                ) => Refused::Forward(Box::new(ForwardToLeader::empty())),
                ClientWriteError::ChangeMembershipError(error) => {
                    let text = error.to_string();
                    if let Ok(mut refusal) = refusal.lock() {
                        *refusal = Some(explain(error));
                    }
                    Refused::Final(ProposeError::Stopped(text))
                }
                other => refused_write(other),
            })
            .await;
        let refusal = refusal.into_inner().ok().flatten();
        match (result, refusal) {
            (
                Ok(Written {
                    data: Erased(_), ..
                }),
                _,
            ) => Ok(()),
            (Err(_), Some(refusal)) => Err(refusal),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Hands leadership to `to`, or to the voter that is furthest along; returns when it leads.
    pub async fn transfer_leadership(&self, to: Option<u64>) -> Result<u64, TransferError> {
        let mut leadership = self.leadership_changes();
        if !leadership.borrow_and_update().is_leader {
            let leader = leadership.borrow().leader.clone();
            return Err(TransferError::NotLeader { leader });
        }
        let target = self.successor(to)?;
        let stopped = |error: &dyn std::fmt::Display| TransferError::Stopped(error.to_string());
        self.raft()
            .trigger()
            .transfer_leader(target)
            .await
            .map_err(|fatal| stopped(&fatal))?;
        let timeout = self.config().election_max * 2;
        let taken_over = leadership.wait_for(|now| {
            let leader = now.leader.as_ref().map(|leader| leader.id);
            now.stopped.is_some() || leader.is_some_and(|id| id != self.node_id())
        });
        match tokio::time::timeout(timeout, taken_over).await {
            Err(_) => Err(TransferError::Timeout(timeout)),
            Ok(Err(closed)) => Err(stopped(&closed)),
            Ok(Ok(now)) => match (&now.stopped, &now.leader) {
                (None, Some(leader)) => Ok(leader.id),
                (Some(reason), _) => Err(stopped(reason)),
                (None, None) => Err(TransferError::Timeout(timeout)),
            },
        }
    }

    fn successor(&self, wanted: Option<u64>) -> Result<u64, TransferError> {
        let status = self.status();
        let mut voters = status
            .members
            .iter()
            .filter(|member| member.voter && member.id != self.node_id());
        if let Some(id) = wanted {
            return match voters.any(|member| member.id == id) {
                true => Ok(id),
                false => Err(TransferError::Unknown { id }),
            };
        }
        let matched = |id: u64| {
            let peer = status.peers.iter().find(|peer| peer.id == id);
            peer.and_then(|peer| peer.matched)
        };
        voters
            .map(|member| member.id)
            .max_by_key(|id| matched(*id))
            .ok_or(TransferError::NoTarget)
    }
}

fn explain(error: ChangeMembershipError<crate::raft::LeaderId, u64>) -> MembershipError {
    match error {
        ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_) => {
            MembershipError::InProgress
        }
        ChangeMembershipError::EmptyMembership(_) => MembershipError::LastVoter,
        ChangeMembershipError::LearnerNotFound(missing) => MembershipError::Unknown {
            id: missing.node_id,
        },
        other @ (ChangeMembershipError::UnsupportedMembershipTransition(_)
        | ChangeMembershipError::NodeMetadataChanged(_)) => {
            MembershipError::Refused(other.to_string())
        }
    }
}
