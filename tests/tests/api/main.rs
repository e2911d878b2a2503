//! Who may ask lbd for what, how much of it, and what it answers. Needs root.

mod access;
mod bounds;
mod document;
mod raw;
mod tls;
