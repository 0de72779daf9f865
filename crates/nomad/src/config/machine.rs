//! What the configuration depends on besides its files: environment variables, the host's name and its
//! network interfaces. Gathered once, so that everything after it is a function of its arguments.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// The facts about this machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    pub variables: BTreeMap<String, String>,
    pub hostname: String,
    pub interfaces: Vec<Interface>,
    /// The interface of the default route.
    pub default_interface: Option<String>,
    /// The folder that `-dev` keeps its data in when no `data_dir` is given.
    pub scratch: PathBuf,
    pub cpus: u32,
    pub root: bool,
}

/// One address of an interface; an interface with several addresses comes several times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub address: IpAddr,
    pub prefix: u8,
    pub flags: Vec<&'static str>,
}

impl Interface {
    pub fn is_up(&self) -> bool {
        self.flags.contains(&"up")
    }

    /// RFC 1918 and RFC 6598 for IPv4, unique local addresses for IPv6.
    pub fn is_private(&self) -> bool {
        match self.address {
            IpAddr::V4(v4) => {
                v4.is_private() || (v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]))
            }
            IpAddr::V6(v6) => v6.octets()[0] & 0xfe == 0xfc,
        }
    }

    /// Usable from other machines, but not private.
    pub fn is_public(&self) -> bool {
        let local = match self.address {
            IpAddr::V4(v4) => {
                v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_unspecified()
            }
            IpAddr::V6(v6) => {
                v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || v6.is_unicast_link_local()
            }
        };
        !local && !self.is_private()
    }
}

impl Machine {
    /// This machine, now. What cannot be found out is left empty.
    pub fn gather() -> Self {
        Self {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            hostname: nix::unistd::gethostname()
                .ok()
                .and_then(|name| name.into_string().ok())
                .unwrap_or_default(),
            interfaces: interfaces(),
            default_interface: std::fs::read_to_string("/proc/net/route")
                .ok()
                .and_then(|table| default_route(&table)),
            scratch: std::env::temp_dir().join(format!("NomadClient{}", std::process::id())),
            cpus: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
            root: nix::unistd::geteuid().is_root(),
        }
    }
}

fn interfaces() -> Vec<Interface> {
    let Ok(addresses) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    addresses.filter_map(|found| interface(&found)).collect()
}

fn interface(found: &nix::ifaddrs::InterfaceAddress) -> Option<Interface> {
    use nix::net::if_::InterfaceFlags as Flag;
    let ip = |storage: Option<&nix::sys::socket::SockaddrStorage>| -> Option<IpAddr> {
        let storage = storage?;
        storage
            .as_sockaddr_in()
            .map(|v4| IpAddr::V4(v4.ip()))
            .or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    };
    let prefix = match ip(found.netmask.as_ref()) {
        Some(IpAddr::V4(mask)) => u32::from(mask).count_ones(),
        Some(IpAddr::V6(mask)) => u128::from(mask).count_ones(),
        None => 0,
    };
    let known = [
        (Flag::IFF_UP, "up"),
        (Flag::IFF_BROADCAST, "broadcast"),
        (Flag::IFF_LOOPBACK, "loopback"),
        (Flag::IFF_POINTOPOINT, "pointtopoint"),
        (Flag::IFF_MULTICAST, "multicast"),
    ];
    Some(Interface {
        name: found.interface_name.clone(),
        address: ip(found.address.as_ref())?,
        prefix: prefix as u8,
        flags: known
            .into_iter()
            .filter(|(flag, _)| found.flags.contains(*flag))
            .map(|(_, name)| name)
            .collect(),
    })
}

/// The interface whose destination and mask are both zero, from `/proc/net/route`.
fn default_route(table: &str) -> Option<String> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000"))
            .then(|| fields[0].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_is_the_one_without_destination() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\nbr0\t0011AC0A\t0\t1\t0\t0\t0\t00FFFFFF\t0\neth7\t00000000\t0100000A\t3\t0\t0\t0\t00000000\t0\n";
        assert_eq!(default_route(table).as_deref(), Some("eth7"));
        assert_eq!(default_route("Iface\n"), None);
    }

    #[test]
    fn this_machine_has_a_loopback() {
        let machine = Machine::gather();
        assert!(
            machine
                .interfaces
                .iter()
                .any(|one| one.address.is_loopback() && one.is_up())
        );
        assert!(!machine.hostname.is_empty());
    }
}
