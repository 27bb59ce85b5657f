//! The command line.

mod sandbox;

use std::{path::PathBuf, time::Duration};

use anstream::ColorChoice;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::{config::LogFormat, plan::Allowance, source::Trigger};

pub use sandbox::SandboxArgs;
use sandbox::{FAULTS, on_one_line};

/// Keeps Explo's customers equal to the tenants in your database.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = TRY, after_long_help = format!("{TRY}\n\n{EXIT_CODES}"))]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

const TRY: &str = "Try it without anything set up: explo-sync demo";

const EXIT_CODES: &str = "\
Exit codes, the first that applies:
  64  bad usage
  78  bad configuration
   5  another run holds the lock
  77  Explo rejected the credentials
   1  the run failed: source, Explo or ledger
   4  the guard holds the plan (in a dry run only with --exit-code)
  75  stopped early; the next run carries on
   3  some tenants failed, are invalid or did not settle
   2  changes are pending (--dry-run --exit-code)
   0  in sync, or all applied; a dry run that made a plan";

const RUN_EXAMPLES: &str = "\
Examples:
  explo-sync --config /etc/explo-sync/config.toml run
  curl -s 127.0.0.1:9464/status    what it does, as JSON (ops.listen)

Exit codes: 0 after SIGTERM, 78 for a bad configuration, 1 if it can't start";

const SYNC_EXAMPLES: &str = "\
Examples:
  explo-sync sync --dry-run                    what a run would change
  explo-sync sync --dry-run --out plan.json    the same, saved for a review
  explo-sync sync --plan plan.json             apply the saved plan and nothing else
  explo-sync sync --allow create=2500          a first load, let through once
  explo-sync sync --only acme --only globex    two tenants, at once";

const CHECK_EXAMPLES: &str = "\
Examples:
  explo-sync check
  DATABASE_URL=postgres://… EXPLO_TOKEN=… explo-sync check

Exit codes: 0 all is well, 3 rows are invalid, 77 Explo rejected the credentials,
78 configuration, query or columns, else 1";

const PROBE_EXAMPLES: &str = "\
Examples:
  explo-sync probe
  explo-sync probe --yes --output json > probe.json    to go with a bug report

It needs only explo.base_url and the token: no [source].

Exit codes: 0 measured, 64 neither --yes nor a terminal to ask on, 75 stopped, 77 Explo
rejected the credentials, 78 configuration, 1 something failed or was left behind";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  explo-sync explain acme

Exit codes: 0 nothing is wrong, 3 the tenant is invalid or refused, or nobody has the id,
else as sync";

const EXPORT_EXAMPLES: &str = "\
Examples:
  explo-sync export --show-values > customers.jsonl
  explo-sync sandbox --customers customers.jsonl    a copy to try things on
  explo-sync export --offboarded                    what left, as the ledger keeps it";

const LEDGER_EXAMPLES: &str = "\
Examples:
  explo-sync ledger --print-sql | psql app    create the table as another role
  explo-sync ledger --adopt                   after a move to another source or Explo";

const INIT_EXAMPLES: &str = "\
Examples:
  explo-sync init                     then edit it, and: explo-sync check
  explo-sync init --all all-keys.toml
  explo-sync init --trigger tenants | psql app    with a schema: public.tenants.id
  explo-sync init --completions bash > /etc/bash_completion.d/explo-sync
  explo-sync init --man /usr/local/share/man/man1
  explo-sync init --schema > explo-sync.schema.json";

const CONFIG: &str = "Configuration [default: ./explo-sync.toml, or see --help]";
const CONFIG_AT_LENGTH: &str = "Configuration; by default the first of $EXPLO_SYNC_CONFIG, ./explo-sync.toml and
/etc/explo-sync/config.toml; if there is none, the environment alone";

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// The configuration.
    #[arg(long, global = true, value_name = "FILE", help = CONFIG, long_help = CONFIG_AT_LENGTH)]
    pub config: Option<PathBuf>,
    /// Show more: every line of a long list, debug logs (-vv: trace)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// No progress, and only errors in the log
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show names, e-mails and other values even if the output is not a terminal
    #[arg(long, global = true)]
    pub show_values: bool,
    /// Colours on stdout and stderr; auto: on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
    /// Form of the log lines [default: text on a terminal, else json]
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(after_help = RUN_EXAMPLES)]
    /// Run at the times of schedule.cron until SIGTERM; SIGHUP reloads the configuration
    Run,
    #[command(after_help = SYNC_EXAMPLES, after_long_help = format!("{SYNC_EXAMPLES}\n\n{EXIT_CODES}"))]
    /// One run: compare tenants with customers, then create and update
    Sync(SyncArgs),
    #[command(after_help = CHECK_EXAMPLES)]
    /// Test the configuration, the query, the database and the token
    Check,
    #[command(after_help = PROBE_EXAMPLES)]
    /// Find out how this Explo behaves where its documents are silent, with a demo customer
    Probe(ProbeArgs),
    #[command(after_help = EXPLAIN_EXAMPLES)]
    /// One tenant: its row, what Explo has, and what a run would do about it
    Explain(ExplainArgs),
    #[command(after_help = EXPORT_EXAMPLES)]
    /// Every customer that Explo lists, as JSON lines
    Export(ExportArgs),
    #[command(after_help = LEDGER_EXAMPLES)]
    /// The table that remembers customers and their tokens
    Ledger(LedgerArgs),
    /// Name the tenants that have no token yet
    Tokens(TokensArgs),
    /// Serve a stand-in for Explo's customer API on this machine
    #[command(disable_help_flag = true, mut_args = on_one_line, after_help = FAULTS)]
    Sandbox(Box<SandboxArgs>),
    #[command(after_help = INIT_EXAMPLES)]
    /// Write a commented configuration to begin with
    Init(InitArgs),
    /// See it work: sample tenants and a sandbox in one process
    Demo,
}

