//! How many connections each address has.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// Open connections by address; those of sockets have none.
type Open = Arc<Mutex<HashMap<Option<IpAddr>, usize>>>;

/// Counts connections by address.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    /// How many an address may have; 0 for as many as it likes.
    max: usize,
    open: Open,
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    address: Option<IpAddr>,
    open: Open,
}

impl Connections {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            open: Arc::default(),
        }
    }

    /// A place for one more connection of the address, if there is one.
    pub(super) fn take(&self, address: Option<IpAddr>) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if address.is_some() && self.max > 0 && *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Place {
            address,
            open: self.open.clone(),
        })
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> usize {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .sum()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_limit_holds_up_is_counted_too() {
        let address = Some(IpAddr::from([127, 0, 0, 1]));
        let unlimited = Connections::new(0);
        let places = [address, address, None].map(|address| unlimited.take(address));
        assert!(places.iter().all(Option::is_some));
        assert_eq!(unlimited.open(), 3);
        drop(places);
        assert_eq!(unlimited.open(), 0);

        let limited = Connections::new(1);
        let places = [address, address, None, None].map(|address| limited.take(address));
        let held: Vec<bool> = places.iter().map(Option::is_some).collect();
        assert_eq!(held, [true, false, true, true]);
        assert_eq!(limited.open(), 3);
    }
}
