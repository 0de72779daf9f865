//! How names are resolved in a network of a task's own.

use crate::DnsConfig;

impl DnsConfig {
    /// A `/etc/resolv.conf` of these settings; what they leave open is as in `host`, which is that of the host.
    #[must_use]
    pub fn resolv_conf(&self, host: &str) -> String {
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
        let searches = or_host(&self.searches, "search");
        if !searches.is_empty() {
            text.push_str(&format!("search {}\n", searches.join(" ")));
        }
        for server in or_host(&self.servers, "nameserver") {
            text.push_str(&format!("nameserver {server}\n"));
        }
        let options = or_host(&self.options, "options");
        if !options.is_empty() {
            text.push_str(&format!("options {}\n", options.join(" ")));
        }
        text
    }
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
            dns.resolv_conf(host),
            "search a b\nnameserver 1.1.1.1\noptions ndots:2\n"
        );
        let all = DnsConfig::default().resolv_conf(host);
        assert_eq!(
            all,
            "search a b\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n"
        );
    }
}
