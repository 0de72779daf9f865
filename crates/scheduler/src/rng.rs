//! Reproducible randomness: ids, dynamic ports and ties all come from the seed of the decision.

use uuid::Uuid;

/// A splitmix64 generator.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

/// One round of mixing: a well spread number for each input.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// A generator for this seed and this subject (an evaluation's id).
    pub(crate) fn new(seed: u64, subject: Uuid) -> Self {
        let (high, low) = subject.as_u64_pair();
        Self(mix(seed ^ mix(high ^ mix(low))))
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `bound`; 0 when that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        let bits = (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;
    use uuid::Uuid;

    #[test]
    fn the_same_seed_and_subject_give_the_same_ids() {
        let ids = |seed| {
            let mut rng = Rng::new(seed, Uuid::from_u128(7));
            [rng.uuid(), rng.uuid()]
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
        assert_ne!(ids(1)[0], ids(1)[1]);
        assert_eq!(ids(1)[0].get_version_num(), 4);
    }

    #[test]
    fn a_bounded_number_stays_below_its_bound() {
        let mut rng = Rng::new(3, Uuid::nil());
        assert!((0..1000).all(|_| rng.below(7) < 7));
        assert_eq!(rng.below(0), 0);
    }
}
