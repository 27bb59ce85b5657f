//! The keys of an object that a row manages. A few keys are searched one by one, many by binary search.

use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::OnceLock,
};

use super::json;

/// Up to this many keys are searched one by one.
const FEW: usize = 16;

/// Keys in the order of their columns; none occurs twice.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    names: Vec<String>,
    /// The indices in the order of the names; made at the first search among many.
    sorted: OnceLock<Vec<u32>>,
    /// The names without their style; made at the first search among many.
    plain: OnceLock<HashSet<String>>,
}

impl Keys {
    /// The keys in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether this is one of the keys.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        if self.names.len() <= FEW {
            return self.iter().any(|name| name == key);
        }
        let name = |number: &u32| self.names[*number as usize].as_str();
        let sorted = self.sorted.get_or_init(|| {
            let mut sorted: Vec<u32> = (0..).zip(&self.names).map(|(number, _)| number).collect();
            sorted.sort_unstable_by(|a, b| name(a).cmp(name(b)));
            sorted
        });
        sorted.binary_search_by(|number| name(number).cmp(key)).is_ok()
    }

    /// Whether this is one of the keys, or one in another style.
    #[must_use]
    pub fn has_like(&self, key: &str) -> bool {
        if self.names.len() <= FEW {
            return self.iter().any(|name| json::is_same_key(name, key));
        }
        let plain = |name: &str| json::plain_key(name).collect::<String>();
        self.plain.get_or_init(|| self.iter().map(plain).collect()).contains(&plain(key))
    }
}

impl FromIterator<String> for Keys {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self { names: names.into_iter().collect(), ..Self::default() }
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Eq for Keys {}

impl Hash for Keys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn many_keys_are_found_as_few_are(names in btree_set("[abAB_-]{1,4}", 0..60), others in btree_set("[abAB_-]{1,4}", 20)) {
            let mut names: Vec<_> = names.into_iter().collect();
            names.reverse();
            let keys: Keys = names.iter().cloned().collect();
            prop_assert!(keys.iter().eq(&names));
            for key in names.iter().chain(&others) {
                prop_assert_eq!(keys.has(key), names.contains(key), "{}", key);
                let is_like = names.iter().any(|name| json::is_same_key(name, key));
                prop_assert_eq!(keys.has_like(key), is_like, "{}", key);
            }
            prop_assert_eq!(&keys, &names.iter().cloned().collect::<Keys>());
        }
    }
}
