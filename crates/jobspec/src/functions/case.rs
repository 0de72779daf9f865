//! Capital and small letters, one letter for one letter: the length of a text in letters never changes, and `ß` stays.

pub(super) fn upper(letter: char) -> char {
    single(letter.to_uppercase()).unwrap_or(match letter {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            offset(letter, 8)
        }
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => offset(letter, 9),
        _ => letter,
    })
}

pub(super) fn lower(letter: char) -> char {
    // The only one whose small form is two letters is the Turkish capital with a dot.
    single(letter.to_lowercase()).unwrap_or(match letter {
        '\u{130}' => 'i',
        _ => letter,
    })
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

fn offset(letter: char, by: u32) -> char {
    char::from_u32(u32::from(letter) + by).unwrap_or(letter)
}
