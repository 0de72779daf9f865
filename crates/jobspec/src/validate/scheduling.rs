//! Jobs that are launched at times or by dispatches.

use super::Faults;
use caravan_model::{Job, PeriodicConfig, payload_rule};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

pub(super) fn periodic(job: &Job, faults: &mut Faults) {
    let Some(periodic) = &job.periodic else {
        return;
    };
    faults.add_if(
        !job.is_batch_like() && periodic.enabled,
        "Periodic can only be used with \"batch\" or \"sysbatch\" scheduler",
    );
    faults.nest_bare(periodic_config(periodic));
}

fn periodic_config(periodic: &PeriodicConfig) -> Faults {
    let mut faults = Faults::default();
    if !periodic.spec.is_empty() && !periodic.specs.is_empty() {
        faults.add("Only cron or crons may be used");
    }
    if !periodic.enabled {
        return faults;
    }
    if periodic.spec.is_empty() && periodic.specs.is_empty() {
        faults.add("Must specify a spec");
    }
    let zone = periodic.time_zone.as_str();
    if !["", "Local"].contains(&zone) && TimeZone::get(zone).is_err() {
        faults.add(format!(
            "Invalid time zone {zone:?}: unknown time zone {zone}"
        ));
    }
    match periodic.spec_type.as_str() {
        "cron" => {
            for spec in periodic.expressions() {
                if let Err(why) = spec.parse::<caravan_model::cron::Cron>() {
                    faults.add(format!("Invalid cron spec {spec:?}: {why}"));
                }
            }
        }
        "test" => {}
        other => faults.add(format!("Unknown periodic specification type {other:?}")),
    }
    faults
}

pub(super) fn parameterized(job: &Job, faults: &mut Faults) {
    let Some(config) = &job.parameterized_job else {
        return;
    };
    faults.add_if(
        !job.is_batch_like(),
        "Parameterized job can only be used with \"batch\" or \"sysbatch\" scheduler",
    );
    let mut inner = Faults::default();
    let known = [
        payload_rule::OPTIONAL,
        payload_rule::REQUIRED,
        payload_rule::FORBIDDEN,
    ];
    inner.add_if(
        !known.contains(&config.payload.as_str()),
        format!("Unknown payload requirement: {:?}", config.payload),
    );
    let required: BTreeSet<&str> = config.meta_required.iter().map(String::as_str).collect();
    let both = config.meta_optional.iter().map(String::as_str);
    let both: BTreeSet<&str> = both.filter(|key| required.contains(key)).collect();
    inner.add_if(
        !both.is_empty(),
        format!(
            "Required and optional meta keys should be disjoint. Following keys exist in both: [{}]",
            both.into_iter().collect::<Vec<_>>().join(" ")
        ),
    );
    faults.nest_bare(inner);
}
