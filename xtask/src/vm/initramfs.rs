//! The archive of files that a kernel begins with (cpio, "newc").

/// Such an archive.
#[derive(Default)]
pub struct Archive {
    octets: Vec<u8>,
    files: u32,
}

impl Archive {
    /// With a directory in it, whose parent it has.
    pub fn directory(&mut self, name: &str) {
        self.entry(name, 0o040_755, &[]);
    }

    /// With a file in it that can be executed.
    pub fn file(&mut self, name: &str, content: &[u8]) {
        self.entry(name, 0o100_755, content);
    }

    /// The archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.octets
    }

    /// A header of numbers in hexadecimal digits, the name, and the content, each padded to a multiple of four.
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.files += 1;
        let (links, length, name_length) = (1, content.len() as u32, name.len() as u32 + 1);
        let numbers = [self.files, mode, 0, 0, links, 0, length, 0, 0, 0, 0, name_length, 0];
        self.octets.extend(b"070701");
        for number in numbers {
            self.octets.extend(format!("{number:08x}").bytes());
        }
        self.octets.extend(name.bytes().chain([0]));
        self.pad();
        self.octets.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn entries_begin_at_multiples_of_four() {
        let mut archive = Archive::default();
        archive.directory("bin");
        archive.file("init", b"#!/bin/sh");
        let octets = archive.finish();
        let text = String::from_utf8(octets).unwrap();
        let begins: Vec<usize> = text.match_indices("070701").map(|(place, _)| place).collect();
        assert_eq!(begins, [0, 116, 244]);
        assert_eq!(&text[116..][6..22], "00000002000081ed");
        assert_eq!(&text[116..][54..62], "00000009");
        assert_eq!(&text[226..244], "init\0\0#!/bin/sh\0\0\0");
    }
}
