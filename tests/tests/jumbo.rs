//! Networks with an MTU of 9000 octets, whose frames reach the programs in several pieces. Needs root.

use anyhow::{Context, Result};
use aya::Ebpf;
use aya::programs::Xdp;
use lb_tests::iperf::{self, BLOCK, Transfer, UNCOUNTED};
use lb_tests::ping::Echo;
use lb_tests::snapshot::Snapshot;
use lb_tests::{Backend, Balancer, Entry, Host, Lab, SERVICES, accounts, balancer, entry, wait};
use lb_userspace::attach::{self, Mode};
use lb_userspace::programs;

const MTU: u16 = 9000;

/// Of a page; what is longer is in several pieces.
const PAGE: u64 = 4096;

#[test]
fn long_frames_pass_every_tunnel() -> Result<()> {
    const OCTETS: u64 = 16 << 20;
    const DATAGRAMS: u64 = 20;
    const DATAGRAM: u64 = 8000;
    let lab = Lab::new()?;
    lab.set_mtu(MTU)?;
    let server = Host::Backend1;
    let _backend = Backend::start(&lab, server)?;
    let entries = SERVICES.iter().flat_map(|service| {
        ["tcp", "udp"].map(|protocol| Entry::beside(service, Some(iperf::PORT), protocol, &[server]))
    });
    let yaml = balancer::configure(lab.directory(), &[]);
    let balancer = Balancer::start_with(&lab, &entry::added(&yaml, &entries.collect::<Vec<_>>()))?;
    balancer.wait_until_active()?;

    for service in SERVICES {
        let name = service.name;
        let _server = iperf::serve(&lab, server, service.vip)?;
        let before = Snapshot::take(&balancer)?;
        let tcp = iperf::send(&lab, service.vip, Transfer::Tcp { octets: OCTETS })?;
        assert!((OCTETS..=OCTETS + BLOCK).contains(&tcp.sent), "{name}: {tcp:?}");
        assert!((OCTETS - UNCOUNTED..=tcp.sent).contains(&tcp.received), "{name}: {tcp:?}");
        let transfer = Transfer::Udp { datagrams: DATAGRAMS, octets: DATAGRAM };
        let udp = iperf::send(&lab, service.vip, transfer)?;
        assert!((DATAGRAMS..=DATAGRAMS + 1).contains(&(udp.sent / DATAGRAM)), "{name}: {udp:?}");
        assert_eq!(udp.lost, 0, "{name}: {udp:?}");
        let datagrams = udp.sent / DATAGRAM;
        assert!(udp.received > 0, "{name}");

        let counted = Snapshot::take(&balancer)?.since(&before);
        assert_eq!(accounts::sums(&counted), Vec::<String>::new(), "{name}: {counted:#?}");
        let of = |protocol: &str| {
            let mut services = counted.services.iter();
            services
                .find(|other| other.vip == service.vip.to_string() && other.protocol == protocol)
                .context(name)
        };
        let (tcp, udp) = (of("tcp")?, of("udp")?);
        assert!(tcp.bytes / tcp.packets > PAGE, "{name}: {tcp:?}");
        // None in parts, and one by which the client says that it is there.
        assert_eq!(udp.packets, datagrams + 1, "{name}: {udp:?}");
    }
    Ok(())
}

#[test]
fn long_echo_requests_are_answered() -> Result<()> {
    let lab = Lab::new()?;
    lab.set_mtu(MTU)?;
    let balancer = Balancer::start(&lab, &SERVICES)?;
    let before = Snapshot::take(&balancer)?;
    for service in SERVICES {
        let echo = Echo::open(lab.host(Host::Client), service.vip)?;
        for octets in [3400, 3500, 4096, 8900] {
            wait::until(&format!("{octets} octets from {}", service.vip), || {
                Ok(echo.ask(octets)?.then_some(()))
            })?;
        }
    }
    let node = Snapshot::take(&balancer)?.since(&before).node;
    assert!(node.answered["echo_reply"] >= 4 * SERVICES.len() as u64, "{node:?}");
    assert_eq!(accounts::total(&node.dropped), 0, "{node:?}");
    Ok(())
}

/// As a kernel before Linux 5.18 would have it, which has no programs for frames in several pieces.
#[test]
fn a_program_for_short_frames_is_refused_with_the_reason_and_runs_in_generic_mode() -> Result<()> {
    let lab = Lab::new()?;
    lab.set_mtu(MTU)?;
    lab.host(Host::Balancer).enter(|| {
        let mut object = Ebpf::load(programs::BALANCER)?;
        let program: &mut Xdp = object.program_mut("xdp_lb").context("xdp_lb")?.try_into()?;
        program.load()?;
        let error = attach::attach(program, "eth0", Mode::Driver).unwrap_err().to_string();
        let reason = "the driver of eth0 (veth) can't run this program at the MTU of its peer (own MTU 9000)";
        assert_eq!(error, format!("{reason}; lower it, or use the mode generic"));
        let attachment = attach::attach(program, "eth0", Mode::Auto)?;
        assert_eq!(attachment.mode, Mode::Generic);
        let note = format!("{reason}; it runs in the kernel's generic path, which is slower");
        assert_eq!(attachment.note, Some(note));
        Ok(())
    })
}
