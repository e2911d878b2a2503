//! Packets in their order, as the fuzzer makes them up and the kept corpus stores them.
//!
//! One octet chooses the world. Each step is one octet, whose lowest bit says whether time passes before the packet and
//! whose others, if any is set, are the room in front of it; then the packet's length in two octets, the lower first; then
//! the packet, which ends early if the script does. So every sequence of octets is a script.

use super::world::World;

/// What one packet after the other meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Which of the worlds.
    pub world: usize,
    /// The packets.
    pub steps: Vec<Step>,
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whether the clock ticks before it.
    pub ticks: bool,
    /// Octets of room in front of it; as much as the kernel gives if it isn't said.
    pub headroom: Option<u8>,
    /// The packet.
    pub frame: Vec<u8>,
}

/// Steps that are read; what follows is left out.
const MOST_STEPS: usize = 8;

impl Script {
    /// One whose packets come at once, with the usual room.
    #[must_use]
    pub fn of_frames(frames: Vec<Vec<u8>>) -> Self {
        let step = |frame| Step { ticks: false, headroom: None, frame };
        Script { world: 0, steps: frames.into_iter().map(step).collect() }
    }

    /// The script that these octets are.
    #[must_use]
    pub fn read(octets: &[u8]) -> Self {
        let Some((&world, mut rest)) = octets.split_first() else {
            return Script { world: 0, steps: Vec::new() };
        };
        let mut steps = Vec::new();
        while let ([first, low, high, behind @ ..], true) = (rest, steps.len() < MOST_STEPS) {
            let length = usize::from(u16::from_le_bytes([*low, *high])).min(behind.len());
            let (frame, next) = behind.split_at(length);
            let headroom = Some(first >> 1).filter(|&headroom| headroom > 0);
            steps.push(Step { ticks: first & 1 == 1, headroom, frame: frame.to_vec() });
            rest = next;
        }
        Script { world: usize::from(world) % World::COUNT, steps }
    }

    /// The octets that are this script.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let mut octets = vec![self.world as u8];
        for Step { ticks, headroom, frame } in &self.steps {
            octets.push(headroom.unwrap_or(0) << 1 | u8::from(*ticks));
            octets.extend((frame.len() as u16).to_le_bytes());
            octets.extend(frame);
        }
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut script = Script::of_frames(vec![vec![7; 300], Vec::new(), vec![1, 2, 3]]);
        script.world = 1;
        script.steps[1].ticks = true;
        script.steps[2].headroom = Some(100);
        assert_eq!(Script::read(&script.octets()), script);
    }

    #[test]
    fn every_sequence_of_octets_is_a_script() {
        assert_eq!(Script::read(&[]).steps, []);
        assert_eq!(Script::read(&[9, 0, 200]).steps, []);
        let cut = Script::read(&[World::COUNT as u8 + 1, 3, 200, 0, 7, 8]);
        assert_eq!(cut.world, 1);
        assert_eq!(cut.steps, [Step { ticks: true, headroom: Some(1), frame: vec![7, 8] }]);
        assert_eq!(Script::read(&[0; 1000]).steps.len(), MOST_STEPS);
    }
}
