//! What must be true of a balancer's choices, whatever is done to its backends.

use std::collections::BTreeMap;

use lb_common::clock::{Tick, ticks};

use lb_userspace::config::AdminState;

use crate::clients::{Kind, segment};
use crate::node::{BACKENDS, DRAIN, GRACE, IDLE, Node};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    List(u8),
    Remove(u8),
    Weigh(u8, u32),
    Lose(u8),
    Find(u8),
    Drain(u8, u32),
    Disable(u8),
    Enable(u8),
    /// lbd ends, and starts again.
    Restart,
    /// lbd is killed after so many writes of its next change, and starts again.
    Kill(usize),
    Wait(u32),
    Packet(u32, Kind),
}

/// Seconds around a deadline in which either is right: lbd looks every second.
const UNSURE: u32 = 2;

/// What the test knows of a backend.
#[derive(Clone, Debug)]
struct Backend {
    weight: u32,
    removed: Option<Tick>,
    lost: Option<Tick>,
    /// Since when, and for how many seconds.
    drained: Option<(Tick, u32)>,
    is_disabled: bool,
    is_known: bool,
    /// How often it has let go of its flows.
    lives: u32,
    was_alive: bool,
}

/// What the test knows of a connection.
#[derive(Clone, Copy, Debug)]
struct Connection {
    backend: u8,
    /// The backend's life in which it began.
    life: u32,
    seen: Tick,
    /// Seconds that it may pause.
    pause: u32,
    /// Whether more than its first packet was seen.
    is_established: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Either,
}

/// A balancer, and what is expected of it.
pub struct Model {
    pub node: Node,
    backends: BTreeMap<u8, Backend>,
    connections: BTreeMap<u32, Connection>,
    /// Whether there is room for every pin.
    has_room: bool,
    by_hash: bool,
}

impl Model {
    pub fn new(scheduler: &'static str, pin_bits: u32) -> Self {
        let backend = |number| Backend {
            weight: 1,
            removed: (number > 3).then_some(Tick(0)),
            lost: None,
            drained: None,
            is_disabled: false,
            is_known: number <= 3,
            lives: 0,
            was_alive: number <= 3,
        };
        Model {
            node: Node::new(scheduler, pin_bits),
            backends: (1..=BACKENDS).map(|number| (number, backend(number))).collect(),
            connections: BTreeMap::new(),
            has_room: pin_bits > 4,
            by_hash: scheduler == "maglev" || scheduler == "udp",
        }
    }

    pub fn happen(&mut self, event: Event) {
        let now = self.node.now;
        let backends = &mut self.backends;
        match event {
            Event::List(number) => {
                let backend = backends.get_mut(&number).unwrap();
                if backend.removed.is_some() {
                    (backend.drained, backend.is_disabled) = (None, false);
                }
                (backend.removed, backend.is_known) = (None, true);
                self.node.list(number, true);
            }
            Event::Remove(number) => {
                backends.get_mut(&number).unwrap().removed.get_or_insert(now);
                self.node.list(number, false);
            }
            Event::Weigh(number, weight) => {
                backends.get_mut(&number).unwrap().weight = weight;
                self.node.weigh(number, weight);
            }
            Event::Lose(number) => {
                backends.get_mut(&number).unwrap().lost.get_or_insert(now);
                self.node.lose(number, true);
            }
            Event::Find(number) => {
                backends.get_mut(&number).unwrap().lost = None;
                self.node.lose(number, false);
            }
            // Who isn't in the configuration has no state there.
            Event::Drain(number, seconds) if self.is_listed(number) => {
                let backend = self.backends.get_mut(&number).unwrap();
                let since = backend.drained.map_or(now, |(since, _)| since);
                (backend.drained, backend.is_disabled) = (Some((since, seconds)), false);
                self.node.order(number, AdminState::Draining, Some(seconds));
            }
            Event::Disable(number) if self.is_listed(number) => {
                let backend = self.backends.get_mut(&number).unwrap();
                (backend.drained, backend.is_disabled) = (None, true);
                self.node.order(number, AdminState::Disabled, None);
            }
            Event::Enable(number) if self.is_listed(number) => {
                let backend = self.backends.get_mut(&number).unwrap();
                (backend.drained, backend.is_disabled) = (None, false);
                self.node.order(number, AdminState::Active, None);
            }
            Event::Drain(..) | Event::Disable(_) | Event::Enable(_) => {}
            Event::Restart => self.node.restart(),
            Event::Kill(writes) => self.node.kill_after(writes),
            Event::Wait(seconds) => {
                for _ in 0..seconds {
                    self.node.wait(1);
                    self.forget_the_gone();
                    self.note_lives();
                }
            }
            Event::Packet(connection, kind) => self.packet(connection, kind),
        }
        self.forget_the_gone();
        self.note_lives();
    }

