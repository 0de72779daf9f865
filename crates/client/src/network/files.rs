//! What tasks in a namespace of their own read of names: `/etc/hosts` and `/etc/resolv.conf`.

use caravan_driver::DnsConfig;

/// `/etc/hosts` of a namespace with this address and name.
pub(crate) fn hosts(address: &str, hostname: &str) -> String {
    let mut text = String::from(
        "# made for this allocation\n\
         127.0.0.1 localhost\n\
         ::1 localhost\n\
         ::1 ip6-localhost ip6-loopback\n\
         fe00::0 ip6-localnet\n\
         ff00::0 ip6-mcastprefix\n\
         ff02::1 ip6-allnodes\n\
         ff02::2 ip6-allrouters\n",
    );
    if !address.is_empty() && !hostname.is_empty() {
        text.push_str(&format!("{address} {hostname}\n"));
    }
    text
}

/// `/etc/resolv.conf` of these settings; what they leave open is as on the host.
pub(crate) fn resolv(dns: &DnsConfig, host: &str) -> String {
    let of_host = |keyword: &str| -> Vec<String> {
        let lines = host
            .lines()
            .filter_map(|line| line.trim().strip_prefix(keyword));
        let words = lines
            .filter(|rest| rest.starts_with([' ', '\t']))
            .flat_map(str::split_whitespace);
        words.map(str::to_owned).collect()
    };
    let or_host = |own: &[String], keyword: &str| {
        if own.is_empty() {
            of_host(keyword)
        } else {
            own.to_vec()
        }
    };
    let mut text = String::new();
    let searches = or_host(&dns.searches, "search");
    if !searches.is_empty() {
        text.push_str(&format!("search {}\n", searches.join(" ")));
    }
    for server in or_host(&dns.servers, "nameserver") {
        text.push_str(&format!("nameserver {server}\n"));
    }
    let options = or_host(&dns.options, "options");
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_settings_come_before_the_hosts() {
        let host = "# c\nnameserver 10.0.0.1\nsearch a b\nnameserver 10.0.0.2\n";
        let dns = DnsConfig {
            servers: vec!["1.1.1.1".into()],
            options: vec!["ndots:2".into()],
            ..DnsConfig::default()
        };
        assert_eq!(
            resolv(&dns, host),
            "search a b\nnameserver 1.1.1.1\noptions ndots:2\n"
        );
        let all = resolv(&DnsConfig::default(), host);
        assert_eq!(
            all,
            "search a b\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n"
        );
    }

    #[test]
    fn the_allocation_knows_itself_by_name() {
        assert!(hosts("172.26.64.7", "web").ends_with("172.26.64.7 web\n"));
        assert!(hosts("172.26.64.7", "").ends_with("ip6-allrouters\n"));
    }
}
