//! The configuration: embedded default < file < environment, made valid in one step before anything starts.
//!
//! All mistakes are reported at once, each with its place, the key, the value and the allowed form. Secrets come from
//! files or the environment, and no message shows one.

mod draft;
mod error;
mod explo_alone;
mod layers;
mod ledger_alone;
mod offboard;
mod schema;
mod source;
mod values;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::{
    compare::{EmailRule, Rules, TagRule},
    daemon::Timing,
    database::Server,
    explo::{self, ListingRules, ListingVersion},
    ledger::{self, Table},
    plan::{Guard, Offboarding},
    reconciler::Origin,
    schedule::{Schedule, ScheduleError},
    source::AnySource,
};

use draft::Draft;
pub use error::Error;
pub use explo_alone::{ExploAlone, explo_alone};
use layers::NOT_UTF8;
pub use layers::{DEFAULT, Environment, FIRST, Layers};
pub use ledger_alone::ledger_alone;
use offboard::offboarding;
pub use schema::schema;
use source::{source, way_out};
use values::{address, duration, name, pause, table};

/// A valid configuration.
#[derive(Debug)]
pub struct Config {
    /// Name of the instance.
    pub name: String,
    /// The tenants.
    pub source: AnySource,
    /// How Explo is called.
    pub explo: explo::Settings,
    /// How often customers are listed; 0: by every run.
    pub list_every: Duration,
    /// Calls to Explo per minute.
    pub requests_per_minute: u32,
    /// Calls to Explo in flight at once.
    pub max_in_flight: usize,
    /// How fields are compared.
    pub rules: Rules,
    /// How much may change.
    pub guard: Guard,
    /// How tenants leave.
    pub offboarding: Offboarding,
    /// The ledger's database; `None`: memory lasts as long as the process.
    pub ledger: Option<ledger::Sql>,
    /// When the daemon runs.
    timing: Timing,
    /// How long a run of the daemon may take.
    pub max_run: Duration,
    /// Address of the ops server; `None`: no server.
    pub ops_listen: Option<SocketAddr>,
    /// The token that `POST /sync/{id}` takes; `None`: there is no such path.
    pub ops_token: Option<SecretString>,
    /// What is logged.
    pub log: Log,
    /// The files that keys name and that were read, each with its key.
    pub files: Vec<(String, PathBuf)>,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct Log {
    /// The least important level that is shown.
    pub level: tracing::Level,
    /// The form of a line.
    pub format: LogFormat,
    /// Where each acknowledged change is told.
    pub audit: Option<Audit>,
}

/// Where each acknowledged change is told.
#[derive(Debug, Clone)]
pub struct Audit {
    /// One JSON object is added for each.
    pub file: PathBuf,
    /// Whether it has the values, not their digests.
    pub values: bool,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
    /// Text on a terminal, else JSON.
    #[value(skip)]
    Auto,
}

impl Config {
    /// Reads and checks the layers.
    pub fn load(layers: &Layers) -> Result<Self, Error> {
        let mut draft = Draft::new(layers)?;
        let config = Self::draft(&mut draft);
        let mistakes = draft.mistakes();
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(Error(mistakes)),
        }
    }

    /// Where the word comes from that a single tenant may have changed; if from nowhere, there are only runs.
    #[must_use]
    pub fn origins(&self) -> Vec<Origin> {
        let (listens, polls) = match &self.source {
            AnySource::Sql(sql) => (sql.channel().is_some(), sql.has_query_changed()),
            AnySource::Rest(_) => (false, false),
        };
        let serves = self.ops_token.is_some() && self.ops_listen.is_some();
        let all = [(Origin::Listen, listens), (Origin::Poll, polls), (Origin::Post, serves)];
        all.into_iter().filter_map(|(origin, is_there)| is_there.then_some(origin)).collect()
    }

    /// The same, for what is done again and again: connections to databases stay open in between.
    #[must_use]
    pub fn keeping_connections(self) -> Self {
        let source = match self.source {
            AnySource::Sql(sql) => AnySource::Sql(sql.keeping_connections()),
            rest @ AnySource::Rest(_) => rest,
        };
        Self { source, ledger: self.ledger.map(ledger::Sql::keeping_connections), ..self }
    }

