//! Sequences that once went wrong.
