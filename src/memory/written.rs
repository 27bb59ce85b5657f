//! [`FieldFindings`] as text, for a ledger: `emails 00c5…:9f31… added 1796000000; name 1b07…:4410… acknowledged`.
//!
//! Each part has a field, the hashes of the wanted and the current value, and the rule with the time at which it was
//! found (an earlier version wrote no time), or `acknowledged` if the last run's write was acknowledged. The prefix
//! `predicted-` marks a rule whose difference was not sent, `settled-` a rule that is no longer valid. An earlier
//! version skips what a later one adds: a lost finding costs one call.

use std::fmt;

use super::{
    FieldFindings,
    remembered::{Finding, Sides},
};
use crate::{compare::Rule, model::Field};

const PREDICTED: &str = "predicted-";

const SETTLED: &str = "settled-";

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
        let found = |finding: &Finding| {
            let prefix = if finding.is_predicted { PREDICTED } else { "" };
            let at = finding.at.map_or(String::new(), |at| format!(" {at}"));
            format!("{prefix}{}{at}", word(finding.rule))
        };
        let unsettled = self.unsettled.iter().map(|(field, finding)| (field, finding.sides, found(finding)));
        let acknowledged = self.acknowledged.iter().map(|(field, sides)| (field, *sides, ACKNOWLEDGED.to_owned()));
        let nothing = Sides { wanted: 0, current: 0 };
        let settled =
            self.settled.iter().map(|(field, (rule, at))| (field, nothing, format!("{SETTLED}{} {at}", word(*rule))));
        let all = unsettled.chain(acknowledged).chain(settled);
        for (number, (field, Sides { wanted, current }, word)) in all.enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{} {wanted:016x}:{current:016x} {word}", field.name())?;
        }
        Ok(())
    }
}

impl FieldFindings {
    /// Reads what `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut memory = Self::default();
        for part in text.split(';') {
            let Some((field, sides, word, at)) = read(part) else { continue };
            let rule = |name: &str| RULES.iter().find(|(known, _)| *known == name).map(|(_, rule)| *rule);
            let found = |name, is_predicted| Some(Finding { sides, rule: rule(name)?, is_predicted, at });
            if word == ACKNOWLEDGED {
                memory.acknowledged.insert(field, sides);
            } else if let Some(name) = word.strip_prefix(SETTLED) {
                memory.settled.extend(rule(name).zip(at).map(|settled| (field, settled)));
            } else if let Some(name) = word.strip_prefix(PREDICTED) {
                memory.unsettled.extend(found(name, true).map(|finding| (field, finding)));
            } else {
                memory.unsettled.extend(found(word, false).map(|finding| (field, finding)));
            }
        }
        memory
    }
}

fn read(part: &str) -> Option<(Field, Sides, &str, Option<u64>)> {
    let mut words = part.split_whitespace();
    let (name, sides, word) = (words.next()?, words.next()?, words.next()?);
    let field = Field::ALL.into_iter().find(|field| field.name() == name)?;
    let hash = |text| u64::from_str_radix(text, 16).ok();
    let (wanted, current) = sides.split_once(':')?;
    let at = words.next().and_then(|at| at.parse().ok());
    Some((field, Sides { wanted: hash(wanted)?, current: hash(current)? }, word, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_strange_parts_are_skipped() {
        let sides = |wanted, current| Sides { wanted, current };
        let mut memory = FieldFindings::default();
        for (number, (_, rule)) in (0..).zip(RULES) {
            let sides = sides(u64::MAX, number as u64);
            memory
                .unsettled
                .insert(Field::ALL[number], Finding { sides, rule, is_predicted: number % 2 == 1, at: Some(7) });
        }
        memory.acknowledged.insert(Field::Name, sides(7, 8));
        memory.settled.insert(Field::Emails, (Rule::Cut, 9));
        let text = memory.to_string();
        assert!(
            text.starts_with(
                "name ffffffffffffffff:0000000000000000 added 7; emails ffffffffffffffff:0000000000000001 predicted-"
            ),
            "{text}"
        );
        assert_eq!(FieldFindings::parse(&text), memory);
        assert_eq!(FieldFindings::parse(&format!("colour 1:2 added; name 1:x cut;; {text}; name 1:2 lost")), memory);
        assert_eq!(FieldFindings::parse(""), FieldFindings::default());
        assert_eq!(
            FieldFindings::parse("name 1:2 cut").unsettled[&Field::Name].at,
            None,
            "as an earlier version wrote it"
        );
    }
}
