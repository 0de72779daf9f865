//! Volumes of the host and of plugins, snapshots, claims, plugins.

use caravan_acl::{Access, CoarseRule, NamespaceCapability::*};

use super::ns;
use crate::{
    method::Methods,
    op::Op,
    route::{Forward::*, Route, route},
};

const GET: Methods = Methods::GET;
const PUT: Methods = Methods::PUT;
const WRITE: Methods = Methods::WRITE;
const DELETE: Methods = Methods::DELETE;
const PLUGIN_READ: Access = Access::Plugin(CoarseRule::Read);
// The plugin rule is asked for where plugins themselves are shown.
const CSI_LIST: Access = ns(&[CsiListVolume]);
const CSI_READ: Access = ns(&[CsiReadVolume]);
const CSI_WRITE: Access = ns(&[CsiWriteVolume]);
const CSI_REGISTER: Access = Access::All(&[CSI_WRITE, PLUGIN_READ]);
const HOST_DELETE: Access = ns(&[HostVolumeDelete, HostVolumeWrite]);

pub(super) const ROUTES: &[Route] = &[
    route(
        GET,
        "/v1/volumes",
        Op::VolumeList,
        Access::ByContent,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/volumes",
        Op::VolumeRegister,
        CSI_REGISTER,
        Leader,
    ),
    route(
        GET,
        "/v1/volumes/external",
        Op::VolumeListExternal,
        CSI_LIST,
        AnyServer,
    ),
    route(
        GET,
        "/v1/volumes/snapshot",
        Op::SnapshotList,
        ns(&[CsiListVolume]),
        AnyServer,
    ),
    route(
        WRITE,
        "/v1/volumes/snapshot",
        Op::SnapshotCreate,
        ns(&[CsiWriteVolume]),
        Leader,
    ),
    route(
        DELETE,
        "/v1/volumes/snapshot",
        Op::SnapshotDelete,
        ns(&[CsiWriteVolume]),
        Leader,
    ),
    route(
        GET,
        "/v1/volume/csi/:id",
        Op::CsiVolumeRead,
        CSI_READ,
        AnyServer,
    )
    .blocking(),
    route(
        PUT,
        "/v1/volume/csi/:id",
        Op::CsiVolumeRegister,
        CSI_REGISTER,
        Leader,
    ),
    route(
        DELETE,
        "/v1/volume/csi/:id",
        Op::CsiVolumeDeregister,
        CSI_WRITE,
        Leader,
    ),
    route(
        PUT,
        "/v1/volume/csi/:id/create",
        Op::CsiVolumeCreate,
        CSI_REGISTER,
        Leader,
    ),
    route(
        DELETE,
        "/v1/volume/csi/:id/detach",
        Op::CsiVolumeDetach,
        CSI_WRITE,
        Leader,
    ),
    route(
        DELETE,
        "/v1/volume/csi/:id/delete",
        Op::CsiVolumeDelete,
        CSI_WRITE,
        Leader,
    ),
    route(
        WRITE,
        "/v1/volume/host/create",
        Op::HostVolumeCreate,
        ns(&[HostVolumeCreate, HostVolumeWrite]),
        Leader,
    ),
    route(
        WRITE,
        "/v1/volume/host/register",
        Op::HostVolumeRegister,
        ns(&[HostVolumeRegister, HostVolumeWrite]),
        Leader,
    ),
    route(
        GET,
        "/v1/volume/host/:id",
        Op::HostVolumeRead,
        ns(&[HostVolumeRead]),
        AnyServer,
    )
    .blocking()
    .wrong_method(404, "resource not found"),
    route(
        DELETE,
        "/v1/volume/host/:id",
        Op::HostVolumeDelete,
        HOST_DELETE,
        Leader,
    ),
    route(
        DELETE,
        "/v1/volume/host/:id/*rest",
        Op::HostVolumeDelete,
        HOST_DELETE,
        Leader,
    )
    .wrong_method(404, "resource not found"),
    route(
        Methods::ANY,
        "/v1/volumes/claims",
        Op::VolumeClaimList,
        ns(&[HostVolumeRead]),
        AnyServer,
    )
    .blocking(),
    route(
        DELETE,
        "/v1/volumes/claim/:id",
        Op::VolumeClaimDelete,
        HOST_DELETE,
        Leader,
    ),
    route(
        GET,
        "/v1/plugins",
        Op::PluginList,
        Access::Plugin(CoarseRule::List),
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/plugin/csi/:id",
        Op::PluginRead,
        PLUGIN_READ,
        AnyServer,
    )
    .blocking(),
];
