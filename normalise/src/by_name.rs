//! A few values, each under a name.

use std::borrow::Cow;
use std::ops::Index;

/// Values by name, sorted by it, each name once. There are few of them, mostly two or three: no tree is
/// worth it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByName<'a, T>(Vec<(Cow<'a, str>, T)>);

impl<T> Default for ByName<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T> ByName<'a, T> {
    /// The value under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value)
    }

    /// The value under a name, made if it is missing.
    pub(crate) fn entry(&mut self, name: Cow<'a, str>) -> &mut T
    where
        T: Default,
    {
        let at = match self.0.binary_search_by(|(own, _)| own.cmp(&name)) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (name, T::default()));
                at
            }
        };
        &mut self.0[at].1
    }

    /// All of them, by name.
    pub fn iter(&self) -> std::slice::Iter<'_, (Cow<'a, str>, T)> {
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

    /// The same under names of its own, each value made into another.
    pub(crate) fn into_owned<U>(self, mut value: impl FnMut(T) -> U) -> ByName<'static, U> {
        let owned = |(name, own): (Cow<'_, str>, T)| (Cow::Owned(name.into_owned()), value(own));
        ByName(self.0.into_iter().map(owned).collect())
    }
}

impl<T> Index<&str> for ByName<'_, T> {
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

impl<'a, 'n, T> IntoIterator for &'a ByName<'n, T> {
    type Item = &'a (Cow<'n, str>, T);
    type IntoIter = std::slice::Iter<'a, (Cow<'n, str>, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_stand_once() {
        let mut values = ByName::<'_, Vec<u8>>::default();
        for (name, value) in [("b", 1), ("a", 2), ("b", 3), ("é", 4), ("", 5)] {
            values.entry(name.into()).push(value);
        }
        let names: Vec<&str> = values.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["", "a", "b", "é"]);
        assert_eq!(
            (values["b"].as_slice(), values.get("c")),
            (&[1, 3][..], None)
        );
        assert_eq!((values.len(), values.is_empty()), (4, false));
    }
}
