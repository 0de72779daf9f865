//! The nodes that fit, sorted as far as needed: the best of all is the best of the lanes' first ones.
//!
//! Nodes of a lane share the values that spreads and `distinct_property` look at, and in a queue also the number
//! of their scores; so what a placement adds to the score is the same for all of a queue, and its order stays.
//! A queue sorts only its best nodes and leaves the rest in a heap of paper until they are needed: an evaluation
//! places a few allocations on many nodes.

use caravan_state::Slot;
use std::collections::{BTreeMap, BTreeSet};

/// A node in a queue: its score the best first, what decides between equals, and its slot.
pub(crate) type Entry = (u64, u64, u32);

/// How many are sorted at first.
const FIRST_SORTED: usize = 64;

/// Nodes of equal values.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// The values of spreads, then of `distinct_property` constraints.
    pub(crate) values: Vec<u32>,
    /// By number of scores.
    pub(crate) queues: [Queue; 5],
}

/// Nodes of equal values and number of scores.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    best: BTreeSet<Entry>,
    /// None of these is better than any of the best. Some may be out of date.
    rest: Vec<Entry>,
    sorted: usize,
}

impl Queue {
    /// Adds a node while nothing has been looked at.
    pub(crate) fn fill(&mut self, entry: Entry) {
        self.rest.push(entry);
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        let among_best = match self.best.last() {
            Some(last) => entry <= *last || self.rest.is_empty(),
            None => self.rest.is_empty(),
        };
        if among_best {
            self.best.insert(entry);
        } else {
            self.rest.push(entry);
        }
    }

    /// Takes a node out; one of the rest is passed over once it is looked at.
    pub(crate) fn remove(&mut self, entry: &Entry) {
        self.best.remove(entry);
    }

    /// The best nodes, at least `wanted` of them where there are as many. `holds` says whether an entry is still
    /// what it says.
    pub(crate) fn peek(
        &mut self,
        wanted: usize,
        holds: impl Fn(&Entry) -> bool,
    ) -> impl Iterator<Item = &Entry> {
        while self.best.len() < wanted && !self.rest.is_empty() {
            self.rest.retain(&holds);
            self.sorted = (self.sorted * 2).max(FIRST_SORTED);
            if self.sorted < self.rest.len() {
                self.rest.select_nth_unstable(self.sorted);
            }
            let next = self.rest.len().min(self.sorted);
            self.best.extend(self.rest.drain(..next));
        }
        self.best.iter()
    }
}

/// All lanes.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) all: Vec<Lane>,
    by_values: BTreeMap<Vec<u32>, u32>,
    /// The lane of each slot, where there is more than one lane.
    of_slot: Vec<u32>,
}

impl Lanes {
    /// The lane of these values.
    pub(crate) fn lane(&mut self, values: Vec<u32>) -> u32 {
        if let Some(lane) = self.by_values.get(&values) {
            return *lane;
        }
        let lane = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(Lane {
            values: values.clone(),
            queues: Default::default(),
        });
        self.by_values.insert(values, lane);
        lane
    }

    pub(crate) fn assign(&mut self, of_slot: Vec<u32>) {
        self.of_slot = of_slot;
    }

    pub(crate) fn of(&self, slot: Slot) -> usize {
        self.of_slot.get(slot).map_or(0, |lane| *lane as usize)
    }

    pub(crate) fn queue(&mut self, slot: Slot, scores: u8) -> &mut Queue {
        let lane = self.of(slot);
        &mut self.all[lane].queues[usize::from(scores).min(4)]
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;

    #[test]
    fn a_queue_gives_its_best_in_order_whatever_comes_and_goes() {
        let mut queue = Queue::default();
        let mut live: Vec<bool> = vec![true; 1000];
        for number in 0..1000u32 {
            queue.fill((u64::from(number * 7919 % 1000), 0, number));
        }
        let score = |number: u32| u64::from(number * 7919 % 1000);
        for round in 0..1000 {
            let first = queue
                .peek(3, |entry| live[entry.2 as usize])
                .find(|entry| live[entry.2 as usize])
                .copied();
            assert_eq!(first.map(|entry| entry.0), Some(round), "in order");
            let entry = first.expect("one is left");
            live[entry.2 as usize] = false;
            queue.remove(&entry);
            let gone = (entry.2 + 1) % 1000;
            if round == 10 && live[gone as usize] {
                queue.remove(&(score(gone), 0, gone));
                queue.insert((score(gone), 0, gone));
            }
        }
        assert_eq!(queue.peek(1, |entry| live[entry.2 as usize]).count(), 0);
    }
}
