//! Plays a script to the datapath, and checks the laws for each of its packets.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use lb_common::clock::Tick;
use lb_common::verdict::{Answer, Verdict};
use lb_userspace::frame::Frame;

use super::host::{Host, Outcome};
use super::laws;
use super::reading::Ip;
use super::script::{Script, Step};
use super::world::World;

static WORLDS: LazyLock<[World; World::COUNT]> = LazyLock::new(World::all);

thread_local! {
    static PLAYERS: RefCell<[Player<'static>; World::COUNT]> =
        RefCell::new(WORLDS.each_ref().map(Player::new));
}

/// A datapath that remembers what it was played, with its clock in our hands.
pub struct Player<'world> {
    world: &'world World,
    host: Host,
    /// The same without a fast path.
    walker: Host,
    now: Tick,
    /// Who was sent an error since the clock ticked.
    told: BTreeSet<IpAddr>,
}

impl<'world> Player<'world> {
    /// One that remembers nothing.
    #[must_use]
    pub fn new(world: &'world World) -> Self {
        let host = || Host::new(&world.image);
        let (now, told) = (Tick::default(), BTreeSet::new());
        let mut player = Player { world, host: host(), walker: host(), now, told };
        player.restart();
        player
    }

    /// Forgets all packets.
    pub fn restart(&mut self) {
        self.host.tables.forget();
        self.walker.tables.forget();
        self.now = Tick(0);
        self.tick();
    }

    /// Lets a tick pass.
    pub fn tick(&mut self) {
        self.now.0 += 1;
        self.host.tables.set_time(self.now);
        self.walker.tables.set_time(self.now);
        self.told.clear();
    }

    /// Walks a packet, with as much room in front of it as the kernel gives or with so many octets.
    ///
    /// # Panics
    /// A law doesn't hold.
    pub fn run(&mut self, frame: &[u8], headroom: Option<u8>) -> Outcome {
        let packet = || match headroom {
            None => Frame::new(frame),
            Some(room) => Frame::with_headroom(frame, usize::from(room)),
        };
        let outcome = self.host.run_frame(packet());
        assert_eq!(outcome, self.walker.walk_frame(packet()), "by the fast path, and without it");
        laws::check(self.world, frame, headroom.is_none(), &outcome);
        let verdict = laws::verdict_of(&outcome.counted);
        let is_error = matches!(verdict, Verdict::Answer(answer) if answer != Answer::EchoReply);
        if let (true, Some(ip)) = (is_error, Ip::of(frame)) {
            assert!(self.told.insert(client(ip.source)), "{} was told already", ip.source);
        }
        outcome
    }
}

/// Whose address it is: in IPv6, a client has the network of its first 64 bits.
fn client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

/// Plays a script to a datapath that remembers nothing; `then` sees what became of each packet.
///
/// # Panics
/// A law doesn't hold.
pub fn play(script: &Script, mut then: impl FnMut(Outcome)) {
    PLAYERS.with_borrow_mut(|players| {
        let player = &mut players[script.world];
        player.restart();
        for Step { ticks, headroom, frame } in &script.steps {
            if *ticks {
                player.tick();
            }
            then(player.run(frame, *headroom));
        }
    });
}
