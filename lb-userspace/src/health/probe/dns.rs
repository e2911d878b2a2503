//! A question to a name server.

use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, SimpleDnsError, TYPE, header_buffer};

use super::failure::{Failure, Stage};
use super::udp;
use crate::health::target::Target;

/// A question to a name server, over UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// The question as it is sent, with the number 0.
    question: Vec<u8>,
    /// The code that the answer has to have (RFC 1035, section 4.1.1).
    code: u16,
    /// Whether it has to have a record as well.
    wants_record: bool,
}

/// Octets of a message before its question.
const HEADER: usize = 12;

/// The bits of the code in a header's octets 2 and 3.
const CODE: u16 = 0xf;

impl Dns {
    /// Asks for a name's records of a type, and wants an answer with this code (0 to 15), with a record if that is 0.
    ///
    /// # Errors
    /// That isn't a name.
    pub fn new(name: &str, kind: TYPE, code: u16) -> Result<Self, SimpleDnsError> {
        let mut packet = Packet::new_query(0);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Question::new(Name::new(name)?, kind.into(), CLASS::IN.into(), false));
        Ok(Dns { question: packet.build_bytes_vec()?, code, wants_record: code == 0 })
    }

    pub(super) async fn run(&self, target: &Target, stage: &mut Stage) -> Result<(), Failure> {
        let answer = udp::ask(target, &self.question, stage).await?;
        self.look_into(&answer)
    }

    fn look_into(&self, answer: &[u8]) -> Result<(), Failure> {
        let asked = self.question.get(HEADER..).unwrap_or_default();
        let is_answer = answer.len() >= HEADER
            && header_buffer::id(answer) == Ok(0)
            && header_buffer::has_flags(answer, PacketFlag::RESPONSE) == Ok(true);
        if !is_answer {
            return Err(Failure::NoAnswer);
        }
        let code = u16::from_be_bytes([answer[2], answer[3]]) & CODE;
        if code != self.code {
            return Err(Failure::Rcode(code));
        }
        // A server that refuses may leave the question out.
        let repeats =
            answer.get(HEADER..HEADER + asked.len()).is_some_and(|name| name.eq_ignore_ascii_case(asked));
        if code == 0 && !repeats {
            return Err(Failure::NoAnswer);
        }
        if self.wants_record && header_buffer::answers(answer) == Ok(0) {
            return Err(Failure::NoRecord);
        }
        Ok(())
    }
}
