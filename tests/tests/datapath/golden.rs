//! What each program costs, held to the numbers in `golden.txt`: instructions, stack, and the verifier's work.
//!
//! A number that grows is looked at before it is accepted: `LB_BLESS=1 cargo test -p lb-tests --test datapath golden`
//! writes the file anew. Another compiler or kernel makes other numbers of the same code; they may differ by a quarter.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use aya::Ebpf;
use aya::programs::{Program, ProgramInfo};
use aya_obj::Object;
use aya_obj::generated::bpf_insn;
use lb_userspace::programs;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/datapath/golden.txt");

/// The frame pointer.
const R10: u8 = 10;
const LOAD_STORE: std::ops::RangeInclusive<u8> = 1..=3;
const ALU64: u8 = 7;
const ADD_IMMEDIATE: u8 = 0x07;

/// Octets of stack that a function uses: the lowest place that is named relative to the frame pointer.
fn stack(instructions: &[bpf_insn]) -> u64 {
    let mut copies_of_r10 = [false; 16];
    let mut deepest = 0;
    for instruction in instructions {
        let (class, destination, source) =
            (instruction.code & 7, instruction.dst_reg(), instruction.src_reg());
        let base = if class == 1 { source } else { destination };
        if LOAD_STORE.contains(&class) && base == R10 {
            deepest = deepest.min(i32::from(instruction.off));
        }
        if class == ALU64 && instruction.code == ADD_IMMEDIATE && copies_of_r10[usize::from(destination)] {
            deepest = deepest.min(instruction.imm);
        }
        let is_copy = instruction.code == 0xbf && source == R10;
        copies_of_r10[usize::from(destination)] = is_copy;
    }
    u64::from(deepest.unsigned_abs())
}

fn measure(object: &[u8], name: &str) -> (String, [u64; 3]) {
    let parsed = Object::parse(object).unwrap();
    let stack = parsed.functions.values().map(|function| stack(&function.instructions)).max().unwrap();
    let mut ebpf = Ebpf::load(object).unwrap();
    let info = load(ebpf.program_mut(name).unwrap());
    let instructions = u64::from(info.size_translated().unwrap()) / 8;
    let verified = u64::from(info.verified_instruction_count().unwrap());
    (name.to_string(), [instructions, stack, verified])
}

fn load(program: &mut Program) -> ProgramInfo {
    match program {
        Program::Xdp(program) => {
            program.load().unwrap();
            program.info().unwrap()
        }
        Program::SchedClassifier(program) => {
            program.load().unwrap();
            program.info().unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// Compiler and kernel that the numbers are of.
fn made_with() -> String {
    let version = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    };
    let kernel = version("uname", "-r");
    let release: Vec<_> = kernel.split(['.', '-']).take(2).collect();
    format!("# {}, Linux {}", version("rustc", "--version"), release.join("."))
}

#[test]
fn golden() {
    assert!(nix::unistd::geteuid().is_root(), "this test loads BPF programs: run it as root");
    let measured = [
        measure(programs::BALANCER, "xdp_lb"),
        measure(programs::BALANCER, "xdp_lb_frags"),
        measure(programs::BALANCER, "tc_check"),
        measure(programs::AGENT, "xdp_agent"),
        measure(programs::AGENT, "xdp_agent_frags"),
        measure(programs::PASS, "xdp_pass"),
        measure(programs::PASS, "xdp_pass_frags"),
    ];
    let made_with = made_with();
    if std::env::var_os("LB_BLESS").is_some() {
        let mut text =
            format!("{made_with}\n# program: instructions, octets of stack, instructions verified\n");
        for (name, [instructions, stack, verified]) in &measured {
            writeln!(text, "{name}: {instructions} {stack} {verified}").unwrap();
        }
        std::fs::write(Path::new(FILE), text).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(FILE).unwrap();
    let exact = golden.lines().next() == Some(&made_with);
    for (name, numbers) in measured {
        let line = golden.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap();
        let expected: Vec<u64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
        let fits = expected.iter().zip(numbers).all(|(&expected, number)| {
            if exact { expected == number } else { number <= expected + expected / 4 }
        });
        assert!(fits, "{name}: {numbers:?} instead of {expected:?}; if that is meant: LB_BLESS=1");
    }
}
