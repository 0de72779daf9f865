//! What tasks in a namespace of their own read of names: `/etc/hosts`.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocation_knows_itself_by_name() {
        assert!(hosts("172.26.64.7", "web").ends_with("172.26.64.7 web\n"));
        assert!(hosts("172.26.64.7", "").ends_with("ip6-allrouters\n"));
    }
}
