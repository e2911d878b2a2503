//! Who may ask for what.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use anyhow::{Context, Result};
use axum::http::Method;
use nix::unistd::{Group, geteuid};

use crate::config::{self, Access};

/// Who may do what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The user that lbd runs as.
    pub owner: u32,
    /// Whose members may change things. Without this and `read_group`, whoever the socket's permissions let in may.
    pub write_group: Option<NamedGroup>,
    /// Whose members may see things.
    pub read_group: Option<NamedGroup>,
    /// Those who come over TCP, by a name in their certificates.
    pub clients: BTreeMap<String, Access>,
}

/// A group of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedGroup {
    /// As the configuration and `/etc/group` name it.
    pub name: String,
    /// Its number.
    pub number: u32,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A process of this node, on the unix socket.
    Local {
        /// Its effective user.
        user: u32,
        /// Its effective group, and the others that it is in.
        groups: Vec<u32>,
    },
    /// A client that has shown a certificate.
    Remote {
        /// The subject's common name, and the DNS names of the certificate.
        names: Vec<String>,
    },
}

/// Why someone may not do what they ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// A user is neither root nor lbd's own, nor in one of these groups.
    User {
        /// The user's number.
        user: u32,
        /// What was asked for.
        wanted: Access,
        /// Those that would be allowed to.
        groups: Vec<String>,
    },
    /// A certificate has none of the names that are listed.
    Unknown {
        /// The names that it has.
        names: Vec<String>,
    },
    /// A certificate's name is listed as one that may only look.
    ReadOnly {
        /// That name.
        name: String,
    },
}

impl Policy {
    /// What a configuration says.
    ///
    /// # Errors
    /// A group doesn't exist: its field, and what to do.
    pub fn of(config: &config::Api) -> Result<Self> {
        let clients = config.tls.iter().flat_map(|tls| &tls.clients);
        Ok(Policy {
            owner: geteuid().as_raw(),
            write_group: NamedGroup::find("api.write_group", config.write_group.as_deref())?,
            read_group: NamedGroup::find("api.read_group", config.read_group.as_deref())?,
            clients: clients.map(|client| (client.name.clone(), client.access)).collect(),
        })
    }

    /// Whether lbd decides who may use the unix socket, and not the socket's permissions.
    #[must_use]
    pub const fn has_groups(&self) -> bool {
        self.write_group.is_some() || self.read_group.is_some()
    }

    /// Decides.
    ///
    /// # Errors
    /// They may not, and why.
    pub fn permit(&self, peer: &Peer, wanted: Access) -> Result<(), Denial> {
        match peer {
            Peer::Local { user, groups } => self.permit_user(*user, groups, wanted),
            Peer::Remote { names } => self.permit_client(names, wanted),
        }
    }

    fn permit_user(&self, user: u32, groups: &[u32], wanted: Access) -> Result<(), Denial> {
        if user == 0 || user == self.owner || !self.has_groups() {
            return Ok(());
        }
        let readers = self.read_group.as_ref().filter(|_| wanted == Access::Read);
        let allowed: Vec<_> = self.write_group.iter().chain(readers).collect();
        if allowed.iter().any(|group| groups.contains(&group.number)) {
            return Ok(());
        }
        let groups = allowed.into_iter().map(|group| group.name.clone()).collect();
        Err(Denial::User { user, wanted, groups })
    }

    fn permit_client(&self, names: &[String], wanted: Access) -> Result<(), Denial> {
        let known = names.iter().filter_map(|name| Some((name, *self.clients.get(name)?)));
        let Some((name, access)) = known.max_by_key(|&(_, access)| access) else {
            return Err(Denial::Unknown { names: names.to_vec() });
        };
        if access < wanted {
            return Err(Denial::ReadOnly { name: name.clone() });
        }
        Ok(())
    }
}

impl NamedGroup {
    /// The group that a field of the configuration names, if it names one.
    fn find(field: &str, name: Option<&str>) -> Result<Option<Self>> {
        let Some(name) = name else { return Ok(None) };
        let found =
            Group::from_name(name).with_context(|| format!("{field}: looking up the group {name}"))?;
        let group = found.with_context(|| {
            format!("{field}: there is no group {name} on this node; create it with groupadd --system {name}, or name another")
        })?;
        Ok(Some(NamedGroup { name: name.to_owned(), number: group.gid.as_raw() }))
    }
}

/// What a request needs: those that change nothing are told by their methods.
#[must_use]
pub fn needed(method: &Method) -> Access {
    if method.is_safe() { Access::Read } else { Access::Write }
}

