//! The commands, made of the parts: the only file that names concrete types.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
};

use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing::Instrument;

use crate::{
    bars::Bars,
    cli::{Cli, Command, Global, Output, SandboxArgs, SyncArgs},
    config::{self, Config, Environment, Layers, Log, LogFormat},
    demo::Demo,
    explo::{Client, Pacer, Stop},
    progress::Progress,
    reconciler::{self, Reconciler},
    report::{self, Exit, Report, Style},
    sandbox::{Sandbox, Store},
    source::Source,
    telemetry,
};

/// Executes one command.
pub async fn execute(cli: Cli, environment: Environment) -> ExitCode {
    let terminal = Terminal::new(&cli.global);
    let done = match cli.command {
        Command::Sync(args) => sync(&args, &cli.global, &environment, &terminal).await,
        Command::Check => check(&cli.global, &environment, &terminal).await,
        Command::Sandbox(args) => sandbox(&args, &cli.global, &terminal).await,
        Command::Demo => demo(&cli.global, &environment, &terminal).await,
    };
    match done {
        Ok(exit) => ExitCode::from(exit as u8),
        // The reader of our output went away: nothing is wrong with the run.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("explo-sync: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where results and progress go.
struct Terminal {
    bars: MultiProgress,
    /// Whether results may show names and other values.
    values: bool,
    style: Style,
}

impl Terminal {
    fn new(global: &Global) -> Self {
        let bars = MultiProgress::new();
        if global.quiet || !io::stderr().is_terminal() {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        let values = global.show_values || io::stdout().is_terminal();
        Self { bars, values: global.show_values, style: Style { values, all: global.verbose > 0 } }
    }

    fn show(&self, report: &Report, exit: Exit, output: Output) -> io::Result<()> {
        let mut out = io::BufWriter::new(anstream::stdout().lock());
        match output {
            Output::Text => report::write_text(report, self.style, &mut out)?,
            Output::Json => report::write_json(report, exit, self.values, &mut out)?,
        }
        out.flush()
    }
}

/// One instance, ready to run.
struct Instance {
    config: Config,
    client: Client,
}

impl Instance {
    fn open(config: Config, stop: &Stop) -> Result<Self, config::Error> {
        let pacer = Pacer::new(config.requests_per_minute, config.max_in_flight);
        let client = Client::new(config.explo.clone(), pacer, stop.clone(), rand::random());
        let client = client.map_err(|error| config::Error(vec![format!("explo.ca_file: {}", error.without_url())]))?;
        Ok(Self { config, client })
    }

    async fn run(&self, args: &SyncArgs, progress: &dyn Progress) -> Result<Report, reconciler::Error> {
        let run_id = uuid::Uuid::now_v7().to_string();
        let span = tracing::info_span!("run", run.id = run_id, instance = self.config.name);
        self.run_as(run_id, args, progress).instrument(span).await
    }

    async fn run_as(
        &self,
        run_id: String,
        args: &SyncArgs,
        progress: &dyn Progress,
    ) -> Result<Report, reconciler::Error> {
        let Self { config, client } = self;
        let (source, base_url) = (config.source.place(), config.explo.base_url.to_string());
        tracing::info!(source, base_url, dry_run = args.dry_run, "run begins");
        let allowances = args.allow.iter().copied().collect();
        let reconciler = Reconciler {
            source: &config.source,
            reader: client,
            rules: config.rules,
            guard: config.guard,
            allowances: &allowances,
            side_by_side: config.max_in_flight,
            seed: rand::random(),
        };
        let writer = (!args.dry_run).then_some(client);
        let run = reconciler.run(writer, progress).await.inspect_err(|error| tracing::error!("run failed: {error}"))?;
        let report = Report {
            instance: config.name.clone(),
            run_id,
            dry_run: args.dry_run,
            source,
            base_url,
            requests_per_minute: config.requests_per_minute,
            calls_made: client.calls(),
            run,
        };
        log_end(&report);
        Ok(report)
    }
}

fn log_end(report: &Report) {
    let plan = &report.run.plan;
    let outcomes = report.outcomes();
    tracing::info!(
        tenants = plan.index.rows(),
        customers = plan.customers,
        planned = plan.changes.len(),
        applied = outcomes.applied,
        failed = outcomes.failed,
        unsettled = outcomes.unsettled,
        deferred = outcomes.deferred,
        invalid = plan.invalid.len(),
        orphans = plan.orphans.len(),
        held = !report.run.held.is_empty(),
        calls = report.calls_made.values().sum::<usize>(),
        "run ended"
    );
}

fn load(global: &Global, environment: &Environment) -> Result<Config, config::Error> {
    let file = global.config.clone().or_else(|| config::usual_file(environment));
    Config::load(&Layers { file, environment: environment.clone() })
}

async fn sync(args: &SyncArgs, global: &Global, environment: &Environment, terminal: &Terminal) -> io::Result<Exit> {
    let stop = Stop::default();
    let instance = load(global, environment).and_then(|config| {
        telemetry::start(config.log, global, &terminal.bars);
        Instance::open(config, &stop)
    });
    let instance = match instance {
        Ok(instance) => instance,
        Err(error) => return fail(&error.to_string(), Exit::Config, args.output),
    };
    tokio::spawn(stop_at_signal(stop));
    match instance.run(args, &Bars::new(&terminal.bars)).await {
        Ok(report) => {
            let exit = report.exit(args.exit_code);
            terminal.show(&report, exit, args.output)?;
            Ok(exit)
        }
        Err(error) => fail(&error.to_string(), report::exit_without_plan(&error), args.output),
    }
}

/// Tells that there is no plan: in words on stderr, and as JSON on stdout where that was asked for.
fn fail(error: &str, exit: Exit, output: Output) -> io::Result<Exit> {
    anstream::eprintln!("explo-sync: {error}");
    if output == Output::Json {
        report::write_failure(error, exit, &mut io::stdout().lock())?;
    }
    Ok(exit)
}

async fn stop_at_signal(stop: Stop) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::warn!("stopping: no new call, {} s for those in flight", Stop::GRACE.as_secs());
    tokio::select! {
        () = stop.request() => {}
        // Whoever asks twice does not want to wait.
        _ = interrupt.recv() => stop.cut(),
    }
}

async fn check(global: &Global, environment: &Environment, terminal: &Terminal) -> io::Result<Exit> {
    let mut out = anstream::stdout().lock();
    let stop = Stop::default();
    let instance = load(global, environment).and_then(|config| {
        telemetry::start(config.log, global, &terminal.bars);
        Instance::open(config, &stop)
    });
    let Instance { config, client } = match instance {
        Ok(instance) => instance,
        Err(error) => {
            writeln!(out, "fail  {error}")?;
            return Ok(Exit::Config);
        }
    };
    writeln!(out, "ok    config    instance {}", config.name)?;
    let source = match config.source.columns().await {
        Ok(columns) => {
            let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
            writeln!(out, "ok    database  {}\nok    query     {}", config.source.place(), names.join(", "))?;
            Exit::Success
        }
        Err(error) => {
            writeln!(out, "fail  database  {error}")?;
            if error.is_about_config() { Exit::Config } else { Exit::Failed }
        }
    };
    let explo = match client.first_page().await {
        Ok((customers, total)) => {
            let of = total.map_or_else(|| "an unknown number".to_owned(), |total| total.to_string());
            writeln!(out, "ok    token     {}: a page of {customers} of {of} customers", config.explo.base_url)?;
            Exit::Success
        }
        Err(error) => {
            writeln!(out, "fail  token     {}: {error}", config.explo.base_url)?;
            if error.is_about_credentials() { Exit::Credentials } else { Exit::Failed }
        }
    };
    let worst = [Exit::Config, Exit::Credentials, Exit::Failed].into_iter().find(|exit| [source, explo].contains(exit));
    Ok(worst.unwrap_or(Exit::Success))
}

async fn sandbox(args: &SandboxArgs, global: &Global, terminal: &Terminal) -> io::Result<Exit> {
    let log = Log { level: tracing::Level::INFO, format: LogFormat::Auto };
    telemetry::start(log, global, &terminal.bars);
    let store = match &args.customers {
        None => Store::default(),
        Some(path) => {
            let named = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
            Store::parse(&text).map_err(|error| named(&error))?
        }
    };
    let customers = store.customers().len();
    let sandbox = Sandbox::start(args.listen, store, None).await?;
    anstream::println!("{}", sandbox.url());
    anstream::eprintln!(
        "A stand-in for Explo with {customers} customers. Any token will do; set explo.base_url to the address above."
    );
    let stop = Arc::new(Stop::default());
    tokio::spawn(stop_at_signal(Stop::clone(&stop)));
    tokio::select! {
        served = sandbox.serve() => served.map(|()| Exit::Success),
        () = stop.requested() => Ok(Exit::Success),
    }
}

async fn demo(global: &Global, environment: &Environment, terminal: &Terminal) -> io::Result<Exit> {
    let demo = Demo::start().await?;
    let config = Config::load(&demo.layers()).map_err(io::Error::other)?;
    telemetry::start(Log { level: tracing::Level::WARN, ..config.log }, global, &terminal.bars);
    let instance = Instance::open(config, &Stop::default()).map_err(io::Error::other)?;
    let terminal =
        Terminal { style: Style { values: true, ..terminal.style }, bars: terminal.bars.clone(), ..*terminal };
    let steps = [
        ("The plan: what a dry run shows", true),
        ("The run: the same plan, carried out", false),
        ("The next plan: nothing is left to do", true),
    ];
    let mut exit = Exit::Success;
    for (heading, dry_run) in steps {
        anstream::println!("\n{}{heading}{}", anstyle::Style::new().underline(), anstyle::Reset);
        let args = SyncArgs { dry_run, exit_code: dry_run, ..SyncArgs::default() };
        let report = instance.run(&args, &Bars::new(&terminal.bars)).await.map_err(io::Error::other)?;
        exit = report.exit(args.exit_code);
        terminal.show(&report, exit, Output::Text)?;
    }
    // Run through cargo, the program is not on the path.
    let program = if environment.get("CARGO").is_some() { "cargo run --" } else { "explo-sync" };
    anstream::println!(
        "\nNow with your own database, changing nothing:\n  DATABASE_URL=postgres://… EXPLO_TOKEN=… \
         EXPLO_SYNC__SOURCE__QUERY='select id as provided_id, name from tenants' {program} sync --dry-run"
    );
    Ok(exit)
}
