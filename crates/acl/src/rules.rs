//! Shorthand policies and the capabilities that each stands for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::capability::{
    HostVolumeCapability, NamespaceCapability, NodePoolCapability, OperatorCapability, UnknownWord,
    words,
};

words! {
    /// A rule without parts: node, agent, operator, plugin, quota. A later word includes the earlier ones,
    /// except that `deny` overrules every other.
    CoarseRule, "policy", {
        List = "list",
        Read = "read",
        Write = "write",
        Deny = "deny",
    }
}

words! {
    /// The shorthand of a namespace rule.
    NamespacePolicy, "namespace policy", {
        Deny = "deny",
        Read = "read",
        Write = "write",
        Scale = "scale",
    }
}

const READ: &[NamespaceCapability] = {
    use NamespaceCapability::*;
    &[
        ListJobs,
        ParseJob,
        ReadJob,
        CsiListVolume,
        CsiReadVolume,
        ReadJobScaling,
        ListScalingPolicies,
        ReadScalingPolicy,
        HostVolumeRead,
    ]
};

const WRITE: &[NamespaceCapability] = {
    use NamespaceCapability::*;
    &[
        ListJobs,
        ParseJob,
        ReadJob,
        CsiListVolume,
        CsiReadVolume,
        ReadJobScaling,
        ListScalingPolicies,
        ReadScalingPolicy,
        HostVolumeRead,
        ScaleJob,
        SubmitJob,
        DispatchJob,
        ReadLogs,
        ReadFs,
        AllocExec,
        AllocLifecycle,
        CsiMountVolume,
        CsiWriteVolume,
        SubmitRecommendation,
        HostVolumeCreate,
    ]
};

const SCALE: &[NamespaceCapability] = {
    use NamespaceCapability::*;
    &[
        ListScalingPolicies,
        ReadScalingPolicy,
        ReadJobScaling,
        ScaleJob,
        ReadJob,
        SubmitRecommendation,
    ]
};

impl NamespacePolicy {
    /// The capabilities that the shorthand stands for.
    pub const fn capabilities(self) -> &'static [NamespaceCapability] {
        match self {
            Self::Deny => &[NamespaceCapability::Deny],
            Self::Read => READ,
            Self::Write => WRITE,
            Self::Scale => SCALE,
        }
    }
}

impl CoarseRule {
    /// Whether having this rule is enough where `needed` is asked for.
    pub const fn covers(self, needed: CoarseRule) -> bool {
        !matches!(self, Self::Deny) && !matches!(needed, Self::Deny) && self as u8 >= needed as u8
    }

    /// The node pool capabilities of the shorthand.
    pub const fn node_pool(self) -> &'static [NodePoolCapability] {
        match self {
            Self::Deny => &[NodePoolCapability::Deny],
            Self::Write => &[
                NodePoolCapability::Delete,
                NodePoolCapability::Read,
                NodePoolCapability::Write,
            ],
            Self::Read | Self::List => &[NodePoolCapability::Read],
        }
    }

    /// The host volume capabilities of the shorthand.
    pub const fn host_volume(self) -> &'static [HostVolumeCapability] {
        match self {
            Self::Deny => &[HostVolumeCapability::Deny],
            Self::Write => &[
                HostVolumeCapability::MountReadonly,
                HostVolumeCapability::MountReadwrite,
            ],
            Self::Read | Self::List => &[HostVolumeCapability::MountReadonly],
        }
    }

    /// The operator capabilities that the operator rule implies.
    pub const fn operator(self) -> &'static [OperatorCapability] {
        use OperatorCapability::*;
        match self {
            Self::Deny => &[Deny],
            Self::Write => &[
                SnapshotSave,
                LicenseRead,
                KeyringRotate,
                KeyringRead,
                KeyringDelete,
            ],
            Self::Read => &[LicenseRead, KeyringRead],
            Self::List => &[],
        }
    }
}
