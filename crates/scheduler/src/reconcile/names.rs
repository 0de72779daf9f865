//! Which numbers of a group's allocation names are used, and which come next (scheduler sheet §12.10).

use caravan_model::Allocation;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The used numbers of one group.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameIndex {
    job: String,
    group: String,
    count: usize,
    used: BTreeSet<usize>,
    duplicates: BTreeSet<usize>,
}

impl NameIndex {
    pub(crate) fn new<'a>(
        job: &str,
        group: &str,
        count: usize,
        allocs: impl IntoIterator<Item = &'a Arc<Allocation>>,
    ) -> Self {
        let mut index = Self {
            job: job.to_owned(),
            group: group.to_owned(),
            count,
            ..Self::default()
        };
        for number in allocs.into_iter().filter_map(|alloc| alloc.index()) {
            if !index.used.insert(number) {
                index.duplicates.insert(number);
            }
        }
        index
    }

    /// The names of the same group as if only these allocations had some.
    pub(crate) fn among<'a>(&self, allocs: impl IntoIterator<Item = &'a Arc<Allocation>>) -> Self {
        Self::new(&self.job, &self.group, self.count, allocs)
    }

    fn name(&self, number: usize) -> String {
        Allocation::make_name(&self.job, &self.group, number)
    }

    /// The next `n` names: free numbers below the count, then numbers from 0 again.
    pub(crate) fn next(&mut self, n: usize) -> Vec<String> {
        let free: Vec<usize> = (0..self.count)
            .filter(|number| !self.used.contains(number))
            .take(n)
            .collect();
        let again = 0..n - free.len();
        let numbers: Vec<usize> = free.into_iter().chain(again).collect();
        self.used.extend(&numbers);
        numbers
            .into_iter()
            .map(|number| self.name(number))
            .collect()
    }

    /// Takes the `n` highest used names out.
    pub(crate) fn highest(&mut self, n: usize) -> BTreeSet<String> {
        let numbers: Vec<usize> = self.used.iter().rev().take(n).copied().collect();
        for number in &numbers {
            self.used.remove(number);
        }
        numbers
            .into_iter()
            .map(|number| self.name(number))
            .collect()
    }

    /// Takes the numbers of these as used, too.
    pub(crate) fn reserve<'a>(&mut self, allocs: impl IntoIterator<Item = &'a Arc<Allocation>>) {
        self.used
            .extend(allocs.into_iter().filter_map(|alloc| alloc.index()));
    }

    pub(crate) fn unset(&mut self, number: usize) {
        self.used.remove(&number);
    }

    /// The names of `n` new canaries: those of allocations to be replaced, then free ones, then those that others have
    /// as well, then beyond the count.
    pub(crate) fn next_canaries<'a>(
        &mut self,
        n: usize,
        existing: impl IntoIterator<Item = &'a Arc<Allocation>>,
        destructive: impl IntoIterator<Item = &'a Arc<Allocation>>,
    ) -> Vec<String> {
        let existing: BTreeSet<usize> = existing
            .into_iter()
            .filter_map(|alloc| alloc.index())
            .collect();
        let (shared, replaced): (BTreeSet<usize>, BTreeSet<usize>) = destructive
            .into_iter()
            .filter_map(|alloc| alloc.index())
            .filter(|number| *number < self.count && !existing.contains(number))
            .partition(|number| self.duplicates.contains(number));
        let free = (0..self.count)
            .filter(|number| !self.used.contains(number) && !existing.contains(number));
        let mut numbers: Vec<usize> = replaced.into_iter().take(n).collect();
        numbers.extend(free.take(n - numbers.len()));
        numbers.extend(shared.into_iter().take(n - numbers.len()));
        let missing = n - numbers.len();
        let beyond = (self.count..).filter(|number| !existing.contains(number));
        numbers.extend(beyond.take(missing));
        self.used.extend(&numbers);
        numbers
            .into_iter()
            .map(|number| self.name(number))
            .collect()
    }

    /// For a name whose number two allocations have: a free name instead, and the number is single again.
    pub(crate) fn resolve_duplicate(&mut self, number: usize) -> Option<String> {
        if !self.duplicates.contains(&number) {
            return None;
        }
        let free = (0..self.count).find(|number| !self.used.contains(number))?;
        self.duplicates.remove(&number);
        self.used.insert(free);
        Some(self.name(free))
    }
}

#[cfg(test)]
mod tests {
    use super::NameIndex;
    use caravan_model::Allocation;
    use std::sync::Arc;

    fn alloc(number: usize) -> Arc<Allocation> {
        Arc::new(Allocation {
            name: Allocation::make_name("j", "g", number),
            ..Allocation::default()
        })
    }

    #[test]
    fn names_fill_gaps_and_give_up_the_highest_first() {
        let allocs = [alloc(0), alloc(2), alloc(5)];
        let mut index = NameIndex::new("j", "g", 4, &allocs);
        assert_eq!(index.next(2), ["j.g[1]", "j.g[3]"]);
        assert!(index.highest(1).contains("j.g[5]"));
        assert_eq!(index.next(1), ["j.g[0]"]);
    }

    #[test]
    fn of_names_that_two_have_each_is_given_a_free_one_once() {
        let allocs = [alloc(0), alloc(0), alloc(1), alloc(1)];
        let mut index = NameIndex::new("j", "g", 4, &allocs);
        assert_eq!(index.resolve_duplicate(0).as_deref(), Some("j.g[2]"));
        assert_eq!(index.resolve_duplicate(0), None, "it is single now");
        assert_eq!(index.resolve_duplicate(1).as_deref(), Some("j.g[3]"));
    }

    #[test]
    fn canaries_beyond_the_count_have_names_of_their_own() {
        let tried = [alloc(0), alloc(1)];
        let mut index = NameIndex::new("j", "g", 1, &tried);
        assert_eq!(index.next_canaries(2, &tried, &[]), ["j.g[2]", "j.g[3]"]);
    }

    #[test]
    fn canaries_share_a_name_with_one_that_stays_only_when_no_other_is_left() {
        let (old, stays) = ([alloc(0), alloc(1)], alloc(0));
        let mut index = NameIndex::new("j", "g", 3, old.iter().chain([&stays]));
        let names = index.next_canaries(4, [], &old);
        assert_eq!(names, ["j.g[1]", "j.g[2]", "j.g[0]", "j.g[3]"]);
    }

    #[test]
    fn canaries_take_names_of_what_they_replace_first() {
        let old = [alloc(0), alloc(1)];
        let mut index = NameIndex::new("j", "g", 2, &old);
        assert_eq!(
            index.next_canaries(3, [], &old),
            ["j.g[0]", "j.g[1]", "j.g[2]"]
        );
    }
}