impl Display for Denial {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Denial::User { user, wanted, groups } => {
                let done = match wanted {
                    Access::Read => "see",
                    Access::Write => "change",
                };
                write!(f, "user {user} may not {done} this; run it as root")?;
                match &groups[..] {
                    [] => Ok(()),
                    [group] => write!(f, " or as a member of the group {group}"),
                    several => write!(f, " or as a member of one of the groups {}", several.join(", ")),
                }
            }
            Denial::Unknown { names } if names.is_empty() => f.write_str(
                "the certificate names nobody; it needs a common name or a DNS name that api.tls.clients lists",
            ),
            Denial::Unknown { names } => {
                write!(f, "{} may not use this API; list the name in api.tls.clients", names.join(", "))
            }
            Denial::ReadOnly { name } => {
                write!(f, "{name} may only look; give it access: write in api.tls.clients")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Access::{Read, Write};
    use super::*;

    const ADMINS: u32 = 200;
    const VIEWERS: u32 = 300;

    fn group(name: &str, number: u32, is_there: bool) -> Option<NamedGroup> {
        is_there.then(|| NamedGroup { name: name.into(), number })
    }

    fn policy(write: bool, read: bool) -> Policy {
        Policy {
            owner: 100,
            write_group: group("admins", ADMINS, write),
            read_group: group("viewers", VIEWERS, read),
            clients: [("grafana".to_owned(), Read), ("deploy".to_owned(), Write)].into(),
        }
    }

    #[test]
    fn groups_decide_where_there_are_any() {
        // With both groups, only that of writers, only that of readers, none: who may read, who may write.
        let rows = [
            ("root", 0, 0, ["rw", "rw", "rw", "rw"]),
            ("lbd's own user", 100, 5, ["rw", "rw", "rw", "rw"]),
            ("an administrator", 1000, ADMINS, ["rw", "rw", "--", "rw"]),
            ("a viewer", 1000, VIEWERS, ["r-", "--", "r-", "rw"]),
            ("anyone", 1000, 1000, ["--", "--", "--", "rw"]),
        ];
        for (who, user, number, expected) in rows {
            let peer = Peer::Local { user, groups: vec![7, number] };
            let policies =
                [policy(true, true), policy(true, false), policy(false, true), policy(false, false)];
            let may = policies.map(|policy| {
                let sign = |wanted, sign| if policy.permit(&peer, wanted).is_ok() { sign } else { "-" };
                sign(Read, "r").to_owned() + sign(Write, "w")
            });
            assert_eq!(may, expected, "{who}");
        }
    }

    #[test]
    fn the_name_in_a_certificate_decides() {
        let policy = policy(false, false);
        let rows: [(&[&str], bool, bool); 5] = [
            (&["grafana"], true, false),
            (&["deploy"], true, true),
            (&["other", "grafana", "deploy"], true, true),
            (&["root"], false, false),
            (&[], false, false),
        ];
        for (names, read, write) in rows {
            let peer = Peer::Remote { names: names.iter().map(ToString::to_string).collect() };
            let may = [Read, Write].map(|wanted| policy.permit(&peer, wanted).is_ok());
            assert_eq!(may, [read, write], "{names:?}");
        }
    }

    #[test]
    fn a_denial_says_what_to_do() {
        let anyone = Peer::Local { user: 1000, groups: vec![] };
        let remote = |name: &str| Peer::Remote { names: vec![name.into()] };
        let says = |policy: &Policy, peer, wanted| policy.permit(&peer, wanted).unwrap_err().to_string();
        let both = policy(true, true);
        assert_eq!(
            says(&both, anyone.clone(), Write),
            "user 1000 may not change this; run it as root or as a member of the group admins"
        );
        assert_eq!(
            says(&both, anyone.clone(), Read),
            "user 1000 may not see this; run it as root or as a member of one of the groups admins, viewers"
        );
        assert_eq!(
            says(&policy(false, true), anyone, Write),
            "user 1000 may not change this; run it as root"
        );
        assert_eq!(
            says(&both, remote("grafana"), Write),
            "grafana may only look; give it access: write in api.tls.clients"
        );
        assert_eq!(
            says(&both, remote("x"), Read),
            "x may not use this API; list the name in api.tls.clients"
        );
    }

    #[test]
    fn a_group_that_does_not_exist_is_said() {
        let config = config::Api { write_group: Some("no-such-group".into()), ..config::Api::default() };
        let error = Policy::of(&config).unwrap_err().to_string();
        let start = "api.write_group: there is no group no-such-group on this node; create it with groupadd";
        assert!(error.starts_with(start), "{error}");
    }

    #[test]
    fn only_methods_that_change_nothing_are_for_readers() {
        assert_eq!([Method::GET, Method::HEAD].map(|method| needed(&method)), [Read, Read]);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(needed(&method), Write);
        }
    }
}
