//! From claims to rights: a method's mappings name claims, binding rules ask for them and bind roles and policies.

use super::Claimed;
use caravan_http::Filter;
use caravan_model::*;
use caravan_state::State;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What rules may ask for, by the names that the method gives.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Identity {
    value: BTreeMap<String, String>,
    list: BTreeMap<String, Vec<String>>,
}

/// What somebody who signs in is given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) management: bool,
    pub(crate) roles: Vec<AclTokenRole>,
    pub(crate) policies: Vec<String>,
}

impl Bound {
    /// Nothing at all.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.management && self.roles.is_empty() && self.policies.is_empty()
    }
}

/// A claim by its name, or by a pointer into what is claimed.
fn claim<'a>(claims: &'a Claimed, name: &str) -> Option<&'a Value> {
    let Some(pointer) = name.strip_prefix('/') else {
        return claims.get(name);
    };
    let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
    let inner = claims.get(first)?;
    if rest.is_empty() {
        Some(inner)
    } else {
        inner.pointer(&format!("/{rest}"))
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    }
}

impl Identity {
    /// The claims that the method's mappings name.
    pub(crate) fn of(config: &AclAuthMethodConfig, claims: &Claimed) -> Self {
        let mut identity = Self::default();
        for (from, to) in &config.claim_mappings {
            if let Some(value) = claim(claims, from).and_then(text) {
                identity.value.insert(to.clone(), value);
            }
        }
        for (from, to) in &config.list_claim_mappings {
            let items = match claim(claims, from) {
                Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
                Some(one) => text(one).into_iter().collect(),
                None => continue,
            };
            identity.list.insert(to.clone(), items);
        }
        identity
    }

    /// Puts mapped values in place of `${value.name}`; none when a name is not known or the text is broken.
    fn fill(&self, template: &str) -> Option<String> {
        let mut filled = String::new();
        let mut rest = template;
        while let Some(at) = rest.find("${") {
            let (before, after) = rest.split_at(at);
            let (name, after) = after[2..].split_once('}')?;
            filled.push_str(before);
            filled.push_str(self.value.get(name.trim().strip_prefix("value.")?)?);
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }

    /// The name of a token that this identity is given.
    pub(crate) fn token_name(&self, method: &AclAuthMethod) -> String {
        let named = method
            .token_name_format
            .replace("${auth_method_type}", &method.r#type)
            .replace("${auth_method_name}", &method.name);
        self.fill(&named).unwrap_or(named)
    }

    /// What the rules of a method bind to this identity. A rule that cannot be asked does not match; roles and
    /// policies that are not there are not given.
    pub(crate) fn bound(&self, state: &State, method: &str) -> Bound {
        let mut bound = Bound::default();
        for rule in state
            .acl_binding_rules()
            .filter(|rule| rule.auth_method == method && self.matches(rule))
        {
            if rule.bind_type == bind_type::MANAGEMENT {
                return Bound {
                    management: true,
                    ..Bound::default()
                };
            }
            let Some(name) = self.fill(&rule.bind_name).map(|name| name.to_lowercase()) else {
                continue;
            };
            let as_written = || self.fill(&rule.bind_name).unwrap_or_default();
            if rule.bind_type == bind_type::ROLE {
                let role = state
                    .acl_role_by_name(&as_written())
                    .or_else(|| state.acl_role_by_name(&name));
                let role = role.map(|role| AclTokenRole {
                    id: role.id.clone(),
                    name: role.name.clone(),
                });
                bound
                    .roles
                    .extend(role.filter(|role| !bound.roles.contains(role)));
            } else {
                let policy = [as_written(), name]
                    .into_iter()
                    .find(|name| state.acl_policy(name).is_some());
                bound
                    .policies
                    .extend(policy.filter(|policy| !bound.policies.contains(policy)));
            }
        }
        bound
    }

    fn matches(&self, rule: &AclBindingRule) -> bool {
        rule.selector.is_empty()
            || Filter::parse(&rule.selector)
                .is_ok_and(|selector| selector.matches(self).unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_state::Command;
    use serde_json::json;

    fn identity() -> Identity {
        let mappings = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let config = AclAuthMethodConfig {
            claim_mappings: mappings(&[
                ("sub", "who"),
                ("/org/team", "team"),
                ("absent", "no"),
                ("n", "number"),
            ]),
            list_claim_mappings: mappings(&[("roles", "roles"), ("sub", "subs")]),
            ..AclAuthMethodConfig::default()
        };
        let claims = json!({"sub": "Ann", "org": {"team": "OPS"}, "roles": ["dev", "ops"], "n": 7});
        Identity::of(&config, claims.as_object().expect("an object"))
    }

    fn state(rules: &[(&str, &str, &str)]) -> State {
        let mut state = State::initial();
        let policy = |name: &str| AclPolicy {
            name: name.to_owned(),
            ..AclPolicy::default()
        };
        let role = AclRole {
            id: "r".to_owned(),
            name: "engineers".to_owned(),
            ..AclRole::default()
        };
        let method = AclAuthMethod {
            name: "ci".to_owned(),
            ..AclAuthMethod::default()
        };
        let rules = rules
            .iter()
            .enumerate()
            .map(|(at, (selector, bind, name))| AclBindingRule {
                id: at.to_string(),
                auth_method: "ci".to_owned(),
                selector: (*selector).to_owned(),
                bind_type: (*bind).to_owned(),
                bind_name: (*name).to_owned(),
                ..AclBindingRule::default()
            });
        let commands = [
            Command::UpsertAclPolicies {
                policies: vec![policy("ops"), policy("p")],
            },
            Command::UpsertAclRoles { roles: vec![role] },
            Command::UpsertAclAuthMethods {
                methods: vec![method],
            },
            Command::UpsertAclBindingRules {
                rules: rules.collect(),
            },
        ];
        for command in commands {
            let index = state.index() + 1;
            state.apply(index, command).expect("applied");
        }
        state
    }

    #[test]
    fn rules_bind_what_exists_and_matches() {
        let bound = identity().bound(
            &state(&[
                ("", "policy", "p"),
                ("\"dev\" in list.roles", "role", "engineers"),
                ("value.who == Ann", "policy", "${value.team}"),
                ("value.who == Bob", "policy", "ops"),
                ("value.nobody == x", "policy", "ops"),
                ("", "policy", "absent"),
                ("", "role", "${value.absent}"),
            ]),
            "ci",
        );
        assert_eq!(bound.policies, ["p", "ops"]);
        assert_eq!(bound.roles.len(), 1);
        assert!(!bound.management);
        assert!(
            identity()
                .bound(&state(&[("", "policy", "p")]), "other")
                .is_nothing()
        );
    }

    #[test]
    fn management_leaves_nothing_else() {
        let bound = identity().bound(
            &state(&[("", "policy", "p"), ("value.number == 7", "management", "")]),
            "ci",
        );
        assert_eq!(
            bound,
            Bound {
                management: true,
                ..Bound::default()
            }
        );
    }

    #[test]
    fn tokens_are_named_after_the_method_and_the_claims() {
        let method = AclAuthMethod {
            name: "ci".to_owned(),
            r#type: auth_method_type::JWT.to_owned(),
            token_name_format: "${auth_method_type}-${auth_method_name}-${value.who}".to_owned(),
            ..AclAuthMethod::default()
        };
        assert_eq!(identity().token_name(&method), "JWT-ci-Ann");
    }
}
