//! The indentation that `<<-` takes away.

use super::template::Piece;

/// Removes from all lines the blanks that the least indented one begins with. Lines of blanks only do not
/// count, and a line whose beginning was trimmed by `~}` is none.
pub(crate) fn unindent(pieces: &mut [Piece]) {
    let mut least: Option<usize> = None;
    let mut line_starts = Vec::new();
    let mut at_line_start = true;
    for (at, piece) in pieces.iter().enumerate() {
        if at_line_start {
            at_line_start = false;
            match piece {
                Piece::Text { text, .. } => {
                    let blanks = text.chars().take_while(|c| c.is_whitespace()).count();
                    let blank = blanks == text.chars().count() && text.ends_with('\n');
                    if !blank {
                        least = Some(least.map_or(blanks, |least| least.min(blanks)));
                        line_starts.push(at);
                    }
                }
                _ => least = Some(0),
            }
        }
        if let Piece::Text { text, .. } = piece {
            at_line_start = text.ends_with('\n');
        }
    }
    let Some(least) = least.filter(|least| *least > 0) else {
        return;
    };
    for at in line_starts {
        if let Piece::Text { text, .. } = &mut pieces[at] {
            *text = text.chars().skip(least).collect();
        }
    }
}
