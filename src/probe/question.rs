//! The questions that the documents leave open, with the answers that are known and what the program does about each.

/// A question to this Explo.
#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    /// Its name, also for programs.
    pub name: &'static str,
    /// What the documents say.
    pub documented: &'static str,
    /// Each answer, and what the program does about it; the first is what is expected.
    answers: &'static [(&'static str, &'static str)],
}

/// What was found out about a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The question.
    pub question: &'static Question,
    /// The answer.
    pub here: Here,
}

/// How this Explo behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Here {
    /// In this way; perhaps with a number or a status.
    Found(&'static str, String),
    /// It is not known, for this reason.
    Untried(String),
}

impl Question {
    /// One of the answers, with a detail.
    pub(super) fn found(&'static self, answer: &'static str, detail: impl Into<String>) -> Finding {
        debug_assert!(self.answers.iter().any(|(known, _)| *known == answer), "{}: {answer}", self.name);
        Finding { question: self, here: Here::Found(answer, detail.into()) }
    }

    /// No answer, and why.
    pub(super) fn untried(&'static self, reason: impl Into<String>) -> Finding {
        Finding { question: self, here: Here::Untried(reason.into()) }
    }
}

impl Finding {
    /// What the program does about it; whatever the answer, if it is not known.
    #[must_use]
    pub fn effect(&self) -> &'static str {
        let is_it = |answer: &str| matches!(self.here, Here::Found(here, _) if here == answer);
        let answers = self.question.answers;
        answers.iter().find(|(answer, _)| is_it(answer)).map_or(answers[0].1, |(_, effect)| effect)
    }

    /// Whether the answer is the expected one.
    #[must_use]
    pub fn is_expected(&self) -> bool {
        matches!(self.here, Here::Found(here, _) if here == self.question.answers[0].0)
    }

    /// Whether this is the answer to this question.
    pub(super) fn is(&self, question: &Question, answers: &[&str]) -> bool {
        self.question == question && matches!(self.here, Here::Found(here, _) if answers.contains(&here))
    }
}

const SILENT: &str = "not documented";
const TOLD: &str = "unsettled: told, not resent";
const NOT_SENT: &str = "such a tenant fails";
const EITHER: &str = "reads either";
const BOTH_SIZES: &str = "sends both, counts what comes";
const OTHER_ID: &str = "another id in an answer fails";
const BY_LOOK: &str = "looks for the id when refused";

macro_rules! questions {
    ($($id:ident = $name:literal, $documented:expr, $($answer:literal => $effect:expr),+;)+) => {
        $(pub(super) const $id: &Question =
            &Question { name: $name, documented: $documented, answers: &[$(($answer, $effect)),+] };)+
        /// Every question, in the order of the table.
        pub const QUESTIONS: &[&Question] = &[$($id),+];
    };
}

questions! {
    LISTING = "listing", "v2; v1 is deprecated",
        "v2" => "lists page by page", "v1" => "needs listing = \"v1\"";
    PAGE_SIZE = "page_size", "page_size or pageSize",
        "both" => BOTH_SIZES, "page_size" => BOTH_SIZES, "pageSize" => BOTH_SIZES, "neither" => BOTH_SIZES;
    UNKNOWN_PARAMETERS = "unknown_parameters", SILENT,
        "ignored" => BOTH_SIZES, "refused" => "tries each name alone";
    TOTAL = "total", "total_count, or count",
        "total_count" => EITHER, "count" => EITHER, "both" => EITHER,
        "missing" => "needs trust_total = false";
    COUNTED = "counted", "all customers",
        "listed" => "complete when it adds up", "fewer" => "lists what comes",
        "more" => "needs trust_total = false";
    PAST_END = "past_end", SILENT,
        "404" => "the end of a listing", "empty" => "the end of a listing",
        "first" => "needs trust_total = true", "last" => "needs trust_total = true",
        "repeated" => "needs trust_total = true", "refused" => "needs trust_total = true";
    KEYS = "keys", "snake_case, camelCase", "snake" => EITHER, "camel" => EITHER;
    PROPERTY_KEYS = "property_keys", "differs: v1 and v2",
        "stored" => "compares them as they are",
        "snake-listed" => "asks get_customer in doubt",
        "camel-listed" => "asks get_customer in doubt",
        "snake" => TOLD, "camel" => TOLD, "changed" => TOLD;
    UNKNOWN_ID = "unknown_id", SILENT,
        "404" => "learns it with a random id", "400" => "learns it with a random id",
        "200" => "learns it with a random id", "other" => "learns it with a random id",
        "500" => "no look can prove absence";
    REFUSAL = "refusal", "success is not 1",
        "success" => "quotes status, common words", "detail" => "quotes status, common words",
        "json" => "quotes status, common words", "text" => "quotes status, common words";
    IDS = "ids", SILENT, "exact" => "compares them exactly", "folded" => OTHER_ID, "trimmed" => OTHER_ID, "both" => OTHER_ID;
    EXISTING = "existing", "left (of its twin)",
        "left" => "updates what differs", "updated" => "updates what still differs", "refused" => NOT_SENT;
    EMAILS = "emails", "added, or replaced",
        "replace" => "sends all addresses of a row", "merge" => "old stay; or emails = \"add\"",
        "changed" => TOLD, "refused" => NOT_SENT;
    PROPERTIES = "properties", SILENT,
        "replace" => "sends all keys of a row", "merge" => "old keys stay, told once", "changed" => TOLD, "refused" => NOT_SENT;
    MAPPING = "mapping", SILENT,
        "replace" => "sends all keys of a row", "merge" => "old keys stay, told once", "changed" => TOLD,
        "refused" => "sends what the row has";
    MAPPING_VALUES = "mapping_values", "strings",
        "sent" => "213 and \"213\" are equal", "numbers" => "213 and \"213\" are equal", "changed" => TOLD;
    ADDRESS_CASE = "address_case", SILENT, "kept" => "compares letters exactly", "lower" => TOLD, "changed" => TOLD;
    SPACES = "spaces", SILENT, "kept" => "compares them exactly", "trimmed" => TOLD, "collapsed" => TOLD, "refused" => NOT_SENT;
    UNICODE = "unicode", SILENT, "kept" => "compares code points", "nfc" => TOLD, "changed" => TOLD, "refused" => NOT_SENT;
    MARKUP = "markup", SILENT, "kept" => "compares it exactly", "escaped" => TOLD, "changed" => TOLD, "refused" => NOT_SENT;
    NUMBERS = "numbers", SILENT,
        "kept" => "compares all digits", "whole" => TOLD, "doubles" => TOLD, "changed" => TOLD, "refused" => NOT_SENT;
    LONG_NAME = "long_name", SILENT, "kept" => "sends it whole", "cut" => TOLD, "changed" => TOLD, "refused" => NOT_SENT;
    NULLS = "nulls", SILENT, "ignored" => "never sends null", "cleared" => "never sends null", "refused" => "never sends null";
    TAG_CALLS = "tag_calls", "present",
        "present" => "unknown tags are invalid", "missing" => "takes every tag as known";
    UNKNOWN_TAGS = "unknown_tags", "refused", "refused" => "sends only listed ones";
    GONE = "gone", SILENT, "refused" => BY_LOOK, "success" => BY_LOOK;
}
