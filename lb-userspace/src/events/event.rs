//! What can happen.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::health::HealthNews;
use crate::api::BackendState;
use crate::attach::Mode;

/// Something that an operator may want to know later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The program runs on an interface.
    Attached {
        /// The interface.
        interface: String,
        /// The mode in effect.
        mode: Mode,
        /// Why it isn't the driver, where the best was asked for.
        note: Option<String>,
    },
    /// A former process's program ran on an interface that isn't in the configuration any more.
    Detached {
        /// The interface.
        interface: String,
    },
    /// An interface has gone, and the program with it.
    InterfaceLost {
        /// The interface.
        interface: String,
    },
    /// The program can't be attached to an interface that is there.
    NotAttached {
        /// Why, with the interface's place in the configuration.
        reason: String,
    },
    /// A backend takes other flows than before, or the reason for that is another.
    Backend {
        /// Name of its service.
        service: String,
        /// Its name.
        backend: String,
        /// Which flows it took; none if it is new.
        former: Option<BackendState>,
        /// Which flows it takes.
        state: BackendState,
        /// Why it can't be reached, if it can't.
        reason: Option<String>,
        /// The way to it, as in `through eth0, next hop 02:00:00:00:00:01`, if there is one.
        way: Option<String>,
    },
    /// What checks have shown changes what becomes of a service's new flows.
    Health {
        /// Name of the service.
        service: String,
        /// What is new.
        news: HealthNews,
    },
    /// A backend's checks pass again, and it takes new flows.
    Recovered {
        /// Name of its service.
        service: String,
        /// Its name.
        backend: String,
    },
    /// Checks that are sent to a service's VIP can't leave the node, or can again.
    ChecksObstructed {
        /// Name of the service.
        service: String,
        /// Why not, if they can't.
        reason: Option<String>,
    },
    /// A backend has left its service, with all that was kept for its flows.
    BackendGone {
        /// Name of its service.
        service: String,
        /// Its name.
        backend: String,
    },
    /// No slot of a service is on its way any more.
    Settled {
        /// Name of the service.
        service: String,
        /// Of what its slots should be.
        generation: u64,
    },
    /// A service starts without some of its backends.
    IncompleteTable {
        /// Name of the service.
        service: String,
        /// Names of the backends.
        missing: Vec<String>,
    },
    /// Another configuration was taken over.
    ConfigurationChanged {
        /// Services that there are.
        services: usize,
        /// Services that there were.
        former_services: usize,
    },
    /// Someone changed a part of the configuration.
    Changed {
        /// Of the configuration, with all that was changed with it.
        generation: u64,
        /// What, as in `~ services.web.backends.alpha.weight: 1 -> 5`.
        change: String,
    },
    /// A change isn't one any more, as the file overrules it.
    ChangeDropped {
        /// What it changed.
        change: String,
        /// What the file says.
        reason: String,
    },
    /// What runs was written into the file.
    Saved {
        /// The file.
        file: String,
        /// Where the former one is.
        former: String,
    },
    /// A configuration wasn't taken over.
    ConfigurationRefused {
        /// Why; a line for each error.
        reason: String,
    },
    /// The maps aren't brought to what they should hold, or the network isn't known.
    Trouble {
        /// Why.
        reason: String,
    },
    /// They are again, or it is.
    TroubleOver,
}

/// How much someone should look at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Info,
    /// Something is missing or wrong.
    Warn,
}

impl Event {
    /// How much someone should look at it.
    #[must_use]
    pub const fn level(&self) -> Level {
        let is_well = match self {
            Event::Attached { note, .. } => note.is_none(),
            Event::Backend { reason, state, .. } => {
                reason.is_none() || matches!(state, BackendState::Standby)
            }
            Event::Health { news, .. } => news.is_good(),
            Event::ChecksObstructed { reason, .. } => reason.is_none(),
            Event::Detached { .. }
            | Event::BackendGone { .. }
            | Event::Recovered { .. }
            | Event::Settled { .. }
            | Event::ConfigurationChanged { .. }
            | Event::Changed { .. }
            | Event::Saved { .. }
            | Event::TroubleOver => true,
            Event::InterfaceLost { .. }
            | Event::NotAttached { .. }
            | Event::IncompleteTable { .. }
            | Event::ConfigurationRefused { .. }
            | Event::ChangeDropped { .. }
            | Event::Trouble { .. } => false,
        };
        if is_well { Level::Info } else { Level::Warn }
    }

