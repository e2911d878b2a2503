//! The load balancer's command line.

fn main() -> std::process::ExitCode {
    lb_userspace::ctl::main()
}