    fn is_listed(&self, number: u8) -> bool {
        self.backends[&number].removed.is_none()
    }

    fn is_member(&self, number: u8) -> bool {
        self.node.desired.services[0]
            .backends
            .iter()
            .any(|backend| backend.id.address == crate::node::address(number))
    }

    /// Who has left for good takes his orders with him.
    fn forget_the_gone(&mut self) {
        for number in 1..=BACKENDS {
            if !self.is_member(number) {
                let backend = self.backends.get_mut(&number).unwrap();
                (backend.drained, backend.is_disabled) = (None, false);
                backend.removed.get_or_insert(Tick(0));
            }
        }
    }

    fn note_lives(&mut self) {
        for number in 1..=BACKENDS {
            let alive = self.is_alive(number) == Answer::Yes;
            let backend = self.backends.get_mut(&number).unwrap();
            // Where it isn't sure, flows may have been lost.
            backend.lives += u32::from(backend.was_alive && !alive);
            backend.was_alive = alive;
        }
    }

    /// Whether a backend keeps its flows.
    fn is_alive(&self, number: u8) -> Answer {
        let backend = &self.backends[&number];
        if backend.is_disabled || !backend.is_known {
            return Answer::No;
        }
        let now = self.node.now;
        let within = |since: Option<Tick>, seconds: u32| match since.map(|since| now.since(since)) {
            None => Answer::Yes,
            Some(passed) if passed + ticks(UNSURE) < ticks(seconds) => Answer::Yes,
            Some(passed) if passed > ticks(seconds) + ticks(UNSURE) => Answer::No,
            Some(_) => Answer::Either,
        };
        let drained = backend.drained.map_or(Answer::Yes, |(since, seconds)| within(Some(since), seconds));
        let answers = [within(backend.removed, DRAIN), within(backend.lost, GRACE), drained];
        if answers.contains(&Answer::No) {
            Answer::No
        } else if answers.contains(&Answer::Either) || !self.is_member(number) {
            Answer::Either
        } else {
            Answer::Yes
        }
    }

    fn takes_new(&self, number: u8) -> bool {
        let backend = &self.backends[&number];
        let is_active = backend.removed.is_none() && backend.lost.is_none() && backend.drained.is_none();
        is_active && !backend.is_disabled
    }

    fn packet(&mut self, number: u32, kind: Kind) {
        let got = self.node.walk(&segment(number, kind));
        let now = self.node.now;
        let known = self.connections.get(&number).copied().filter(|connection| {
            let lives = now.since(connection.seen) + ticks(UNSURE) < ticks(connection.pause);
            let same_life = self.backends[&connection.backend].lives == connection.life;
            lives && same_life && self.is_alive(connection.backend) == Answer::Yes
        });
        if let Some(backend) = got {
            assert_ne!(
                self.is_alive(backend),
                Answer::No,
                "{number} {kind:?} was sent to {backend}, which is dead"
            );
        }
        match (kind, known) {
            (Kind::Syn, _) => {
                if let Some(backend) = got {
                    assert!(
                        self.takes_new(backend),
                        "{number} begins at {backend}, which takes no new flows"
                    );
                }
            }
            (Kind::Data | Kind::Fin | Kind::Datagram, Some(connection))
                if connection.is_established || self.has_room =>
            {
                assert_eq!(got, Some(connection.backend), "{number} {kind:?}: {connection:?}");
            }
            (Kind::Data | Kind::Fin | Kind::Datagram, _) => {}
        }
        // Around a deadline nobody knows whether the backend will have it still.
        let Some(backend) = got.filter(|backend| self.is_alive(*backend) == Answer::Yes) else {
            self.connections.remove(&number);
            return;
        };
        let is_closing =
            known.is_some_and(|known| known.pause == 60 && kind != Kind::Syn) || kind == Kind::Fin;
        let pause = match kind {
            // A client repeats a first packet after seconds.
            Kind::Syn => 10,
            _ if is_closing => IDLE.min(60),
            _ => IDLE,
        };
        let life = self.backends[&backend].lives;
        let is_established = kind != Kind::Syn;
        self.connections.insert(number, Connection { backend, life, seen: now, pause, is_established });
    }

    /// After a long quiet time nothing is left that costs anything.
    pub fn come_to_rest(&mut self) {
        for number in 1..=BACKENDS {
            self.happen(Event::Enable(number));
        }
        self.happen(Event::Wait(IDLE + 5));
        self.happen(Event::Wait(DRAIN + IDLE + 30));
        if self.by_hash {
            let progress = &self.node.desired.services[0].progress;
            assert_eq!((progress.migrating, progress.tracked), (0, 0), "{progress:?}");
        }
        let census = self.node.census();
        assert!(census.open.is_empty() && census.closing.is_empty(), "{census:?}");
    }
}
