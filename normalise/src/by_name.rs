//! A few values, each under a name.

use std::ops::Index;

/// Values by name, sorted by it, each name once. There are few of them, mostly two or three, for
/// which a tree would take half a kilobyte of every row that waits to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByName<T>(Vec<(String, T)>);

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ByName<T> {
    /// The value under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value)
    }

    /// The value under a name, made if it is missing.
    pub(crate) fn entry(&mut self, name: &str) -> &mut T
    where
        T: Default,
    {
        let at = match self.0.binary_search_by(|(own, _)| own.as_str().cmp(name)) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (name.to_owned(), T::default()));
                at
            }
        };
        &mut self.0[at].1
    }

    /// All of them, by name.
    pub fn iter(&self) -> std::slice::Iter<'_, (String, T)> {
        self.0.iter()
    }

    /// How many names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No name at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same in as little memory as it takes.
    pub(crate) fn fitted(mut self) -> Self {
        self.0.shrink_to_fit();
        self
    }
}

impl<T> Index<&str> for ByName<T> {
    type Output = T;

    /// # Panics
    /// Where the name is missing, as a map does.
    fn index(&self, name: &str) -> &T {
        match self.get(name) {
            Some(value) => value,
            None => panic!("nothing stands under {name}"),
        }
    }
}

impl<'a, T> IntoIterator for &'a ByName<T> {
    type Item = &'a (String, T);
    type IntoIter = std::slice::Iter<'a, (String, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_stand_once() {
        let mut values = ByName::<Vec<u8>>::default();
        for (name, value) in [("b", 1), ("a", 2), ("b", 3), ("é", 4), ("", 5)] {
            values.entry(name).push(value);
        }
        let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["", "a", "b", "é"]);
        assert_eq!(
            (values["b"].as_slice(), values.get("c")),
            (&[1, 3][..], None)
        );
        assert_eq!((values.len(), values.is_empty()), (4, false));
    }
}
