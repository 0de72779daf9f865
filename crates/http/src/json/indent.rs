//! Compact JSON, indented by four spaces.

/// Indents JSON that is known to be well-formed and compact; ends with a newline.
pub fn indent(compact: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(compact.len() * 2);
    let mut depth = 0;
    let mut in_string = false;
    let mut at = 0;
    while at < compact.len() {
        let byte = compact[at];
        at += 1;
        if in_string {
            out.push(byte);
            match byte {
                b'\\' if at < compact.len() => {
                    out.push(compact[at]);
                    at += 1;
                }
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => {
                in_string = true;
                out.push(byte);
            }
            b'{' | b'[' => {
                out.push(byte);
                if matches!(compact.get(at), Some(b'}' | b']')) {
                    out.push(compact[at]);
                    at += 1;
                } else {
                    depth += 1;
                    newline(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth -= 1;
                newline(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                newline(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            byte => out.push(byte),
        }
    }
    out.push(b'\n');
    out
}

fn newline(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + depth * 4, b' ');
}