    /// When the daemon runs.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.timing.clone()
    }

    /// Checks every key, also after a mistake.
    fn draft(draft: &mut Draft) -> Option<Self> {
        let name = name(draft);
        let source = source(draft);
        let list_every = pause(draft, "explo.list_every");
        let explo = explo(draft);
        let requests_per_minute = requests_per_minute(draft);
        let emails = draft.choice("fields.emails", &[("replace", EmailRule::Replace), ("add", EmailRule::Add)]);
        let create_missing_tags = draft.flag("fields.create_missing_tags");
        let guard = guard(draft);
        let ledger_table = table(draft);
        let ledger = ledger(draft, name.as_deref(), source.as_ref(), ledger_table.as_ref());
        if let (Some(None), Some(true)) = (&ledger, list_every.map(|every| !every.is_zero())) {
            draft.mistake(
                "explo.list_every",
                "needs a ledger, which remembers when customers were listed: set ledger.url = \"source\", or the URL of \
                 a database",
            );
        }
        let offboarding = offboarding(draft, ledger.as_ref().is_some_and(Option::is_none));
        let timing = timing(draft);
        let max_run = duration(draft, "schedule.max_run");
        let ops_listen =
            draft.text("ops.listen", "an address with a port such as \"127.0.0.1:9464\", or empty", |text| {
                if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) }
            });
        let ops_token = ops_token(draft);
        let log = log(draft);
        let tags = if create_missing_tags? { TagRule::Create } else { TagRule::Invalid };
        let explo = explo?;
        Some(Self {
            name: name?,
            source: source?,
            max_in_flight: explo.listing.side_by_side,
            explo,
            list_every: list_every?,
            requests_per_minute: requests_per_minute?,
            rules: Rules { emails: emails?, tags, ..Rules::default() },
            guard: guard?,
            offboarding: offboarding?,
            ledger: ledger?,
            timing: timing?,
            max_run: max_run?,
            ops_listen: ops_listen?,
            ops_token: ops_token?,
            log: log?,
            files: draft.files(),
        })
    }
}

/// `Some(None)`: no database. The source, the name and the table may be `None` if they have mistakes.
#[expect(clippy::option_option, reason = "outside: usable; inside: named")]
fn ledger(
    draft: &mut Draft,
    instance: Option<&str>,
    source: Option<&AnySource>,
    table: Option<&Table>,
) -> Option<Option<ledger::Sql>> {
    let url = draft.optional_secret("ledger.url");
    let password = draft.password_file("ledger.password_file");
    let ca_file = draft.certificates("ledger.ca_file");
    let (Some(url), password, ca_file) = (url?, password?, ca_file?) else { return Some(None) };
    if url.expose_secret() == "source" {
        if password.is_some() {
            draft
                .mistake("ledger.password_file", "is for a ledger.url of its own; \"source\" has source.password_file");
        }
        let AnySource::Sql(source) = source? else {
            draft.mistake(
                "ledger.url",
                "= \"source\" is for a source that is a database, and source.kind is \"rest\": set it to the URL of a database \
                 (postgres://…, mysql://… or sqlite:path), or leave it empty",
            );
            return None;
        };
        return Some(Some(ledger::Sql::new(source.server().clone(), table?.clone(), instance?)));
    }
    let timeout = source.map_or(Duration::from_mins(1), AnySource::timeout);
    let longest = duration(draft, "schedule.max_run")?;
    let server = Server::new(&url, password, ca_file, timeout).map(|server| server.no_longer_than(longest));
    let server = server.map_err(|reason| {
        let reason = way_out(&reason, "ledger.password_file");
        draft.mistake("ledger.url", &format!("must be empty, \"source\" or a URL: it {reason}"));
    });
    Some(Some(ledger::Sql::new(server.ok()?, table?.clone(), instance?)))
}

fn explo(draft: &mut Draft) -> Option<explo::Settings> {
    let base_url = address(draft, "explo.base_url").map(|mut url| {
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        url
    });
    let proxy = base_url.as_ref().and_then(|url| draft.proxy(url));
    let token = token(draft);
    let ca = draft.certificates("explo.ca_file");
    let timeout = duration(draft, "explo.timeout");
    let max_attempts = draft.number("explo.max_attempts", 1..=100);
    let pause_on_429 = duration(draft, "explo.pause_on_429");
    let listing = listing(draft);
    Some(explo::Settings {
        base_url: base_url?,
        token: token?,
        timeout: timeout?,
        max_attempts: max_attempts?,
        pause_on_429: pause_on_429?,
        ca: ca?,
        proxy: proxy?,
        listing: listing?,
    })
}

