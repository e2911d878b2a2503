//! lb-agent, the backend's side of the load balancer.

use std::process::ExitCode;

use clap::Parser;
use lb_userspace::agent::{self, Arguments};
use lb_userspace::config::Log;
use lb_userspace::logging;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = async {
        logging::start(Log::default())?;
        agent::run(arguments).await
    };
    match run.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lb-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
