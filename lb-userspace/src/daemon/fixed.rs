//! What can change while packets pass.

use anyhow::{Result, bail, ensure};

use crate::config::Config;
use crate::planner::Planner;
use crate::roster::ServiceId;

/// Whether a configuration can take the place of another one.
///
/// # Errors
/// Why not, and what to do.
pub(super) fn check(present: &Config, next: &Config, planner: &Planner) -> Result<()> {
    let interfaces = |config: &Config| -> Vec<_> {
        config.interfaces.iter().map(|interface| (interface.name.clone(), interface.mode)).collect()
    };
    let fixed = [
        ("instance", next.instance != present.instance),
        ("interfaces", interfaces(next) != interfaces(present)),
        ("api", next.api != present.api),
        ("log", next.log != present.log),
        ("state_directory", next.state_directory != present.state_directory),
        ("hash_key", next.hash_key != present.hash_key),
        ("maps", next.maps != present.maps),
    ];
    let changed: Vec<_> = fixed.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    ensure!(
        changed.is_empty(),
        "{} can't change while lbd runs; nothing was changed, restart lbd",
        changed.join(", ")
    );
    room(next, planner)?;
    for service in &next.services {
        let former = present.services.iter().find(|former| ServiceId::of(former) == ServiceId::of(service));
        if let Some(former) = former.filter(|former| former.table_size != service.table_size) {
            bail!(
                "service {}: table_size is {} while it runs and can't become {}, as every flow would move; nothing was \
                 changed, remove the service first or restart lbd",
                service.name,
                former.table_size,
                service.table_size
            );
        }
    }
    Ok(())
}

/// Whether the maps have room for a configuration beside what they had.
///
/// # Errors
/// They haven't yet.
pub(super) fn room(config: &Config, planner: &Planner) -> Result<()> {
    ensure!(
        planner.has_room(config),
        "flows still use what former services and backends had in the maps; nothing was changed, try again in a while, or \
         raise maps.services and maps.backends and restart lbd"
    );
    Ok(())
}
