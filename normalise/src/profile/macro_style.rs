//! How a network writes the macros of a URL template: `<u1>`, `{SubId1}`, `!!!clickref!!!`.

use percent_encoding::percent_decode_str;

/// The signs around a macro's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroStyle {
    before: String,
    after: String,
    /// Byte of `before`.
    first: u8,
}

impl MacroStyle {
    /// Reads a profile's `macro`: the word `name` between the signs, as in `<name>`.
    ///
    /// `None` unless there is something on both sides: every value would be a macro.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (before, after) = text.split_once("name")?;
        let first = *before.as_bytes().first()?;
        (!after.is_empty()).then(|| Self {
            before: before.to_owned(),
            after: after.to_owned(),
            first,
        })
    }

    /// The macro of that name, as a template writes it.
    #[must_use]
    pub fn write(&self, name: &str) -> String {
        format!("{}{name}{}", self.before, self.after)
    }

    /// The name inside, when the whole text (spaces around left out) is one macro. A GUID between
    /// the signs is none: programs write it in braces, and no network calls a macro so.
    #[must_use]
    pub fn name_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.inside(text)
            .filter(|name| Self::can_name(name) && !is_guid(name))
    }

    /// What stands between the signs, whatever it is.
    fn inside<'t>(&self, text: &'t str) -> Option<&'t str> {
        text.trim()
            .strip_prefix(&*self.before)?
            .strip_suffix(&*self.after)
    }

    /// True when a macro can have that name. A heading such as `Member ID` is none.
    #[must_use]
    pub fn can_name(name: &str) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        !name.is_empty() && name.bytes().all(plain)
    }

    /// What stands between the signs of something that looks like one macro, and is none by its
    /// name: `Member ID` of `<Member ID>`.
    pub(crate) fn unfit_name_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        let name = self.inside(text)?.trim();
        let is_one = !name.contains(&*self.before) && !name.contains(&*self.after);
        (is_one && !name.is_empty() && !Self::can_name(name)).then_some(name)
    }

    /// True when a received value is a macro that nobody replaced, also when it was
    /// percent-encoded once more than the request itself.
    #[must_use]
    #[inline]
    pub fn is_unreplaced(&self, value: &str) -> bool {
        // Nearly every value begins with another byte, which spares it the rest.
        let begins = value.as_bytes().first().is_some_and(|first| {
            *first == self.first || *first == b'%' || !matches!(first, 0x21..=0x7e)
        });
        begins && self.is_whole_macro(value)
    }

    #[cold]
    fn is_whole_macro(&self, value: &str) -> bool {
        self.name_in(value).is_some()
            || (value.trim_start().starts_with('%')
                && percent_decode_str(value)
                    .decode_utf8()
                    .is_ok_and(|text| self.name_in(&text).is_some()))
    }

    /// The text without the macros of this style that stand in it.
    #[must_use]
    pub fn without_macros(&self, text: &str) -> String {
        let mut kept = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(&*self.before) {
            let (ahead, from) = rest.split_at(at);
            kept.push_str(ahead);
            let inside = &from[self.before.len()..];
            let name = inside.split_once(&*self.after);
            let name = name.filter(|(name, _)| Self::can_name(name));
            let beginning = from.chars().next().map_or(0, char::len_utf8);
            rest = name.map_or(&from[beginning..], |(_, behind)| behind);
            if name.is_none() {
                kept.push_str(&from[..beginning]);
            }
        }
        kept.push_str(rest);
        kept
    }

    /// True when a macro of this style could stand somewhere inside the text.
    pub(crate) fn occurs_in(&self, text: &str) -> bool {
        text.split_once(&*self.before)
            .is_some_and(|(_, rest)| rest.contains(&*self.after))
    }
}

/// Hexadecimal digits in five groups, of 8, 4, 4, 4 and 12.
fn is_guid(text: &str) -> bool {
    let groups = || text.split('-').map(str::len);
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    groups().eq([8, 4, 4, 4, 12]) && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_macro_is_known_by_its_signs() {
        for (style, text) in [
            ("<name>", "<u1>"),
            ("{name}", " {u1} "),
            ("!!!name!!!", "!!!u1!!!"),
            ("${(name)!}", "${(u1)!}"),
            ("[[[name]]]", "[[[u1]]]"),
        ] {
            let style = MacroStyle::parse(style).unwrap();
            assert_eq!(style.name_in(text), Some("u1"));
            assert_eq!(style.write("u1"), text.trim());
            assert!(style.is_unreplaced(text));
        }
        let style = MacroStyle::parse("<name>").unwrap();
        assert!(style.is_unreplaced("%3Cu1%3e"));
        for text in [
            "", "u1", "<>", "<u1", "a<u1>", "<a b>", "%3Cu1", "<<u1>>", "%FF",
        ] {
            assert!(!style.is_unreplaced(text), "{text}");
        }
        assert_eq!(style.unfit_name_in(" <Member ID>"), Some("Member ID"));
        for text in ["<u1>", "<u1>-<u2>", "<>", "< >", "a <b c>", "Member ID"] {
            assert_eq!(style.unfit_name_in(text), None, "{text}");
        }
        assert!(style.occurs_in("a-<u1>-b") && !style.occurs_in("a > b < c"));
        for (style, text, expected) in [
            ("#name#", "a=#s1#&b=#s2#", "a=&b="),
            ("#name#", "a=7#&b=#s2#", "a=7#&b="),
            ("#name#", "a=#s1#s2#&b=##", "a=s2#&b=##"),
            ("!!name!!", "a=!!!x!!é!&b=!", "a=!é!&b=!"),
            ("<name>", "a=<u1>#<>", "a=#<>"),
        ] {
            let style = MacroStyle::parse(style).unwrap();
            assert_eq!(style.without_macros(text), expected, "{text}");
        }
        for bad in ["", "name", "<name", "name>", "<macro>"] {
            assert_eq!(MacroStyle::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_guid_in_braces_is_a_value() {
        let style = MacroStyle::parse("{name}").unwrap();
        for guid in [
            "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",
            " {6f9619ff-8b86-d011-b42d-00cf4fc964ff}",
            "%7B6F9619FF-8B86-D011-B42D-00CF4FC964FF%7D",
        ] {
            assert!(!style.is_unreplaced(guid), "{guid}");
        }
        for name in [
            "{1001}",
            "{6F9619FF8B86D011B42D00CF4FC964FF}",
            "{6F9619FF-8B86-D011-B42D-00CF4FC964F}",
            "{6F9619FG-8B86-D011-B42D-00CF4FC964FF}",
            "{8B86-6F9619FF-D011-B42D-00CF4FC964FF}",
        ] {
            assert!(style.is_unreplaced(name), "{name}");
        }
    }
}
