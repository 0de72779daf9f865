//! Which figures an operator wants (`prefix_filter`, `filter_default` and the switches of whole groups).

use crate::config::Telemetry;

/// Decides by name. Of the prefixes that fit, the longest counts.
#[derive(Clone)]
pub(crate) struct Filter {
    prefixes: Vec<(String, bool)>,
    otherwise: bool,
}

/// The names of what hooks count and take.
const HOOKS: [&str; 2] = ["nomad.client.alloc_hook.", "nomad.client.task_hook."];

impl Filter {
    pub(super) fn new(settings: &Telemetry) -> Self {
        let rule = |text: &String| match text.split_at_checked(1) {
            Some(("+", prefix)) => Some((prefix.to_owned(), true)),
            Some(("-", prefix)) => Some((prefix.to_owned(), false)),
            _ => None,
        };
        let mut prefixes: Vec<(String, bool)> =
            settings.prefix_filter.iter().filter_map(rule).collect();
        if settings.disable_allocation_hook_metrics {
            prefixes.extend(HOOKS.map(|prefix| (prefix.to_owned(), false)));
        }
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self {
            prefixes,
            otherwise: settings.filter_default,
        }
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        let rule = self
            .prefixes
            .iter()
            .find(|(prefix, _)| name.starts_with(prefix.as_str()));
        rule.map_or(self.otherwise, |(_, wanted)| *wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_that_fits_counts() {
        let settings = Telemetry {
            prefix_filter: vec!["-nomad.raft".into(), "+nomad.raft.apply".into()],
            ..Telemetry::default()
        };
        let filter = Filter::new(&settings);
        assert!(filter.wants("nomad.raft.apply"));
        assert!(!filter.wants("nomad.raft.commitTime"));
        assert!(filter.wants("nomad.client.uptime"));
    }

    #[test]
    fn nothing_but_what_is_named_can_be_wanted() {
        let settings = Telemetry {
            prefix_filter: vec!["+nomad.client".into()],
            filter_default: false,
            disable_allocation_hook_metrics: true,
            ..Telemetry::default()
        };
        let filter = Filter::new(&settings);
        assert!(filter.wants("nomad.client.uptime"));
        assert!(!filter.wants("nomad.raft.apply"));
        assert!(!filter.wants("nomad.client.task_hook.prestart.elapsed"));
    }
}
