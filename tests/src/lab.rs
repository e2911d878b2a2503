//! The network, with nothing running in it yet.

use std::fs;
use std::path::Path;
use std::process::{self, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};
use lb_userspace::instance::Instance;
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::directory::Directory;
use crate::host::Host;
use crate::namespace::Namespace;
use crate::run::run;
use crate::xdp::Attached;
use crate::{interrupt, leftovers, topology, xdp};

/// Namespaces, links, addresses and routes, and a directory for files.
///
/// A [`Backend`](crate::Backend) or [`Balancer`](crate::Balancer) borrows it, and so is stopped before the network
/// goes. It stays on the thread that made it: programs end when the thread does that started them.
#[derive(Debug)]
pub struct Lab {
    // Dropped in this order.
    _pins: Pins,
    _pass: Attached,
    hosts: Vec<Namespace>,
    directory: Directory,
    _turn: MutexGuard<'static, ()>,
}

/// Names carry the number of this process, so it has one lab at a time; the tests of one file take turns.
static TURN: Mutex<()> = Mutex::new(());

impl Lab {
    /// Waits for the lab before to be gone, removes what killed labs left on the machine, and makes the network.
    ///
    /// # Errors
    /// This process isn't root's, or the machine refuses something; Ctrl-C.
    pub fn new() -> Result<Lab> {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "network namespaces and BPF need root: run this with sudo (`sudo -E env PATH=\"$PATH\" cargo xtask test`)"
        );
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        interrupt::watch()?;
        interrupt::check()?;
        mount_bpffs()?;
        leftovers::remove()?;

        let directory = Directory::create(leftovers::directory_path(process::id()))?;
        let mut hosts = Vec::new();
        for host in Host::ALL {
            let namespace = Namespace::create(name(host))?;
            namespace.set(&topology::settings(host))?;
            hosts.push(namespace);
        }
        let pass = connect(&hosts, directory.path())?;
        Ok(Lab { _pins: Pins, _pass: pass, hosts, directory, _turn: turn })
    }

    /// The namespace of a host.
    #[must_use]
    pub fn host(&self, host: Host) -> &Namespace {
        &self.hosts[host as usize]
    }

    /// Makes packets of so many octets fit everywhere, or no longer.
    ///
    /// # Errors
    /// A driver refuses it, with the program that it runs.
    pub fn set_mtu(&self, octets: u16) -> Result<()> {
        let router = self.host(Host::Router);
        let set = |namespace: &Namespace, interface: &str| {
            let link = ["link", "set", interface, "mtu", &octets.to_string()];
            run(Command::new("ip").args(["-n", namespace.name()]).args(link)).map(drop)
        };
        for host in Host::ALL.into_iter().filter(|&host| host != Host::Router) {
            set(self.host(host), "eth0")?;
            set(router, host.name())?;
        }
        set(router, "br0")
    }

    /// Takes the load balancer off the network: its interface is gone.
    ///
    /// # Errors
    /// It is off already.
    pub fn unplug_balancer(&self) -> Result<()> {
        let (router, port) = (self.host(Host::Router), Host::Balancer.name());
        run(Command::new("ip").args(["-n", router.name(), "link", "delete", port])).map(drop)
    }

    /// Puts the load balancer back: a new interface of the former name and addresses, for as long as what is returned
    /// lives.
    ///
    /// # Errors
    /// It is there already; the machine refuses something.
    pub fn plug_balancer(&self) -> Result<Attached> {
        let directory = self.directory();
        batch(
            &self.hosts,
            directory,
            Host::Router,
            "link",
            topology::link(Host::Balancer, &name(Host::Balancer)),
        )?;
        batch(&self.hosts, directory, Host::Balancer, "addresses", topology::addresses(Host::Balancer))?;
        // The new interface has another MAC address.
        let router = self.host(Host::Router).name();
        run(Command::new("ip").args(["-n", router, "neigh", "flush", "dev", "br0"]))?;
        equip_port(self.host(Host::Router))
    }

    /// Where this lab's files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// What an `lbd` of this lab has left in bpffs.
#[derive(Debug)]
struct Pins;

impl Drop for Pins {
    fn drop(&mut self) {
        let detached = Instance::take(&leftovers::instance_name(process::id())).and_then(Instance::detach);
        if let Err(error) = detached {
            eprintln!("{error:#}");
        }
    }
}

/// `lbd` pins there what is to outlive it. systemd mounts it; a container may have none.
fn mount_bpffs() -> Result<()> {
    const BPFFS: &str = "/sys/fs/bpf";
    if statfs(BPFFS)?.filesystem_type() == BPF_FS_MAGIC {
        return Ok(());
    }
    println!("mounting a BPF filesystem at {BPFFS}");
    run(Command::new("mount").args(["-t", "bpf", "bpf", BPFFS])).map(drop)
}

fn name(host: Host) -> String {
    leftovers::namespace_name(process::id(), host)
}

fn connect(hosts: &[Namespace], directory: &Path) -> Result<Attached> {
    batch(hosts, directory, Host::Router, "links", topology::links(name))?;
    for host in Host::ALL {
        batch(hosts, directory, host, "addresses", topology::addresses(host))?;
    }
    equip_port(&hosts[Host::Router as usize])
}

/// Gives lines to `ip` in the namespace of a host, by way of a file.
fn batch(hosts: &[Namespace], directory: &Path, host: Host, what: &str, lines: String) -> Result<()> {
    let file = directory.join(format!("{}.{what}", host.name()));
    fs::write(&file, lines)?;
    run(Command::new("ip").args(["-n", hosts[host as usize].name(), "-batch"]).arg(file)).map(drop)
}

/// Makes the router's port to the load balancer one that XDP can send into.
fn equip_port(router: &Namespace) -> Result<Attached> {
    let port = Host::Balancer.name();
    // Over a veth, packets go without their checksums, for a receiver that knows. XDP doesn't, and what it transmits
    // would arrive with them missing. As a real NIC does, the last hop completes them, whoever is the sender.
    run(router.command("ethtool").args(["-K", port, "tx", "off", "tso", "off", "gso", "off"]))?;
    // A veth takes what XDP transmits into it only while it runs a program itself.
    xdp::attach_pass(router, port)
}
