//! Changes while packets pass: another configuration, and orders to backends.

use anyhow::{Result, bail, ensure};

use super::Daemon;
use crate::api::{OrderBackend, Ordered, Request};
use crate::config::{AdminState, Config};
use crate::events::{Event, tell};
use crate::nearest::there_is_none;
use crate::roster::ServiceId;

impl Daemon {
    /// Does what was asked. Whoever asked may have gone.
    pub(super) fn answer(&mut self, request: Request) {
        match request {
            Request::Report(reply) => drop(reply.send(self.report())),
            Request::Reload(config, reply) => drop(reply.send(self.reload(*config))),
            Request::Order(order, reply) => drop(reply.send(self.order(&order))),
        }
    }

    /// Takes over another configuration. One that can't be taken over changes nothing.
    fn reload(&mut self, config: Config) -> Result<()> {
        let interfaces = |config: &Config| -> Vec<_> {
            config.interfaces.iter().map(|interface| (interface.name.clone(), interface.mode)).collect()
        };
        let fixed = [
            ("instance", config.instance != self.config.instance),
            ("interfaces", interfaces(&config) != interfaces(&self.config)),
            ("api", config.api != self.config.api),
            ("log", config.log != self.config.log),
            ("state_directory", config.state_directory != self.config.state_directory),
            ("hash_key", config.hash_key != self.config.hash_key),
            ("maps", config.maps != self.config.maps),
        ];
        let changed: Vec<_> = fixed.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
        ensure!(
            changed.is_empty(),
            "{}: {} can't change while lbd runs; nothing was changed, restart lbd",
            config.file.display(),
            changed.join(", ")
        );
        ensure!(
            self.planner.has_room(&config),
            "{}: flows still use what former services and backends had in the maps; nothing was changed, try again in a \
             while, or raise maps.services and maps.backends and restart lbd",
            config.file.display()
        );
        for service in &config.services {
            let former =
                self.config.services.iter().find(|former| ServiceId::of(former) == ServiceId::of(service));
            if let Some(former) = former.filter(|former| former.table_size != service.table_size) {
                bail!(
                    "{}: service {}: table_size is {} while it runs and can't become {}, as every flow would move; \
                     nothing was changed, remove the service first or restart lbd",
                    config.file.display(),
                    service.name,
                    former.table_size,
                    service.table_size
                );
            }
        }
        let former = std::mem::replace(&mut self.config, config);
        // Services are told of in their order.
        self.desired.services.clear();
        let (services, former_services) = (self.config.services.len(), former.services.len());
        tell(Event::ConfigurationChanged { services, former_services });
        self.update()
    }

    /// Gives an order to a backend, in one service or in all that have it.
    fn order(&mut self, wanted: &OrderBackend) -> Result<Vec<Ordered>> {
        let state = match wanted.order.as_str() {
            "drain" => AdminState::Draining,
            "disable" => AdminState::Disabled,
            "enable" | "undrain" => AdminState::Active,
            other => bail!("{other} is no order; known are drain, undrain, disable and enable"),
        };
        let services = self
            .config
            .services
            .iter_mut()
            .filter(|service| wanted.service.as_ref().is_none_or(|name| *name == service.name));
        let mut ordered = Vec::new();
        for service in services {
            for backend in &mut service.backends {
                if backend.name != wanted.backend && backend.address.to_string() != wanted.backend {
                    continue;
                }
                backend.state = state;
                backend.drain_timeout = wanted.seconds.or(backend.drain_timeout);
                ordered.push(Ordered { service: service.name.clone(), backend: backend.name.clone() });
            }
        }
        if ordered.is_empty() {
            bail!(self.nobody(wanted));
        }
        self.update()?;
        Ok(ordered)
    }

    /// Why an order has gone to nobody.
    fn nobody(&self, wanted: &OrderBackend) -> String {
        let services = &self.config.services;
        match &wanted.service {
            Some(name) if !services.iter().any(|service| service.name == *name) => {
                there_is_none("service", name, services.iter().map(|service| service.name.as_str()))
            }
            _ => {
                let backends = services.iter().flat_map(|service| &service.backends);
                there_is_none("backend", &wanted.backend, backends.map(|backend| backend.name.as_str()))
            }
        }
    }
}
