//! Sets of yes-or-no answers in one word of a map.

/// Defines a set of flags: what it is, and each flag with its bit.
macro_rules! flags {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $flag:ident = $bit:literal,)* }) => {
        $(#[$about])*
        #[repr(transparent)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub u32);

        impl $name {
            $($(#[$doc])* pub const $flag: $name = $name($bit);)*

            /// Lets it do that, or not.
            pub const fn set(&mut self, flag: $name, yes: bool) {
                if yes {
                    self.0 |= flag.0;
                } else {
                    self.0 &= !flag.0;
                }
            }

            /// Whether it does that.
            #[inline(always)]
            #[must_use]
            pub const fn has(self, flag: $name) -> bool {
                self.0 & flag.0 != 0
            }
        }
    };
}
pub(crate) use flags;
