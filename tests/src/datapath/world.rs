//! The configurations that packets meet.

use lb_userspace::config::Prefix;
use lb_userspace::image::Image;

use super::services::{NODE_V4, NODE_V6, image_with, ip};

/// A configuration of the node; the services are the same in all of them.
#[derive(Clone, Debug)]
pub struct World {
    /// What its maps hold.
    pub image: Image,
    /// Where its tunnels begin: in IPv4, in IPv6.
    pub tunnel_sources: [Prefix; 2],
    /// Whether echo requests to VIPs are answered.
    pub answers_echo: bool,
}

impl World {
    /// How many there are.
    pub const COUNT: usize = 2;

    /// All of them.
    #[must_use]
    pub fn all() -> [World; World::COUNT] {
        [(World::plain_sources(), true), (World::spread_sources(), false)].map(
            |(tunnel_sources, answers_echo)| {
                let image = image_with(|config| {
                    config.answer_echo = answers_echo;
                    config.tunnel_sources =
                        tunnel_sources.into_iter().filter(|prefix| !prefix.is_one_address()).collect();
                });
                World { image, tunnel_sources, answers_echo }
            },
        )
    }

    /// Every prefix that the tunnels of any of them begin in.
    #[must_use]
    pub fn all_tunnel_sources() -> [Prefix; 4] {
        let ([v4, v6], [spread_v4, spread_v6]) = (World::plain_sources(), World::spread_sources());
        [v4, v6, spread_v4, spread_v6]
    }

    /// The node's own addresses.
    fn plain_sources() -> [Prefix; 2] {
        [NODE_V4, NODE_V6].map(|address| Prefix::of_one(ip(address)))
    }

    /// Prefixes, of which each flow has an address.
    fn spread_sources() -> [Prefix; 2] {
        [("172.20.0.0", 20), ("2001:db8:99::", 64)]
            .map(|(address, length)| Prefix::around(ip(address), length))
    }
}
