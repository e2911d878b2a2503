//! Header formats: the only place that knows where a field stands and that the network is big-endian.

pub mod ethernet;
pub mod extension;
pub mod icmp;
pub mod ip;
pub mod ipv4;
pub mod ipv6;
pub mod ports;
pub mod quic;
pub mod tcp;
pub mod udp;

/// The `WIDTH` octets at `AT`, which are there, to be read at once: of octets that are put together, the compiler reads
/// each where it is needed.
#[inline(always)]
fn at<const AT: usize, const WIDTH: usize, const N: usize>(octets: &[u8; N]) -> [u8; WIDTH] {
    const { assert!(AT + WIDTH <= N) };
    match octets[AT..].first_chunk() {
        Some(octets) => *octets,
        None => [0; WIDTH],
    }
}

/// Writes octets there, which are part of them.
#[inline(always)]
fn put<const AT: usize, const WIDTH: usize, const N: usize>(octets: &mut [u8; N], value: [u8; WIDTH]) {
    const { assert!(AT + WIDTH <= N) };
    if let Some(octets) = octets[AT..].first_chunk_mut() {
        *octets = value;
    }
}

/// Copies octets by words: of a plain copy between places of any alignment, the compiler makes one octet at a time for
/// the kernel.
#[inline(always)]
pub fn copy<const N: usize>(to: &mut [u8; N], from: &[u8; N]) {
    let (to, to_rest) = to.as_chunks_mut::<8>();
    let (from, from_rest) = from.as_chunks::<8>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = u64::from_ne_bytes(*from).to_ne_bytes();
    }
    let (to, to_rest) = to_rest.as_chunks_mut::<4>();
    let (from, from_rest) = from_rest.as_chunks::<4>();
    for (to, from) in to.iter_mut().zip(from) {
        *to = u32::from_ne_bytes(*from).to_ne_bytes();
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
}