/// Options of `sync`.
#[derive(Debug, Clone, Default, Args)]
pub struct SyncArgs {
    /// Show the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// With --dry-run: exit 2 if changes are pending, 4 if the guard holds them
    #[arg(long, requires = "dry_run")]
    pub exit_code: bool,
    /// Raise the guard's limit of a class to N for this run, such as create=2500 (repeatable)
    ///
    /// The classes: create, update, rename, mapping, orphan, offboard.
    #[arg(long, value_name = "CLASS=N")]
    pub allow: Vec<Allowance>,
    /// With --dry-run: save the plan and its values for --plan (only you can read the file)
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    pub out: Option<PathBuf>,
    /// Apply only a plan that --out saved; skip customers that changed in Explo since
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "allow"])]
    pub plan: Option<PathBuf>,
    /// Sync only this tenant, looked up with one call: no listing, no guard (repeatable)
    #[arg(long, value_name = "ID", conflicts_with_all = ["plan", "allow"])]
    pub only: Vec<String>,
    /// Begin no more than N changes; the next run carries on
    #[arg(long, value_name = "N")]
    pub max_changes: Option<usize>,
    /// Begin no call after this time, such as 90s or 4m; the next run carries on
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub max_duration: Option<Duration>,
    /// Retry tenants that failed before now, not after 2, 4, 8 … runs
    #[arg(long)]
    pub retry_failed: bool,
    /// How long to wait for another run to end, or with --only for a write of its tenants, such as 30s [default: 0s, with
    /// --only 30s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub lock_timeout: Option<Duration>,
    /// Write the metrics of this run to a file, for a textfile collector
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Exit 0 instead of these codes, such as 3,75
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    pub ok: Vec<u8>,
    /// Form of the report on stdout
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

impl SyncArgs {
    /// The exit code to use: 0 if `--ok` names `code`.
    #[must_use]
    pub fn code(&self, code: u8) -> u8 {
        if self.ok.contains(&code) { 0 } else { code }
    }
}

/// When output has colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless the environment says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Holds for all output of the process from now on.
    pub fn apply(self) {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
        .write_global();
    }
}

/// Form of the report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// With --dry-run: one page for a browser.
    Html,
}

/// Options of `probe`.
#[derive(Debug, Clone, Args)]
pub struct ProbeArgs {
    /// Begin without asking
    #[arg(long)]
    pub yes: bool,
    /// Form of the findings on stdout
    #[arg(long, value_enum, default_value_t)]
    pub output: TextOrJson,
}

/// Options of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// The id that both sides share
    #[arg(value_name = "ID")]
    pub provided_id: String,
    /// Form of the explanation on stdout
    #[arg(long, value_enum, default_value_t)]
    pub output: TextOrJson,
}

/// Form of what is no report of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

impl From<TextOrJson> for Output {
    fn from(output: TextOrJson) -> Self {
        match output {
            TextOrJson::Text => Self::Text,
            TextOrJson::Json => Self::Json,
        }
    }
}

/// Options of `export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Include each customer's token: a secret that embeds its dashboards
    #[arg(long)]
    pub with_tokens: bool,
    /// Instead, what offboarded customers were, as the ledger keeps it
    #[arg(long, conflicts_with = "with_tokens")]
    pub offboarded: bool,
}

/// Options of `ledger`: exactly one is given.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct LedgerArgs {
    /// Print the SQL that creates the table and grants its rights
    #[arg(long)]
    pub print_sql: bool,
    /// Make it the ledger of this source and this Explo; it forgets another pair's customers and tokens
    #[arg(long)]
    pub adopt: bool,
}

/// Options of `tokens`.
#[derive(Debug, Clone, Args)]
pub struct TokensArgs {
    /// Print the ids of the source's tenants that stay and have no token in the ledger; exit 3 if there are any
    #[arg(long, required = true)]
    pub missing: bool,
}

/// Options of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// File to write; an existing file is left alone
    #[arg(default_value = "explo-sync.toml")]
    pub file: PathBuf,
    /// Write every key with its default, not only what most teams set
    #[arg(long)]
    pub all: bool,
    /// Print SQL for PostgreSQL instead: a trigger that says at once which row changed (source.listen)
    ///
    /// COLUMN is the tenant's id [default: id]. With a schema: SCHEMA.TABLE.COLUMN. Names are those that the database has,
    /// in upper and lower case; put one that has a dot in double quotes.
    #[arg(long, value_name = "TABLE[.COLUMN]", exclusive = true)]
    pub trigger: Option<Trigger>,
    /// Print completions for a shell instead
    #[arg(long, value_name = "SHELL", exclusive = true)]
    pub completions: Option<clap_complete::Shell>,
    /// Print the man page instead, or write one page per command to a directory
    #[arg(long, value_name = "DIRECTORY", num_args = 0..=1, exclusive = true)]
    pub man: Option<Option<PathBuf>>,
    /// Print the JSON Schema of the configuration instead
    #[arg(long, exclusive = true)]
    pub schema: bool,
}
