//! Access control: policies, tokens, roles, auth methods, binding rules, login.

use caravan_acl::{Access, CoarseRule};

use crate::{
    method::Methods,
    op::Op,
    route::{Forward::*, Route, route},
};

const GET: Methods = Methods::GET;
const WRITE: Methods = Methods::WRITE;
const DELETE: Methods = Methods::DELETE;
const OPEN: Access = Access::Anonymous;
const MANAGE: Access = Access::Management;
const OWN: Access = Access::ManagementOrOwn;
const NO_POLICY: &str = "Missing Policy Name";

pub(super) const ROUTES: &[Route] = &[
    route(WRITE, "/v1/acl/bootstrap", Op::AclBootstrap, OPEN, Leader),
    route(GET, "/v1/acl/policies", Op::AclPolicyList, OWN, AnyServer).blocking(),
    route(
        GET,
        "/v1/acl/policy/self",
        Op::AclPolicySelf,
        Access::AnyToken,
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/acl/policy/*name",
        Op::AclPolicyRead,
        OWN,
        AnyServer,
    )
    .blocking()
    .empty_name(NO_POLICY),
    route(
        WRITE,
        "/v1/acl/policy/*name",
        Op::AclPolicyUpsert,
        MANAGE,
        Leader,
    )
    .empty_name(NO_POLICY),
    route(
        DELETE,
        "/v1/acl/policy/*name",
        Op::AclPolicyDelete,
        MANAGE,
        Leader,
    )
    .empty_name(NO_POLICY),
    route(GET, "/v1/acl/tokens", Op::AclTokenList, MANAGE, AnyServer).blocking(),
    route(WRITE, "/v1/acl/token", Op::AclTokenCreate, MANAGE, Leader),
    route(
        WRITE,
        "/v1/acl/token/onetime",
        Op::AclTokenOneTimeCreate,
        Access::AnyToken,
        Leader,
    ),
    route(
        WRITE,
        "/v1/acl/token/onetime/exchange",
        Op::AclTokenOneTimeExchange,
        Access::OwnSecret,
        Leader,
    ),
    route(
        GET,
        "/v1/acl/token/self",
        Op::AclTokenSelf,
        Access::AnyToken,
        AnyServer,
    )
    .blocking(),
    route(
        GET,
        "/v1/acl/token/*accessor",
        Op::AclTokenRead,
        OWN,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/acl/token/*accessor",
        Op::AclTokenUpdate,
        MANAGE,
        Leader,
    ),
    route(
        DELETE,
        "/v1/acl/token/*accessor",
        Op::AclTokenDelete,
        MANAGE,
        Leader,
    ),
    route(GET, "/v1/acl/roles", Op::AclRoleList, OWN, AnyServer).blocking(),
    route(WRITE, "/v1/acl/role", Op::AclRoleCreate, MANAGE, Leader),
    route(
        GET,
        "/v1/acl/role/name/*name",
        Op::AclRoleReadByName,
        OWN,
        AnyServer,
    )
    .blocking(),
    route(GET, "/v1/acl/role/*id", Op::AclRoleRead, OWN, AnyServer).blocking(),
    route(WRITE, "/v1/acl/role/*id", Op::AclRoleUpdate, MANAGE, Leader),
    route(
        DELETE,
        "/v1/acl/role/*id",
        Op::AclRoleDelete,
        MANAGE,
        Leader,
    ),
    route(
        GET,
        "/v1/acl/auth-methods",
        Op::AclAuthMethodList,
        OPEN,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/acl/auth-method",
        Op::AclAuthMethodCreate,
        MANAGE,
        Leader,
    ),
    route(
        GET,
        "/v1/acl/auth-method/*name",
        Op::AclAuthMethodRead,
        MANAGE,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/acl/auth-method/*name",
        Op::AclAuthMethodUpdate,
        MANAGE,
        Leader,
    ),
    route(
        DELETE,
        "/v1/acl/auth-method/*name",
        Op::AclAuthMethodDelete,
        MANAGE,
        Leader,
    ),
    route(
        GET,
        "/v1/acl/binding-rules",
        Op::AclBindingRuleList,
        MANAGE,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/acl/binding-rule",
        Op::AclBindingRuleCreate,
        MANAGE,
        Leader,
    ),
    route(
        GET,
        "/v1/acl/binding-rule/*id",
        Op::AclBindingRuleRead,
        MANAGE,
        AnyServer,
    )
    .blocking(),
    route(
        WRITE,
        "/v1/acl/binding-rule/*id",
        Op::AclBindingRuleUpdate,
        MANAGE,
        Leader,
    ),
    route(
        DELETE,
        "/v1/acl/binding-rule/*id",
        Op::AclBindingRuleDelete,
        MANAGE,
        Leader,
    ),
    route(
        WRITE,
        "/v1/acl/oidc/auth-url",
        Op::AclOidcAuthUrl,
        OPEN,
        Leader,
    ),
    route(
        WRITE,
        "/v1/acl/oidc/complete-auth",
        Op::AclOidcCompleteAuth,
        OPEN,
        Leader,
    ),
    route(WRITE, "/v1/acl/login", Op::AclLogin, OPEN, Leader),
    route(
        WRITE,
        "/v1/acl/identity/client-introduction-token",
        Op::AclClientIntroductionToken,
        Access::Node(CoarseRule::Write),
        AnyServer,
    ),
];
