//! The vocabulary of capabilities, by the words that policy files use.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A word of a policy that is no capability or policy name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {word:?} is not known; expected one of {expected}")]
pub struct UnknownWord {
    pub kind: &'static str,
    pub word: String,
    pub expected: String,
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $kind:literal, { $($variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $(#[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every word, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word as policy files have it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word).ok_or_else(|| UnknownWord {
                    kind: $kind,
                    word: word.to_owned(),
                    expected: Self::ALL.iter().map(|known| known.as_str()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What may be done to the things of one namespace.
    NamespaceCapability, "namespace capability", {
        Deny = "deny",
        ListJobs = "list-jobs",
        ParseJob = "parse-job",
        ReadJob = "read-job",
        SubmitJob = "submit-job",
        DispatchJob = "dispatch-job",
        ScaleJob = "scale-job",
        ReadLogs = "read-logs",
        ReadFs = "read-fs",
        AllocExec = "alloc-exec",
        AllocNodeExec = "alloc-node-exec",
        AllocLifecycle = "alloc-lifecycle",
        SentinelOverride = "sentinel-override",
        CsiRegisterPlugin = "csi-register-plugin",
        CsiWriteVolume = "csi-write-volume",
        CsiReadVolume = "csi-read-volume",
        CsiListVolume = "csi-list-volume",
        CsiMountVolume = "csi-mount-volume",
        HostVolumeCreate = "host-volume-create",
        HostVolumeRegister = "host-volume-register",
        HostVolumeRead = "host-volume-read",
        HostVolumeWrite = "host-volume-write",
        HostVolumeDelete = "host-volume-delete",
        ListScalingPolicies = "list-scaling-policies",
        ReadScalingPolicy = "read-scaling-policy",
        ReadJobScaling = "read-job-scaling",
        SubmitRecommendation = "submit-recommendation",
        RegisterJob = "register-job",
        RevertJob = "revert-job",
        DeregisterJob = "deregister-job",
        PurgeJob = "purge-job",
        EvaluateJob = "evaluate-job",
        PlanJob = "plan-job",
        TagJobVersion = "tag-job-version",
        StableJob = "stable-job",
        FailDeployment = "fail-deployment",
        PauseDeployment = "pause-deployment",
        PromoteDeployment = "promote-deployment",
        UnblockDeployment = "unblock-deployment",
        CancelDeployment = "cancel-deployment",
        SetAllocHealthDeployment = "set-alloc-health-deployment",
        GcAllocation = "gc-allocation",
        PauseAllocation = "pause-allocation",
        ForcePeriodicJob = "force-periodic-job",
        DeleteServiceRegistration = "delete-service-registration",
    }
}

words! {
    /// What may be done to a node pool.
    NodePoolCapability, "node pool capability", {
        Deny = "deny",
        Read = "read",
        Write = "write",
        Delete = "delete",
    }
}

words! {
    /// How a volume of the host may be mounted.
    HostVolumeCapability, "host volume capability", {
        Deny = "deny",
        MountReadonly = "mount-readonly",
        MountReadwrite = "mount-readwrite",
    }
}

words! {
    /// What may be done to the variables under a path.
    VariableCapability, "variables capability", {
        Deny = "deny",
        List = "list",
        Read = "read",
        Write = "write",
        Destroy = "destroy",
    }
}

words! {
    /// What may be done to the cluster beside the coarse operator rule.
    OperatorCapability, "operator capability", {
        Deny = "deny",
        SnapshotSave = "snapshot-save",
        LicenseRead = "license-read",
        KeyringRotate = "keyring-rotate",
        KeyringRead = "keyring-read",
        KeyringDelete = "keyring-delete",
    }
}

words! {
    /// What may be done to policies of the Sentinel language, which this edition reads and does not have.
    SentinelCapability, "sentinel capability", {
        SentinelRead = "sentinel-read",
        SentinelSubmit = "sentinel-submit",
        SentinelDelete = "sentinel-delete",
    }
}

impl NamespaceCapability {
    /// The capabilities that come with this one.
    pub const fn implies(self) -> &'static [Self] {
        match self {
            Self::HostVolumeWrite => &[
                Self::HostVolumeRegister,
                Self::HostVolumeCreate,
                Self::HostVolumeDelete,
                Self::HostVolumeRead,
            ],
            Self::HostVolumeRegister => &[Self::HostVolumeCreate, Self::HostVolumeRead],
            Self::HostVolumeCreate => &[Self::HostVolumeRead],
            _ => &[],
        }
    }
}
