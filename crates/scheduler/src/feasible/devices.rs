//! Whether a node has the devices that a group asks for, and which of them it gets (scheduler sheet §§8.6, 10.5).

use super::predicate::{Operator, texts_hold};
use caravan_model::*;
use caravan_state::device_group;
use std::collections::BTreeMap;

/// How a refusal is counted.
pub(crate) const MISSING: &str = "missing devices";

/// Devices in use on a node: group id and instance id, with how many hold it.
pub(crate) type InUse = BTreeMap<(String, String), u32>;

/// Whether there are ever enough healthy devices on the node; a request may be split over groups here.
pub(crate) fn has(node: &Node, requests: &[(String, RequestedDevice)]) -> bool {
    let Some(resources) = &node.node_resources else {
        return requests.is_empty();
    };
    let mut free: Vec<u64> = resources
        .devices
        .iter()
        .map(|group| group.instances.iter().filter(|one| one.healthy).count() as u64)
        .collect();
    requests.iter().all(|(_, request)| {
        let mut wanted = request.count;
        for (group, free) in resources.devices.iter().zip(&mut free) {
            if wanted > 0 && matches(group, request) {
                let taken = wanted.min(*free);
                *free -= taken;
                wanted -= taken;
            }
        }
        wanted == 0
    })
}

/// What a group's requests get on a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Offer {
    /// By task.
    pub(crate) devices: Vec<(String, AllocatedDeviceResource)>,
    /// The affinities' score, when any request has affinities.
    pub(crate) score: Option<f64>,
}

/// Chooses devices for every request.
pub(crate) fn offer(
    node: &Node,
    in_use: Option<&InUse>,
    requests: &[(String, RequestedDevice)],
) -> Result<Offer, String> {
    let mut taken = in_use.cloned().unwrap_or_default();
    let mut offer = Offer::default();
    let (mut matched, mut total) = (0.0, 0.0);
    for (task, request) in requests {
        let (device, score) = choose(node, &taken, request)?;
        for id in &device.device_ids {
            let group = device_group(&device);
            *taken.entry((group, id.clone())).or_default() += 1;
        }
        let weights: f64 = request
            .affinities
            .iter()
            .map(|a| a.weight.abs() as f64)
            .sum();
        matched += score * weights;
        total += weights;
        offer.devices.push((task.clone(), device));
    }
    if total > 0.0 {
        offer.score = Some(matched / total);
    }
    Ok(offer)
}

fn choose(
    node: &Node,
    taken: &InUse,
    request: &RequestedDevice,
) -> Result<(AllocatedDeviceResource, f64), String> {
    let groups = node
        .node_resources
        .as_ref()
        .map_or(&[][..], |has| &has.devices[..]);
    if groups.is_empty() {
        return Err("no devices available".to_owned());
    }
    if request.count == 0 {
        return Err("invalid request of zero devices".to_owned());
    }
    let wanted = usize::try_from(request.count).unwrap_or(usize::MAX);
    let mut best: Option<(AllocatedDeviceResource, f64)> = None;
    for group in groups.iter().filter(|group| matches(group, request)) {
        let id = group.id();
        let free: Vec<String> = group
            .instances
            .iter()
            .filter(|one| one.healthy && !taken.contains_key(&(id.clone(), one.id.clone())))
            .map(|one| one.id.clone())
            .take(wanted)
            .collect();
        let score = affinity(group, request);
        if free.len() == wanted && best.as_ref().is_none_or(|(_, best)| score > *best) {
            let device = AllocatedDeviceResource {
                vendor: group.vendor.clone(),
                r#type: group.r#type.clone(),
                name: group.name.clone(),
                device_ids: free,
            };
            best = Some((device, score));
        }
    }
    best.ok_or_else(|| "no devices match request".to_owned())
}

fn affinity(group: &NodeDeviceResource, request: &RequestedDevice) -> f64 {
    let total: i64 = request
        .affinities
        .iter()
        .map(|affinity| affinity.weight.abs())
        .sum();
    if total == 0 {
        return 0.0;
    }
    let matched: i64 = request
        .affinities
        .iter()
        .filter(|a| holds(group, &a.l_target, &a.operand, &a.r_target))
        .map(|a| a.weight)
        .sum();
    matched as f64 / total as f64
}

/// Whether a group of devices is what the request names and satisfies its constraints.
pub(crate) fn matches(group: &NodeDeviceResource, request: &RequestedDevice) -> bool {
    let parts: Vec<&str> = request.name.splitn(3, '/').collect();
    let named = match parts[..] {
        [kind] => kind == group.r#type,
        [vendor, kind] => vendor == group.vendor && kind == group.r#type,
        [vendor, kind, name] => {
            vendor == group.vendor && kind == group.r#type && name == group.name
        }
        _ => false,
    };
    named
        && request
            .constraints
            .iter()
            .all(|c| holds(group, &c.l_target, &c.operand, &c.r_target))
}

