//! Values that the kernel and userspace may copy octet by octet.

use lb_common::backend::Backend;
use lb_common::event::Sampling;
use lb_common::service::QuicKey;
use lb_common::settings::Settings;
use lb_common::siphash::Keyed;
use lb_common::slot::SlotPair;
use lb_common::verdict::{ServiceCounters, Traffic};
use lb_common::vip::Vip;

/// A map's key or value.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Plain<T>(pub T);

macro_rules! plain {
    ($($type:ty),*) => { $(
        // SAFETY: made of integers alone, every bit pattern of which is a value, and without padding: the size is the
        // sum of the fields', which are asserted or of one width.
        unsafe impl aya::Pod for Plain<$type> {}
    )* };
}

plain!(Backend, Keyed, QuicKey, Sampling, ServiceCounters, Settings, SlotPair, Traffic, Vip);
