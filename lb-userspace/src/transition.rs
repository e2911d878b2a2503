//! The life of a slot: from the backend that it has to the one that it should have, without a flow of a living
//! backend being moved. `docs/consistency.md` says why this holds.
//!
//! Pure: the time is an argument.

use lb_common::clock::Tick;
use lb_common::slot::{BackendIndex, Slot, State};

/// The slots of a lookup table, and since when those are migrating that do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journey {
    /// By slot; empty if none is migrating.
    since: Vec<Tick>,
}

/// What decides over a table's slots, besides the slots themselves.
pub struct Course<'a> {
    /// The backend that each slot should have.
    pub wanted: &'a [BackendIndex],
    /// Whether a backend keeps the flows that it has.
    pub keeps: &'a dyn Fn(BackendIndex) -> bool,
    /// For how long a slot migrates, in ticks: longer than a flow may pause.
    pub settling: u32,
    /// Since when every flow that asked for a pin got one. Before that, pauses don't count.
    pub room_since: Tick,
    /// The present.
    pub now: Tick,
    /// Which slots have flows that are pinned to another backend than the current one, as counted after all of the slots
    /// were as they are; `None` if that isn't known.
    pub pinned_elsewhere: Option<&'a [bool]>,
}

impl Journey {
    /// Of slots that another process has left: those that migrate begin anew.
    #[must_use]
    pub fn adopt(slots: &[Slot], now: Tick) -> Self {
        let migrates = slots.iter().any(|slot| is_migrating(*slot));
        Journey { since: if migrates { vec![now; slots.len()] } else { Vec::new() } }
    }

    /// Moves the slots on, as far as they may go at this moment.
    ///
    /// # Panics
    /// The course is another table's.
    pub fn advance(&mut self, slots: &mut [Slot], course: &Course) {
        assert_eq!(slots.len(), course.wanted.len(), "the course of another table");
        let mut migrating = false;
        for (place, slot) in slots.iter_mut().enumerate() {
            let next = self.next(place, *slot, course);
            if let State::Migrating { previous, .. } = next.state() {
                migrating = true;
                // Who was on the way from this backend already still is.
                if slot.is_stable() || slot.previous() != Some(previous) {
                    self.start(place, course);
                }
            }
            *slot = next;
        }
        if !migrating {
            self.since = Vec::new();
        }
    }

    fn next(&self, place: usize, slot: Slot, course: &Course) -> Slot {
        let wanted = course.wanted[place];
        match turned(slot, wanted, course.keeps) {
            turned if turned != slot => turned,
            same => match same.state() {
                State::Migrating { current, .. } if self.has_settled(place, course) => Slot::tracked(current),
                State::Tracked(current) if course.pinned_elsewhere.is_some_and(|pinned| !pinned[place]) => {
                    Slot::stable(current)
                }
                State::Stable(_) | State::Migrating { .. } | State::Tracked(_) => same,
            },
        }
    }

    fn start(&mut self, place: usize, course: &Course) {
        if self.since.is_empty() {
            self.since = vec![course.now; course.wanted.len()];
        }
        self.since[place] = course.now;
    }

    /// Whether every flow of the previous backend that lives has sent a packet by now.
    fn has_settled(&self, place: usize, course: &Course) -> bool {
        // What was found in the kernel's maps has been on its way for nobody knows how long.
        self.since.get(place).is_some_and(|&since| {
            let asked = course.now.since(since);
            let had_room = course.now.since(course.room_since);
            asked.min(had_room) > course.settling
        })
    }

    /// Ticks until the last slot has settled, if no more change.
    #[must_use]
    pub fn remaining(&self, slots: &[Slot], settling: u32, now: Tick) -> u32 {
        let migrating = slots.iter().zip(&self.since).filter(|(slot, _)| is_migrating(**slot));
        migrating.map(|(_, since)| (settling + 1).saturating_sub(now.since(*since))).max().unwrap_or(0)
    }
}

fn is_migrating(slot: Slot) -> bool {
    matches!(slot.state(), State::Migrating { .. })
}

