//! [`FieldFindings`] as text, for a ledger: `emails 00c5…:9f31… added; name 1b07…:4410… acknowledged`.
//!
//! Each part is a field, the hashes of what is wanted and of what Explo shows, and the rule, or that the last run's write
//! was acknowledged. What a later version adds is skipped by an earlier one: a finding that is lost costs a call.

use std::fmt;

use super::{FieldFindings, Rule, remembered::Sides};
use crate::model::Field;

const ACKNOWLEDGED: &str = "acknowledged";

const RULES: [(&str, Rule); 6] = [
    ("added", Rule::Added),
    ("inherited", Rule::Inherited),
    ("re-cased", Rule::Recased),
    ("trimmed", Rule::Trimmed),
    ("cut", Rule::Cut),
    ("changed", Rule::Changed),
];

impl fmt::Display for FieldFindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |rule: Rule| RULES.iter().find(|(_, known)| *known == rule).map_or("changed", |(word, _)| word);
        let unsettled = self.unsettled.iter().map(|(field, (sides, rule))| (field, sides, word(*rule)));
        let acknowledged = self.acknowledged.iter().map(|(field, sides)| (field, sides, ACKNOWLEDGED));
        for (number, (field, Sides { wanted, seen }, word)) in unsettled.chain(acknowledged).enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{} {wanted:016x}:{seen:016x} {word}", field.name())?;
        }
        Ok(())
    }
}

impl FieldFindings {
    /// Reads what `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut findings = Self::default();
        for part in text.split(';') {
            let Some((field, sides, word)) = read(part) else { continue };
            if word == ACKNOWLEDGED {
                findings.acknowledged.insert(field, sides);
            } else if let Some((_, rule)) = RULES.iter().find(|(known, _)| *known == word) {
                findings.unsettled.insert(field, (sides, *rule));
            }
        }
        findings
    }
}

fn read(part: &str) -> Option<(Field, Sides, &str)> {
    let mut words = part.split_whitespace();
    let (name, sides, word) = (words.next()?, words.next()?, words.next()?);
    let field = Field::ALL.into_iter().find(|field| field.name() == name)?;
    let hash = |text| u64::from_str_radix(text, 16).ok();
    let (wanted, seen) = sides.split_once(':')?;
    Some((field, Sides { wanted: hash(wanted)?, seen: hash(seen)? }, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_strange_parts_are_skipped() {
        let sides = |wanted, seen| Sides { wanted, seen };
        let mut findings = FieldFindings::default();
        for (number, (_, rule)) in (0..).zip(RULES) {
            findings.unsettled.insert(Field::ALL[number], (sides(u64::MAX, number as u64), rule));
        }
        findings.acknowledged.insert(Field::Name, sides(7, 8));
        let text = findings.to_string();
        assert!(text.starts_with("name ffffffffffffffff:0000000000000000 added; emails "), "{text}");
        assert_eq!(FieldFindings::parse(&text), findings);
        assert_eq!(FieldFindings::parse(&format!("colour 1:2 added; name 1:x cut;; {text}; name 1:2 lost")), findings);
        assert_eq!(FieldFindings::parse(""), FieldFindings::default());
    }
}