fn holds(group: &NodeDeviceResource, left: &str, operand: &str, right: &str) -> bool {
    let operator = Operator::parse(operand);
    let (left, right) = (value(group, left), value(group, right));
    match operator {
        Operator::IsSet => return left.is_some(),
        Operator::IsNotSet => return left.is_none(),
        Operator::NotEqual => {
            return match (&left, &right) {
                (None, None) => false,
                (Some(left), Some(right)) => equal(left, right) == Some(false),
                _ => true,
            };
        }
        _ => {}
    }
    let (Some(left), Some(right)) = (left, right) else {
        return false;
    };
    match operator {
        Operator::Equal => equal(&left, &right) == Some(true),
        Operator::Less => order(&left, &right).is_some_and(std::cmp::Ordering::is_lt),
        Operator::LessOrEqual => order(&left, &right).is_some_and(std::cmp::Ordering::is_le),
        Operator::Greater => order(&left, &right).is_some_and(std::cmp::Ordering::is_gt),
        Operator::GreaterOrEqual => order(&left, &right).is_some_and(std::cmp::Ordering::is_ge),
        _ => match (text(&left), text(&right)) {
            (Some(left), Some(right)) => texts_hold(&operator, &left, &right),
            _ => false,
        },
    }
}

fn value(group: &NodeDeviceResource, target: &str) -> Option<Attribute> {
    let string = |text: &str| Attribute {
        string: Some(text.to_owned()),
        ..Attribute::default()
    };
    if !target.starts_with("${") {
        return Some(parse(target));
    }
    match target.strip_prefix("${")?.strip_suffix('}')? {
        "device.ids" => {
            let ids: Vec<&str> = group.instances.iter().map(|one| one.id.as_str()).collect();
            Some(string(&ids.join(",")))
        }
        "device.model" => Some(string(&group.name)),
        "device.vendor" => Some(string(&group.vendor)),
        "device.type" => Some(string(&group.r#type)),
        inner => group
            .attributes
            .get(inner.strip_prefix("device.attr.")?)
            .cloned(),
    }
}

fn parse(text: &str) -> Attribute {
    let plain = Attribute {
        string: Some(text.to_owned()),
        ..Attribute::default()
    };
    if let Ok(truth) = text.parse::<bool>() {
        return Attribute {
            bool: Some(truth),
            ..Attribute::default()
        };
    }
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_owned();
    if !unit.is_empty() && scale(&unit).is_none() {
        return plain;
    }
    if let Ok(int) = number.parse::<i64>() {
        return Attribute {
            int: Some(int),
            unit,
            ..Attribute::default()
        };
    }
    match number.parse::<f64>() {
        Ok(float) => Attribute {
            float: Some(float),
            unit,
            ..Attribute::default()
        },
        Err(_) => plain,
    }
}

/// What a unit measures and how many of the base unit it is.
fn scale(unit: &str) -> Option<(&'static str, f64)> {
    let (what, rest) = if let Some(prefix) = unit.strip_suffix("B/s") {
        ("B/s", prefix)
    } else if let Some(prefix) = unit.strip_suffix('B') {
        ("B", prefix)
    } else if let Some(prefix) = unit.strip_suffix("Hz") {
        ("Hz", prefix)
    } else if let Some(prefix) = unit.strip_suffix('W') {
        ("W", prefix)
    } else {
        return None;
    };
    let factor = match rest {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        "Ti" => 1_099_511_627_776.0,
        "Pi" => 1_125_899_906_842_624.0,
        "Ei" => 1_152_921_504_606_846_976.0,
        _ => return None,
    };
    Some((what, factor))
}

fn number(attribute: &Attribute) -> Option<(Option<&'static str>, f64)> {
    let plain = attribute.float.or(attribute.int.map(|int| int as f64))?;
    if attribute.unit.is_empty() {
        return Some((None, plain));
    }
    let (what, factor) = scale(&attribute.unit)?;
    Some((Some(what), plain * factor))
}

fn order(left: &Attribute, right: &Attribute) -> Option<std::cmp::Ordering> {
    if let (Some((of_left, left)), Some((of_right, right))) = (number(left), number(right)) {
        return (of_left == of_right).then(|| left.total_cmp(&right));
    }
    match (&left.string, &right.string) {
        (Some(left), Some(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn equal(left: &Attribute, right: &Attribute) -> Option<bool> {
    if let (Some(left), Some(right)) = (left.bool, right.bool) {
        return Some(left == right);
    }
    order(left, right).map(std::cmp::Ordering::is_eq)
}

fn text(attribute: &Attribute) -> Option<String> {
    if let Some(string) = &attribute.string {
        return Some(string.clone());
    }
    let unit = &attribute.unit;
    if let Some(int) = attribute.int {
        return Some(format!("{int}{unit}"));
    }
    if let Some(float) = attribute.float {
        return Some(format!("{float}{unit}"));
    }
    attribute.bool.map(|truth| truth.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, instances: &[(&str, bool)], memory: &str) -> NodeDeviceResource {
        let instance = |(id, healthy): &(&str, bool)| NodeDevice {
            id: (*id).to_owned(),
            healthy: *healthy,
            ..NodeDevice::default()
        };
        NodeDeviceResource {
            vendor: "nvidia".to_owned(),
            r#type: "gpu".to_owned(),
            name: name.to_owned(),
            instances: instances.iter().map(instance).collect(),
            attributes: [("memory".to_owned(), parse(memory))].into(),
        }
    }

    fn node(devices: Vec<NodeDeviceResource>) -> Node {
        Node {
            node_resources: Some(NodeResources {
                devices,
                ..NodeResources::default()
            }),
            ..Node::default()
        }
    }

    fn asks(count: u64, affinities: &[(&str, i64)]) -> (String, RequestedDevice) {
        let affinity = |(model, weight): &(&str, i64)| Affinity {
            l_target: "${device.model}".to_owned(),
            operand: operand::EQUAL.to_owned(),
            r_target: (*model).to_owned(),
            weight: *weight,
        };
        let request = RequestedDevice {
            name: "gpu".to_owned(),
            count,
            affinities: affinities.iter().map(affinity).collect(),
            ..RequestedDevice::default()
        };
        ("t".to_owned(), request)
    }

    fn given(node: &Node, requests: &[(String, RequestedDevice)]) -> Result<Vec<String>, String> {
        let offer = offer(node, None, requests)?;
        let ids = offer.devices.into_iter().flat_map(|(_, d)| d.device_ids);
        Ok(ids.collect())
    }

    #[test]
    fn only_healthy_instances_are_given_and_each_once() {
        let node = node(vec![group(
            "t4",
            &[("a", false), ("b", true), ("c", true)],
            "16",
        )]);
        let two = given(&node, &[asks(1, &[]), asks(1, &[])]);
        assert_eq!(two.expect("there are two"), ["b", "c"]);
        let three = given(&node, &[asks(1, &[]), asks(2, &[])]);
        assert_eq!(three.unwrap_err(), "no devices match request");
    }

    #[test]
    fn the_best_liked_group_with_enough_is_taken_the_first_of_equals() {
        let node = node(vec![
            group("t4", &[("a", true), ("b", true)], "16"),
            group("a100", &[("c", true)], "80"),
        ]);
        let first = |requests| given(&node, &[requests]).expect("there is one")[0].clone();
        assert_eq!(first(asks(1, &[])), "a");
        assert_eq!(first(asks(1, &[("a100", 50)])), "c");
        assert_eq!(first(asks(1, &[("t4", -50)])), "c");
        assert_eq!(first(asks(2, &[("a100", 50)])), "a", "there is but one c");
    }

    #[test]
    fn the_score_is_the_share_of_the_weights_that_are_matched_whatever_their_sign() {
        let node = node(vec![group("t4", &[("a", true), ("b", true)], "16")]);
        let score = |requests: &[(String, RequestedDevice)]| {
            offer(&node, None, requests).expect("there is one").score
        };
        assert_eq!(score(&[asks(1, &[])]), None);
        assert_eq!(score(&[asks(1, &[("t4", -30), ("a100", 10)])]), Some(-0.75));
        let both = [asks(1, &[("t4", 30)]), asks(1, &[("a100", -10)])];
        assert_eq!(score(&both), Some(0.75), "of all devices");
    }

    #[test]
    fn numbers_are_compared_in_their_units_and_only_with_their_like() {
        let group = group("t4", &[], "16 GiB");
        for (operand, right, expected) in [
            (">", "16000 MiB", true),
            (">", "17000 MiB", false),
            ("=", "16384 MiB", true),
            (">", "1 MHz", false),
            ("<", "1 EHz", false),
            ("!=", "16384 MiB", false),
            ("!=", "1 MiB", true),
        ] {
            let found = holds(&group, "${device.attr.memory}", operand, right);
            assert_eq!(found, expected, "16 GiB {operand} {right}");
        }
        assert!(!holds(
            &group,
            "${device.attr.no}",
            "!=",
            "${device.attr.x}"
        ));
        assert!(holds(&group, "${device.attr.no}", "!=", "1"));
    }
}
