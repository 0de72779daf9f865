//! The bodies of the fuzz targets over their corpus and over random edits of it, with any toolchain.
//!
//! `CARAVAN_FUZZ_ROUNDS` sets how many edits of each target are tried.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[allow(unreachable_pub, reason = "public for the targets of cargo fuzz")]
#[path = "../../../fuzz/src/targets.rs"]
mod targets;

use std::path::Path;

/// The committed files of a folder, with their names.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{} is empty", folder.display());
    found
}

/// What a target begins with: job files (those of the other tests, too) where it reads one, else files of its own.
fn corpus(of: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = files(&format!("../../fuzz/corpus/{of}"));
    if of == "job" {
        let whole = files("tests/fixtures").into_iter();
        found.extend(whole.filter(|(name, _)| name.ends_with(".hcl")));
    }
    found
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }
}

/// What random edits are made of.
const PIECES: [&[u8]; 44] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"\"",
    b"\n",
    b"=",
    b"${",
    b"%{",
    b"<<EOF\n",
    b"EOF\n",
    b"#",
    b"/*",
    b"*/",
    b",",
    b".",
    b"*",
    b"?",
    b":",
    b"for x in",
    b"if",
    b"=>",
    b"...",
    b"var.v",
    b"local.a",
    b"-1",
    b"1e400",
    b"null",
    b"\\u00",
    "é".as_bytes(),
    b"\0",
    b"dynamic",
    b"~",
    b"!",
    b"%",
    b"&&",
    b"true",
    b"\xff",
    b"endif",
    b"endfor",
    b"\r\n",
    b"2147483648",
];

fn edited(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = text.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(out.len() + 1);
        let end = (at + random.below(60)).min(out.len());
        match random.below(4) {
            0 => {
                let piece = PIECES[random.below(PIECES.len())];
                out.splice(at..at, piece.iter().copied());
            }
            1 => drop(out.drain(at..end)),
            2 => {
                let copied = out[at..end].to_vec();
                let to = random.below(out.len() + 1);
                out.splice(to..to, copied);
            }
            _ if at < out.len() => out[at] ^= 1 << random.below(7),
            _ => {}
        }
    }
    out
}

fn fuzz(target: &str, of: &str, body: fn(&[u8])) {
    let rounds = std::env::var("CARAVAN_FUZZ_ROUNDS").ok();
    let rounds = rounds.and_then(|text| text.parse().ok()).unwrap_or(600);
    let corpus = corpus(of);
    for (_, data) in &corpus {
        body(data);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds {
        let (name, data) = &corpus[round % corpus.len()];
        let input = edited(data, &mut random);
        let outcome = std::panic::catch_unwind(|| body(&input));
        if let Err(panic) = outcome {
            println!(
                "{target}, an edit of {name}:\n{}",
                String::from_utf8_lossy(&input)
            );
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn parse() {
    fuzz("parse", "job", targets::parse);
}

#[test]
fn evaluate() {
    fuzz("evaluate", "evaluate", targets::evaluate);
}

#[test]
fn canonicalize() {
    fuzz("canonicalize", "job", targets::canonicalize);
}

#[test]
fn diff() {
    fuzz("diff", "diff", targets::diff);
}

#[test]
fn fmt() {
    fuzz("fmt", "job", targets::fmt);
}
