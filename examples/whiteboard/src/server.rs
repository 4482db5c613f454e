//! Listening, serving, and ending in good order.

use std::future::IntoFuture as _;
use std::time::Duration;

use hallway::{Config, Error};
use tokio::net::TcpListener;
use tokio::signal;
use tokio::sync::watch;

use crate::guard::Ours;
use crate::options::Options;
use crate::routes;
use crate::state::App;

/// How long requests may go on once the program is to end.
const GRACE: Duration = Duration::from_secs(5);

/// How long what is owed to other instances may take after that.
const REPAIRS: Duration = Duration::from_secs(5);

/// Serves until the process is interrupted or terminated; then ends what goes on and makes good what is owed.
///
/// # Errors
/// `InvalidConfig` for tiers, a database or an address that cannot be used.
pub async fn run(options: Options, config: Config) -> Result<(), Error> {
    let cannot = |error: std::io::Error| {
        Error::invalid_config(format!("cannot listen on {}; choose another --port", options.address()))
            .with_source(error)
    };
    let listener = TcpListener::bind(options.address()).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let app = App::open(&options, config, options.name(address)).await?;
    let _upkeep = app.metrics.keep_up();
    println!("whiteboard on http://{address} ({})", app.summary());
    serve(listener, &app, Ours::of(&options)).await?;
    if !app.tiers.shutdown(REPAIRS).await {
        eprintln!("warning: other instances could not be told of the last changes; their copies end with their TTL");
    }
    app.database.close().await;
    Ok(())
}

async fn serve(listener: TcpListener, app: &App, ours: Ours) -> Result<(), Error> {
    let (ending, mut ended) = watch::channel(false);
    let router = routes::router(app.clone(), ours)?;
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        told_to_end().await;
        // The grace is counted from here.
        ending.send_replace(true);
    });
    let overdue = async move {
        // Also when the sender is gone: then there is nothing to wait for.
        let _told = ended.wait_for(|ending| *ending).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = serving.into_future() => served.map_err(|error| Error::invalid_config("cannot serve").with_source(error)),
        // A browser that holds its connection, or a request that hangs, keeps nobody from ending.
        () = overdue => Ok(()),
    }
}

/// Ctrl-C, or SIGTERM where there is such a thing.
async fn told_to_end() {
    let interrupt = async {
        if signal::ctrl_c().await.is_err() {
            // Nobody can interrupt, so nobody does.
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
