//! Fingerprints and findings as text, with the version of their form: `2:3w5e11264sgsf`, `2:emails 00c5…:9f31… added`.
//!
//! Hashes of different forms can't be compared, so a text of another version counts as unknown, and the next run
//! replaces it. A fingerprint has digits of base 36: tables of earlier versions in MySQL have room for 16 characters.

/// Raise it when [`lasting_fingerprint`](crate::compare::lasting_fingerprint) or the hashes in findings change, and when
/// findings of earlier versions are no longer valid.
const VERSION: &str = "2";

/// The digits 0 to 9 and a to z.
const BASE: u32 = 36;

/// A text of this version.
pub(super) fn stamped(text: &str) -> String {
    format!("{VERSION}:{text}")
}

/// The text that [`stamped`] got, if it has this version.
pub(super) fn unstamped(text: &str) -> Option<&str> {
    text.strip_prefix(VERSION)?.strip_prefix(':')
}

/// A fingerprint as text.
pub(super) fn write(fingerprint: u64) -> String {
    let (base, mut left, mut digits) = (u64::from(BASE), fingerprint, Vec::new());
    loop {
        digits.extend(u32::try_from(left % base).ok().and_then(|digit| char::from_digit(digit, BASE)));
        left /= base;
        if left == 0 {
            break;
        }
    }
    stamped(&digits.iter().rev().collect::<String>())
}

/// Reads what [`write()`] wrote; `None` if the text is not known.
pub(super) fn read(text: &str) -> Option<u64> {
    u64::from_str_radix(unstamped(text)?, BASE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compare::lasting_fingerprint,
        model::{Object, Tenant},
    };

    #[test]
    fn what_is_written_is_read_again_and_fits_where_earlier_versions_made_the_table() {
        for fingerprint in [0, 1, 35, 36, 0x00c5_0000_9f31_0000, u64::MAX] {
            let text = write(fingerprint);
            assert_eq!((read(&text), text.len() <= 16), (Some(fingerprint), true), "{text}");
        }
    }

    #[test]
    fn what_has_no_version_or_another_is_not_known() {
        for text in
            ["", "2", "2:", ":2", "00c500009f310000", "0:1", "1:1", "22:1", "2:-1", "2:3w5e11264sgsg", "unlisted"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!((unstamped("2:name 1:2 cut"), unstamped("name 1:2 cut")), (Some("name 1:2 cut"), None));
    }

    /// If this fails, the form has changed: raise the version.
    #[test]
    fn the_form_of_a_fingerprint_is_that_of_its_version() {
        let tenant = Tenant {
            name: Some("Ann & Söhne".into()),
            emails: Some(vec!["b@x.example".into(), "a@x.example".into()]),
            group_tags: Some(vec!["tag".into()]),
            properties: Some(Object::Whole(r#"{"a": [1.50, "b", null, true], "c": {}}"#.into())),
            is_demo_group: Some(false),
            parent_provided_id: Some("parent".into()),
            ..Tenant::default()
        };
        assert_eq!((VERSION, write(lasting_fingerprint(&tenant))), ("2", "2:lplbbmuabzfl".to_owned()));
    }
}
