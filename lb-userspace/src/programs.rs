//! The BPF objects, embedded.

use aya::util::KernelVersion;

/// The load balancer: `xdp_lb`, `tc_check` and their maps.
pub static BALANCER: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/balancer"));

/// The backend's side: `xdp_agent` and its maps.
pub static AGENT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/agent"));

/// Whether the kernel runs programs that take frames in several pieces: for MTUs above a page (Linux 5.18).
#[must_use]
pub fn multi_buffer() -> bool {
    KernelVersion::current().is_ok_and(|kernel| kernel >= KernelVersion::new(5, 18, 0))
}

/// Whether the kernel has links for programs of traffic control (Linux 6.6).
#[must_use]
pub fn tcx() -> bool {
    KernelVersion::current().is_ok_and(|kernel| kernel >= KernelVersion::new(6, 6, 0))
}

/// `xdp_pass` and `xdp_pass_frags`, which pass every packet: a veth takes what XDP transmits into it only while it runs a
/// program itself.
pub static PASS: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/pass"));

/// For benchmarks: plays packets to a program, and takes the time.
pub static BENCH: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench"));

/// For benchmarks: sends packets, and counts what arrives.
pub static RATE: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/rate"));

#[cfg(test)]
mod tests {
    use aya_obj::Object;

    use super::*;

    #[test]
    fn each_object_tells_the_kernel_its_licence() {
        for (name, object) in
            [("balancer", BALANCER), ("agent", AGENT), ("bench", BENCH), ("pass", PASS), ("rate", RATE)]
        {
            let licence = Object::parse(object).unwrap().license;
            // Not what aya would say for an object without a licence: "GPL".
            assert_eq!(licence.to_str(), Ok("Dual MIT/GPL"), "{name}");
        }
    }
}