fn listing(draft: &mut Draft) -> Option<ListingRules> {
    let version = draft.choice("explo.listing", &[("v2", ListingVersion::V2), ("v1", ListingVersion::V1)]);
    let page_size = draft.number("explo.page_size", 1..=1000);
    let side_by_side = draft.number("explo.max_in_flight", 1..=256);
    let trust_total = draft.flag("explo.trust_total");
    Some(ListingRules {
        version: version?,
        page_size: page_size?,
        side_by_side: side_by_side?,
        trust_total: trust_total?,
    })
}

fn requests_per_minute(draft: &mut Draft) -> Option<u32> {
    draft.number("explo.requests_per_minute", 1..=60_000_000)
}

/// The team token. It must be a valid header value, else every call would fail and be retried.
fn token(draft: &mut Draft) -> Option<SecretString> {
    let token = draft.token_file("explo.token_file", "EXPLO_TOKEN")?;
    if HeaderValue::from_str(token.expose_secret()).is_err() {
        draft.mistake("explo.token_file", "must hold the team token alone, on one line (so must EXPLO_TOKEN)");
        return None;
    }
    Some(token)
}

/// The token of `POST /sync/{id}`; `Some(None)`: none. One that no header can carry would admit no call.
#[expect(clippy::option_option, reason = "outside: usable; inside: named")]
fn ops_token(draft: &mut Draft) -> Option<Option<SecretString>> {
    let token = draft.optional_token_file("ops.token_file")?;
    if token.as_ref().is_some_and(|token| HeaderValue::from_str(token.expose_secret()).is_err()) {
        draft.mistake("ops.token_file", "must hold the token alone, on one line");
        return None;
    }
    Some(token)
}

fn guard(draft: &mut Draft) -> Option<Guard> {
    let floor = draft.number("guard.floor", 0..=usize::MAX);
    let create_floor = draft.number("guard.create_floor", 0..=usize::MAX);
    let percent = draft.number("guard.percent", 0..=100);
    let max_orphan_percent = draft.number("guard.max_orphan_percent", 0..=100);
    Some(Guard {
        floor: floor?,
        create_floor: create_floor?,
        percent: percent?,
        max_orphan_percent: max_orphan_percent?,
    })
}

fn timing(draft: &mut Draft) -> Option<Timing> {
    let cron = draft.text("schedule.cron", "a cron expression", |text| Some(text.to_owned()));
    let timezone = draft.text("schedule.timezone", "the name of a time zone", |text| Some(text.to_owned()));
    let jitter = draft.text("schedule.jitter", "a time such as \"0s\" or \"30s\", at most an hour", |text| {
        humantime::parse_duration(text).ok().filter(|time| *time <= Duration::from_hours(1))
    });
    let run_on_start = draft.flag("schedule.run_on_start");
    let schedule = Schedule::parse(&cron?, &timezone?).map_err(|errors| {
        for error in errors {
            let key = match error {
                ScheduleError::Cron { .. } => "schedule.cron",
                ScheduleError::Timezone { .. } => "schedule.timezone",
            };
            draft.mistake(key, &error.to_string());
        }
    });
    Some(Timing { schedule: schedule.ok()?, jitter: jitter?, run_on_start: run_on_start? })
}

fn log(draft: &mut Draft) -> Option<Log> {
    use tracing::Level;
    let levels = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    let formats = [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
    let (level, format) = (draft.choice("log.level", &levels), draft.choice("log.format", &formats));
    let (file, values) = (draft.appendable("log.audit_file"), draft.flag("log.audit_values"));
    let audit = file?.map(|file| Some(Audit { file, values: values? }));
    Some(Log { level: level?, format: format?, audit: audit.flatten() })
}

/// The configuration file if no flag names one: `$EXPLO_SYNC_CONFIG`, else the first usual file that exists.
pub fn usual_file(environment: &Environment) -> Result<Option<PathBuf>, Error> {
    const VARIABLE: &str = "EXPLO_SYNC_CONFIG";
    if environment.is_unreadable(VARIABLE) {
        return Err(Error(vec![format!("{VARIABLE}: {NOT_UTF8}")]));
    }
    let named = environment.get(VARIABLE).map(PathBuf::from);
    let usual = ["explo-sync.toml", "/etc/explo-sync/config.toml"].into_iter().map(PathBuf::from);
    Ok(named.or_else(|| usual.into_iter().find(|path| path.is_file())))
}
