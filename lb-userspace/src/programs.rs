//! The BPF objects, embedded.

/// The load balancer: `xdp_lb` and its maps.
pub static BALANCER: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/balancer"));

/// The backend's side: `xdp_agent` and its maps.
pub static AGENT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/agent"));

/// `xdp_pass`, which passes every packet: a veth takes what XDP transmits into it only while it runs a program itself.
pub static PASS: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pass"));