/// The slot, turned to the backend that it should have.
fn turned(slot: Slot, wanted: BackendIndex, keeps: &dyn Fn(BackendIndex) -> bool) -> Slot {
    match slot.state() {
        State::Stable(current) | State::Tracked(current) if current != wanted && keeps(current) => {
            Slot::migrating(wanted, current)
        }
        State::Stable(_) => Slot::stable(wanted),
        // The previous backend's flows are lost; the current one's are pinned, as they began while the slot migrated.
        State::Migrating { previous, .. } if !keeps(previous) => Slot::tracked(wanted),
        State::Migrating { previous, .. } if previous == wanted => Slot::tracked(wanted),
        State::Migrating { previous, .. } => Slot::migrating(wanted, previous),
        State::Tracked(_) => Slot::tracked(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: BackendIndex = BackendIndex(1);
    const B: BackendIndex = BackendIndex(2);
    const C: BackendIndex = BackendIndex(3);
    const NONE: BackendIndex = BackendIndex::NONE;

    #[test]
    fn a_slot_turns_to_what_is_wanted() {
        let (stable, migrating, tracked) = (Slot::stable, Slot::migrating, Slot::tracked);
        let rows = [
            ("nothing to do", stable(A), A, &[A][..], stable(A)),
            ("another is wanted", stable(A), B, &[A, B], migrating(B, A)),
            ("it is gone", stable(A), B, &[B], stable(B)),
            ("the first backend", stable(NONE), A, &[A], stable(A)),
            ("the last one is drained", stable(A), NONE, &[A], migrating(NONE, A)),
            ("on the way", migrating(B, A), B, &[A, B], migrating(B, A)),
            ("a third is wanted", migrating(B, A), C, &[A, B, C], migrating(C, A)),
            ("back again", migrating(B, A), A, &[A, B], tracked(A)),
            ("the previous one died", migrating(B, A), B, &[B], tracked(B)),
            ("the previous one died, a third is wanted", migrating(B, A), C, &[B, C], tracked(C)),
            ("the current one died", migrating(B, A), C, &[A, C], migrating(C, A)),
            ("both died", migrating(B, A), C, &[C], tracked(C)),
            ("tracked", tracked(A), A, &[A], tracked(A)),
            ("another is wanted than the tracked", tracked(A), B, &[A, B], migrating(B, A)),
            ("the tracked died", tracked(A), B, &[B], tracked(B)),
        ];
        for (what, slot, wanted, living, expected) in rows {
            assert_eq!(turned(slot, wanted, &|backend| living.contains(&backend)), expected, "{what}");
        }
    }

    fn course(wanted: &[BackendIndex], now: u32) -> Course<'_> {
        Course {
            wanted,
            keeps: &|_| true,
            settling: 100,
            room_since: Tick(0),
            now: Tick(now),
            pinned_elsewhere: None,
        }
    }

    #[test]
    fn a_slot_settles_and_then_rests() {
        let mut journey = Journey::default();
        let mut slots = [Slot::stable(A), Slot::stable(B)];
        journey.advance(&mut slots, &course(&[B, B], 1000));
        assert_eq!(slots, [Slot::migrating(B, A), Slot::stable(B)]);
        assert_eq!(journey.remaining(&slots, 100, Tick(1040)), 61);
        journey.advance(&mut slots, &course(&[C, B], 1090));
        journey.advance(&mut slots, &course(&[B, B], 1100));
        assert_eq!(slots, [Slot::migrating(B, A), Slot::stable(B)], "the previous one's flows had 100 ticks");
        journey.advance(&mut slots, &course(&[B, B], 1101));
        assert_eq!(slots, [Slot::tracked(B), Slot::stable(B)]);
        let counted = |pinned| Course { pinned_elsewhere: Some(pinned), ..course(&[B, B], 1200) };
        journey.advance(&mut slots, &counted(&[true, false]));
        assert_eq!(slots, [Slot::tracked(B), Slot::stable(B)]);
        journey.advance(&mut slots, &counted(&[false, false]));
        assert_eq!(slots, [Slot::stable(B); 2]);
        assert_eq!(journey, Journey::default());
    }

    #[test]
    fn what_began_at_another_backend_begins_anew() {
        let mut journey = Journey::default();
        let mut slots = [Slot::stable(A)];
        journey.advance(&mut slots, &course(&[B], 1000));
        journey.advance(&mut slots, &course(&[A], 1050));
        assert_eq!(slots, [Slot::tracked(A)]);
        journey.advance(&mut slots, &course(&[B], 1060));
        journey.advance(&mut slots, &course(&[B], 1150));
        assert_eq!(slots, [Slot::migrating(B, A)]);
        journey.advance(&mut slots, &course(&[B], 1161));
        assert_eq!(slots, [Slot::tracked(B)]);
    }

    #[test]
    fn without_room_for_pins_nothing_settles() {
        let mut journey = Journey::default();
        let mut slots = [Slot::stable(A)];
        let refused = |now, at| Course { room_since: Tick(at), ..course(&[B], now) };
        journey.advance(&mut slots, &course(&[B], 1000));
        journey.advance(&mut slots, &refused(1200, 1150));
        assert_eq!(slots, [Slot::migrating(B, A)]);
        journey.advance(&mut slots, &refused(1251, 1150));
        assert_eq!(slots, [Slot::tracked(B)]);
    }

    #[test]
    fn what_was_found_migrating_has_all_its_time() {
        let mut slots = [Slot::migrating(B, A), Slot::stable(B)];
        let mut journey = Journey::adopt(&slots, Tick(5000));
        journey.advance(&mut slots, &course(&[B, B], 5100));
        assert_eq!(slots[0], Slot::migrating(B, A));
        journey.advance(&mut slots, &course(&[B, B], 5101));
        assert_eq!(slots[0], Slot::tracked(B));
    }
}
