//! The calls of a world as seen on the wire.

use std::{collections::BTreeMap, fmt, time::Duration};

use explo_sync::explo::{Incoming, Outgoing};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

/// Who makes a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct By {
    /// The number of the process.
    pub process: usize,
    /// The number of the run in its process; `None`: wakes.
    pub run: Option<usize>,
    /// When that run began, in milliseconds of the world.
    pub since: u128,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    pub by: By,
    pub endpoint: String,
    pub page: Option<usize>,
    /// The customer whose children the call lists.
    pub parent: Option<String>,
    /// The content of the body.
    pub asked: Asked,
    pub began: Instant,
    /// The answer, if it arrived whole.
    pub answer: Option<Answer>,
    /// Whether a rename took place, whatever the answer.
    pub is_renamed: bool,
}

/// A body.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub provided_id: String,
    pub new_id: Option<String>,
    /// The name of a tag.
    pub name: String,
    pub group_tags: Vec<String>,
    /// The fields as sent, without ids.
    pub fields: BTreeMap<String, Box<RawValue>>,
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub pause: Option<Duration>,
    pub told: Told,
    pub at: Instant,
}

/// An answer's content, in both styles.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Told {
    pub total_count: Option<u64>,
    #[serde(rename = "totalCount")]
    pub total_count_camel: Option<u64>,
    pub count: Option<u64>,
    pub results: Option<Results>,
    pub customers: Option<Vec<Record>>,
    pub customer: Option<Record>,
    #[serde(alias = "newCustomer")]
    pub new_customer: Option<bool>,
    #[serde(alias = "groupTag")]
    pub group_tag: Option<Box<RawValue>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Results {
    pub customers: Vec<Record>,
}

/// The ids in a record.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    pub token: String,
    #[serde(alias = "providedId")]
    pub provided_id: Option<String>,
}

impl Asked {
    fn read(body: &str) -> Self {
        let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(body).unwrap();
        let text = |value: Box<RawValue>| serde_json::from_str::<String>(value.get()).unwrap();
        let (provided_id, new_id) =
            (fields.remove("provided_id").map(text), fields.remove("new_provided_id").map(text));
        let name = fields.get("name").and_then(|name| serde_json::from_str(name.get()).ok());
        let tags = fields.get("group_tags").and_then(|tags| serde_json::from_str(tags.get()).ok());
        Self {
            provided_id: provided_id.unwrap_or_default(),
            new_id,
            name: name.unwrap_or_default(),
            group_tags: tags.unwrap_or_default(),
            fields,
        }
    }
}

impl Call {
    /// A call that begins now.
    pub fn begin(request: &Outgoing<'_>, by: By) -> Self {
        let query = |name| request.query.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        Self {
            by,
            endpoint: request.path.trim_end_matches('/').rsplit('/').next().unwrap().to_owned(),
            page: query("page").and_then(|page| page.parse().ok()),
            parent: query("parent_provided_id"),
            asked: request.body.map(Asked::read).unwrap_or_default(),
            began: Instant::now(),
            answer: None,
            is_renamed: false,
        }
    }

    /// Whether it writes a customer.
    pub fn is_write(&self) -> bool {
        matches!(self.endpoint.as_str(), "create_customer" | "update_customer")
    }

    pub fn provided_id(&self) -> &str {
        &self.asked.provided_id
    }

    /// The new id of a rename.
    pub fn new_id(&self) -> Option<&str> {
        self.asked.new_id.as_deref()
    }

    /// The tenant that a write is for.
    pub fn tenant_id(&self) -> &str {
        self.new_id().unwrap_or_else(|| self.provided_id())
    }

    /// The name that a write sends.
    pub fn name(&self) -> Option<&str> {
        (self.is_write() && !self.asked.name.is_empty()).then_some(&*self.asked.name)
    }

    /// The names of the fields that a write sends.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.asked.fields.keys().map(String::as_str)
    }

    pub fn status(&self) -> Option<u16> {
        Some(self.answer.as_ref()?.status)
    }

    /// The content of a whole answer with a status of success.
    pub fn told(&self) -> Option<&Told> {
        self.answer.as_ref().filter(|answer| answer.status == 200).map(|answer| &answer.told)
    }

    /// The token of the customer that the call deletes.
    pub fn deletes(&self) -> Option<String> {
        let token = self.asked.fields.get("current_token").filter(|_| self.endpoint == "delete_customer")?;
        serde_json::from_str(token.get()).ok()
    }

    /// Whether it takes the addresses of a customer away.
    pub fn empties(&self) -> bool {
        let emails = self.asked.fields.get("emails").filter(|_| self.endpoint == "update_customer");
        emails.is_some_and(|emails| emails.get() == "[]")
    }

    /// Whether the answer is about the customer that the call named.
    pub fn is_acknowledged(&self) -> bool {
        let about = self.told().and_then(|told| told.customer.as_ref()?.provided_id.as_deref());
        about == Some(self.tenant_id())
    }

    /// The token that the answer shows.
    pub fn token(&self) -> Option<&String> {
        Some(&self.told()?.customer.as_ref()?.token)
    }

    /// Whether a create found a customer.
    pub fn is_found(&self) -> bool {
        self.told().is_some_and(|told| told.new_customer == Some(false))
    }

    /// The total and the customers of a listing that arrived.
    pub fn listed(&self) -> Option<(Option<u64>, &[Record])> {
        let told = self.told()?;
        let customers = told.results.as_ref().map(|results| &results.customers).or(told.customers.as_ref())?;
        Some((told.total_count.or(told.total_count_camel).or(told.count), customers))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.asked.fields.iter().map(|(name, value)| format!("{name}={}", value.get())).collect();
        let by = self.by.run.map_or("wakes".to_owned(), |run| format!("run {run}"));
        write!(f, "[{} {by}] {} {:?} {}", self.by.process, self.endpoint, self.tenant_id(), fields.join(" "))?;
        let place = [
            self.page.map(|page| page.to_string()),
            self.parent.clone(),
            self.new_id().map(|_| self.provided_id().to_owned()),
        ];
        write!(f, " {} → ", place.into_iter().flatten().collect::<Vec<_>>().join(" "))?;
        match &self.answer {
            None => f.write_str("nothing"),
            Some(Answer { status, told, .. }) => {
                let ids = |(total, customers): (_, &[Record])| {
                    (total, customers.iter().map(|one| one.provided_id.clone().unwrap_or_default()).collect::<Vec<_>>())
                };
                let customers = self.listed().map(ids);
                let token = told.customer.as_ref().map(|customer| &customer.token);
                write!(f, "{status} {customers:?} {token:?} {:?}", told.new_customer)
            }
        }
    }
}

impl Answer {
    /// An answer that arrives now.
    pub fn of(answer: &Incoming) -> Self {
        let pause = answer.headers.get("retry-after").map(|text| text.to_str().unwrap().parse().unwrap());
        Self {
            status: answer.status.as_u16(),
            pause: pause.map(Duration::from_secs),
            told: serde_json::from_slice(&answer.body).unwrap_or_default(),
            at: Instant::now(),
        }
    }
}
