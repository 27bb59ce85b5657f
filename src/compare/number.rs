//! The normal form of numbers: equal values have equal text, with all their digits.

use std::{borrow::Cow, fmt};

/// At most this many digits are written before the decimal point.
const LONGEST: usize = 40;

/// The normal form of a JSON number.
#[must_use]
pub(super) fn normal(number: &str) -> Cow<'_, str> {
    let is_whole = number.len() <= LONGEST && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_whole { Cow::Borrowed(number) } else { Cow::Owned(Decimal::of(number).to_string()) }
}

/// The value of a JSON number: ±0.DIGITS · 10^point, without leading or trailing zeros; zero has no digits.
struct Decimal {
    negative: bool,
    digits: String,
    /// The position of the decimal point, counted from before the first digit.
    point: i64,
}

impl Decimal {
    /// Reads a JSON number.
    fn of(number: &str) -> Self {
        let (negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Self { negative: false, digits, point: 0 };
        }
        let beyond = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
        let shift: i64 = exponent.trim_start_matches('+').parse().unwrap_or(beyond);
        let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
        let leading = length(&all) - length(significant);
        Self { negative, digits, point: (length(whole) - leading).saturating_add(shift) }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, digits) = (if self.negative { "-" } else { "" }, &*self.digits);
        match usize::try_from(self.point) {
            _ if digits.is_empty() => f.write_str("0"),
            Ok(point) if point >= digits.len() && point <= LONGEST => write!(f, "{sign}{digits:0<point$}"),
            Ok(point @ 1..) if point < digits.len() => write!(f, "{sign}{}.{}", &digits[..point], &digits[point..]),
            _ if (-6..=0).contains(&self.point) => {
                (self.point..0).try_fold(write!(f, "{sign}0.")?, |(), _| f.write_str("0"))?;
                f.write_str(digits)
            }
            _ => {
                let (first, rest) = digits.split_at(1);
                let dot = if rest.is_empty() { "" } else { "." };
                write!(f, "{sign}{first}{dot}{rest}e{}", self.point - 1)
            }
        }
    }
}
