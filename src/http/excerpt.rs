//! Quotes an answer in an error: the one place that decides which words of a server may be quoted.
//!
//! An answer may contain values: a name, an address or a token, of this tenant or of another. Therefore only words that
//! servers are known to use are quoted, in lower case or at the start of a sentence, and numbers only if they count
//! something. Everything else becomes `***`.

/// At most this many characters are quoted.
const LONGEST: usize = 200;

/// Words with which servers explain a refusal; none is likely to be a customer's name in lower case.
const WORDS: &str = "\
    a about above access account address again all allow allowed already an and another any api are argument as at \
    authentication authorization authorized available bad be because been before below between blank body but by bytes call \
    called calls can cannot change changed character characters clashes code column columns combination conflict conflicts \
    connection contain contains could count create created creating creation credentials customer customers database \
    datasource delete deleted denied deprecated detail details did different do does duplicate duplicated duplicates each \
    either email emails embed empty endpoint ensure enter error errors every exactly exceed exceeded exceeds exist existing \
    exists expected expired failed failure field fields find first for forbidden format found from gateway get given \
    greater group groups has have header hierarchy html http id ids if in incorrect instead integer internal into invalid \
    is it item items its json key keys known large larger later least length less level levels limit list locked long \
    longer made maintenance make many mapping match matching max maximum may message method min minimum missing more most \
    must name names need needs new no non none nor not null number object of on once one only or order other our out over \
    own page pages parameter parameters parent parse path per permission permissions please properties property provided \
    query quota rate reached read reason refused rejected request requests require required requires resource retry reused \
    row said same schema schemas second seconds see select server service sets several short shorter should size slow \
    small some string style success such support supported system tag tags team temporarily than that the their them then there \
    these they this those throttled time timed timeout timestamp title to today together token too try twice type unable \
    unauthorized unavailable under unexpected unique unknown unsupported until up update updated upgrade url use used user \
    users uses valid validation value values version was well were what when where which while will with within without \
    wrong yet you your";

/// The units of numbers that may be quoted.
const UNITS: [&str; 9] =
    ["bytes", "calls", "characters", "customers", "items", "levels", "requests", "seconds", "values"];

/// The beginning of an answer on one line, with `***` for all that must not be quoted.
#[must_use]
pub fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(8 * LONGEST)]);
    if text.trim().is_empty() {
        return "(an empty answer)".to_owned();
    }
    let parts: Vec<_> =
        text.split_inclusive(separates).map(|part| part.split_at(part.trim_end_matches(separates).len())).collect();
    let (mut told, mut between, mut was_told, mut tells) = (String::new(), String::new(), true, false);
    for (number, (word, end)) in parts.iter().enumerate() {
        if !word.is_empty() {
            let next = parts.get(number + 1).filter(|_| *end == " ").map_or("", |(next, _)| next);
            let is_told = may_be_told(word, next);
            if is_told || was_told {
                told.extend([&*between, if is_told { word } else { "***" }]);
            }
            between.clear();
            (was_told, tells) = (is_told, tells || is_told);
        }
        between.extend(end.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    told += &between;
    let cut: String = told.chars().take(LONGEST).collect();
    match tells {
        false => "(the answer has no word that may be quoted)".to_owned(),
        true if cut.len() < told.len() || body.len() > 8 * LONGEST => cut + "…",
        true => cut,
    }
}

fn separates(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "\"'<>(){}[],;:=/?&+|\\".contains(c)
}

/// Whether a word may be quoted; `next` is the word after it in its sentence.
fn may_be_told(word: &str, next: &str) -> bool {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return UNITS.contains(&bare(next));
    }
    is_known(word) || (is_known(next) && word.starts_with(|c: char| c.is_ascii_uppercase()) && is_known(&small(word)))
}

/// With the first letter in lower case.
fn small(word: &str) -> String {
    word[..1].to_ascii_lowercase() + &word[1..]
}

/// Whether a word is known, with or without a full stop; the parts of a word such as `provided_id` are checked one by
/// one.
fn is_known(word: &str) -> bool {
    let word = bare(word);
    !word.is_empty() && word.split('_').all(|part| WORDS.split(' ').any(|known| known == part))
}

fn bare(word: &str) -> &str {
    word.trim_end_matches(['.', '!'])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"{"detail": "Not found."}"#, r#"{"detail": "Not found."}"#)]
    #[case(
        r#"{"success": 0, "error": "Unknown field group_tags"}"#,
        r#"{"success": ***, "error": "Unknown field group_tags"}"#
    )]
    #[case(
        r#"{"name": ["Ensure this field has no more than 255 characters."]}"#,
        r#"{"name": ["Ensure this field has no more than 255 characters."]}"#
    )]
    #[case(
        r#"{"error":"the customer 'Secret Corp' is locked","name":"Secret Corp"}"#,
        r#"{"error":"the customer '***' is locked","name":"***"}"#
    )]
    #[case("no Ann <ann@a.example> please", "no ***> please")]
    #[case("limit is too large\nfor 42 of size 7", "limit is too large for *** of size ***")]
    #[case(r#"{"name":"Access Group"}"#, r#"{"name":"***"}"#)]
    #[case("access@not.found is not-found", "*** is ***")]
    #[case("see 🚀, the Gateway", "see ***, the ***")]
    #[case(r#""a\u0020name\nand é""#, r#""a\***""#)]
    #[case("é\u{301} is Élan is Ünknown to", "*** is *** is *** to")]
    #[case("token 7f3e9a2c-11aa-4b5c-9d1e-000000000001 expired", "token *** expired")]
    #[case("<h1>502 Bad Gateway</h1>", "(the answer has no word that may be quoted)")]
    #[case(" \n", "(an empty answer)")]
    fn words_of_servers_are_told_and_nothing_that_they_quote(#[case] said: &str, #[case] told: &str) {
        assert_eq!(excerpt(said.as_bytes()), told);
    }

    #[test]
    fn an_excerpt_is_short() {
        assert_eq!(excerpt(&b"a ".repeat(10_000)).chars().count(), LONGEST + 1);
        assert_eq!(excerpt(&b"x ".repeat(10_000)), "(the answer has no word that may be quoted)");
        assert!(WORDS.split(' ').is_sorted() && WORDS.split(' ').all(|word| !word.is_empty()));
    }
}
