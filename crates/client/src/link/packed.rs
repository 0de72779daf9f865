//! Allocations on the wire: many run the same version of a job, which travels once.

use std::collections::BTreeMap;
use std::sync::Arc;

use caravan_model::{Allocation, Job};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Allocations with their jobs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allocations(pub Vec<Arc<Allocation>>);

#[derive(Serialize)]
struct Sent<'a> {
    jobs: Vec<&'a Job>,
    allocs: Vec<(Option<usize>, Allocation)>,
}

#[derive(Deserialize)]
struct Received {
    jobs: Vec<Arc<Job>>,
    allocs: Vec<(Option<usize>, Allocation)>,
}

impl Serialize for Allocations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut jobs: Vec<&Job> = Vec::new();
        let mut places = BTreeMap::new();
        let mut allocs = Vec::with_capacity(self.0.len());
        for alloc in &self.0 {
            let place = alloc.job.as_deref().map(|job| {
                let key = (&job.namespace, &job.id, job.version, job.job_modify_index);
                *places.entry(key).or_insert_with(|| {
                    jobs.push(job);
                    jobs.len() - 1
                })
            });
            allocs.push((place, without_job(alloc)));
        }
        Sent { jobs, allocs }.serialize(serializer)
    }
}

fn without_job(alloc: &Allocation) -> Allocation {
    let mut alloc = alloc.clone();
    alloc.job = None;
    // Scores of placements are of no use to a node.
    alloc.metrics = None;
    alloc
}

impl<'de> Deserialize<'de> for Allocations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Received { jobs, allocs } = Received::deserialize(deserializer)?;
        let unpack = |(place, mut alloc): (Option<usize>, Allocation)| {
            alloc.job = match place {
                None => None,
                Some(place) => Some(Arc::clone(jobs.get(place).ok_or_else(|| {
                    serde::de::Error::custom("an allocation names a job that was not sent")
                })?)),
            };
            Ok(Arc::new(alloc))
        };
        let allocs = allocs.into_iter().map(unpack).collect::<Result<_, _>>()?;
        Ok(Self(allocs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_travels_once_and_comes_back_to_every_allocation() {
        let job = Arc::new(Job {
            id: "web".into(),
            version: 3,
            ..Job::default()
        });
        let alloc = |bits| {
            Arc::new(Allocation {
                id: caravan_model::AllocId::from_u128(bits),
                job: Some(Arc::clone(&job)),
                ..Allocation::default()
            })
        };
        let sent = Allocations(vec![alloc(1), alloc(2)]);
        let bytes = caravan_codec::msgpack::pack(&sent).unwrap();
        let one = caravan_codec::msgpack::pack(&Allocations(vec![alloc(1)])).unwrap();
        assert!(bytes.len() < 2 * one.len());
        let back: Allocations = caravan_codec::msgpack::unpack(&bytes).unwrap();
        assert_eq!(back, sent);
        assert!(Arc::ptr_eq(
            back.0[0].job.as_ref().unwrap(),
            back.0[1].job.as_ref().unwrap()
        ));
    }
}
