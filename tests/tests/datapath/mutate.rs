//! Packets that went wrong on their way.

use fastrand::Rng;

/// Octets in which headers stand, mostly.
const HEADERS: usize = 90;

/// Values that something depends on: versions, header lengths, protocols, types, flags, and the ends of a range.
const TELLING: [u8; 24] = [
    0, 1, 2, 3, 4, 5, 6, 8, 11, 17, 41, 43, 44, 58, 60, 0x45, 0x46, 0x4f, 0x60, 0x7f, 0x80, 0x81, 0x86, 0xff,
];

/// Octets of an Ethernet header: neither drivers nor `BPF_PROG_TEST_RUN` hand over less.
const LEAST: usize = 14;

/// Damages a packet: bits turned, octets changed, put in, taken out, cut off, added, or those of another packet.
pub fn mutate(random: &mut Rng, mut frame: Vec<u8>, other: &[u8]) -> Vec<u8> {
    for _ in 0..random.usize(1..4) {
        damage(random, &mut frame, other);
    }
    frame.resize(frame.len().max(LEAST), 0);
    frame
}

fn damage(random: &mut Rng, frame: &mut Vec<u8>, other: &[u8]) {
    let end = if random.u8(..8) == 0 { frame.len() } else { frame.len().min(HEADERS) };
    if end == 0 {
        frame.extend(other);
        return;
    }
    let place = random.usize(..end);
    let longest = *random.choice(&[4, 8, 20, 64]).unwrap();
    let length = random.usize(1..=longest);
    let until = (place + length).min(frame.len());
    match random.u8(..16) {
        0..=4 => frame[place] ^= 1 << random.u8(..8),
        5..=7 => frame[place] = *random.choice(&TELLING).unwrap(),
        8 => frame[place] = random.u8(..),
        9 => frame[place] = frame[place].wrapping_add(if random.bool() { 1 } else { u8::MAX }),
        10 => drop(frame.splice(place..place, std::iter::repeat_with(|| random.u8(..)).take(length))),
        11 => drop(frame.drain(place..until)),
        12 => frame.truncate(random.usize(..frame.len())),
        13 => frame.extend(std::iter::repeat_n(random.u8(..), length)),
        14 => {
            // The head of one, the tail of the other, at places of their own.
            let from = random.usize(..=other.len().min(HEADERS));
            frame.splice(place.., other[from..].iter().copied());
        }
        _ => {
            // The same place in both: a field of the other.
            let until = until.min(other.len());
            if place < until {
                frame[place..until].copy_from_slice(&other[place..until]);
            }
        }
    }
}