    /// The service that it is about, if it is about one.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        match self {
            Event::Backend { service, .. }
            | Event::Health { service, .. }
            | Event::Recovered { service, .. }
            | Event::ChecksObstructed { service, .. }
            | Event::BackendGone { service, .. }
            | Event::Settled { service, .. }
            | Event::IncompleteTable { service, .. } => Some(service),
            Event::Attached { .. }
            | Event::Detached { .. }
            | Event::InterfaceLost { .. }
            | Event::NotAttached { .. }
            | Event::ConfigurationChanged { .. }
            | Event::Changed { .. }
            | Event::ChangeDropped { .. }
            | Event::Saved { .. }
            | Event::ConfigurationRefused { .. }
            | Event::Trouble { .. }
            | Event::TroubleOver => None,
        }
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        match self {
            Event::Attached { interface, mode, note } => {
                write!(f, "attached to {interface} in {} mode", mode.name())?;
                note.iter().try_for_each(|note| write!(f, ": {note}"))
            }
            Event::Detached { interface } => {
                write!(f, "{interface} isn't in the configuration any more: detached from it")
            }
            Event::InterfaceLost { interface } => {
                write!(f, "{interface} is gone: no packets are balanced there until it is back")
            }
            Event::NotAttached { reason } => {
                write!(f, "no packets are balanced there: {reason}; trying again")
            }
            Event::Backend {
                service, backend, reason: Some(reason), state: BackendState::Standby, ..
            } => {
                write!(f, "service {service}: backend {backend} takes no new flows: {reason}")
            }
            Event::Backend { service, backend, reason: Some(reason), .. } => {
                write!(f, "service {service} runs without backend {backend}: {reason}")
            }
            Event::Backend { service, backend, former, state, reason: None, way } => {
                let news = news(*former, *state);
                write!(f, "service {service}: backend {backend} {news}")?;
                way.iter().try_for_each(|way| write!(f, " {way}"))
            }
            Event::Recovered { service, backend } => {
                write!(f, "service {service}: backend {backend} passes its checks again, and takes new flows")
            }
            Event::ChecksObstructed { service, reason: Some(reason) } => {
                write!(f, "service {service}: its backends can't be checked: {reason}")
            }
            Event::ChecksObstructed { service, reason: None } => {
                write!(f, "service {service}: its backends can be checked again")
            }
            Event::Health { service, news } => write!(f, "service {service}: {news}"),
            Event::BackendGone { service, backend } => {
                write!(f, "service {service}: backend {backend} has gone, and its flows are forgotten")
            }
            Event::Settled { service, generation } => {
                write!(f, "service {service}: all slots are settled, generation {generation}")
            }
            Event::IncompleteTable { service, missing } => write!(
                f,
                "service {service}: the lookup table is built without {}; it differs from that of nodes that reach them",
                missing.join(", ")
            ),
            Event::ConfigurationChanged { services, former_services } => {
                write!(f, "{services} services instead of {former_services}")
            }
            Event::Changed { generation, change } => write!(f, "generation {generation}: {change}"),
            Event::ChangeDropped { change, reason } => {
                write!(f, "this change is dropped: {change}; {reason}")
            }
            Event::Saved { file, former } => write!(f, "saved: {file}; the former one is {former}"),
            Event::ConfigurationRefused { reason } => f.write_str(reason),
            Event::Trouble { reason } => write!(f, "the maps stay as they are: {reason}; trying again"),
            Event::TroubleOver => f.write_str("the maps are up to date again"),
        }
    }
}

/// What is new about a backend that can be reached.
fn news(former: Option<BackendState>, state: BackendState) -> &'static str {
    match (former, state) {
        (
            Some(
                BackendState::Draining
                | BackendState::Disabled
                | BackendState::Leaving
                | BackendState::Standby,
            ),
            BackendState::Active,
        ) => "takes new flows again",
        (_, BackendState::Active | BackendState::Down) => "can be reached",
        (_, BackendState::Draining | BackendState::Standby) => "takes no new flows",
        (_, BackendState::Disabled) => "takes no flows",
        (_, BackendState::Leaving) => "has left the configuration and takes no new flows",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BackendState::{Active, Disabled, Down, Draining, Leaving};

    #[test]
    fn an_event_of_a_backend_says_what_is_new() {
        let event = |former, state, reason: Option<&str>, way: Option<&str>| Event::Backend {
            service: "web".into(),
            backend: "alpha".into(),
            former,
            state,
            reason: reason.map(String::from),
            way: way.map(String::from),
        };
        let rows = [
            (
                event(None, Active, None, Some("through eth0")),
                "service web: backend alpha can be reached through eth0",
            ),
            (
                event(Some(Active), Down, Some("no route"), None),
                "service web runs without backend alpha: no route",
            ),
            (event(Some(Down), Active, None, None), "service web: backend alpha can be reached"),
            (event(Some(Active), Draining, None, None), "service web: backend alpha takes no new flows"),
            (event(Some(Active), Disabled, None, None), "service web: backend alpha takes no flows"),
            (event(Some(Draining), Active, None, None), "service web: backend alpha takes new flows again"),
            (
                event(Some(Active), Leaving, None, None),
                "service web: backend alpha has left the configuration and takes no new flows",
            ),
        ];
        for (event, words) in rows {
            assert_eq!(event.to_string(), words);
            assert_eq!(event.level() == Level::Warn, words.contains("without"), "{words}");
            assert_eq!(event.service(), Some("web"));
        }
    }
}
