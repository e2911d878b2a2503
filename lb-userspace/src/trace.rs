//! What becomes of single packets, for those who want to see it.
//!
//! The program tells of packets while somebody asks; one task reads what it tells, makes it readable and passes it on. In
//! the order in which things happen:
//!
//! | module | what it is |
//! | --- | --- |
//! | `wanted` | what is asked for, and what the program is to tell for that |
//! | `tracer` | the task: from the ring to those who ask |
//! | `listeners` | those who ask |
//! | `headers`, `packet` | from an event's octets to its description |
//! | `names` | of the numbers in events |
//! | `line` | a description as text |

mod headers;
mod line;
mod listeners;
mod names;
mod packet;
mod tracer;
mod wanted;

use serde::{Deserialize, Serialize};

pub use names::Names;
pub use packet::{Datagram, Link, Packet};
pub use tracer::{Listen, Refusal, run};
pub use wanted::{Query, Wanted, verdicts};

/// One line of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Line {
    /// A packet.
    Packet(Box<Packet>),
    /// Packets that should have been here.
    Lost {
        /// How many, since the last such line.
        lost: u64,
    },
}
