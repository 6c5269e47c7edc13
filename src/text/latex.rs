//! Text for LaTeX.

/// `text` with LaTeX's own characters escaped; backticks, which mark code, become typewriter.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for c in text.chars() {
        match c {
            '`' => {
                out.push_str(if in_code { "}" } else { "\\texttt{" });
                in_code = !in_code;
            }
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '±' => out.push_str("$\\pm$"),
            '\u{2212}' => out.push_str("$-$"),
            '×' => out.push_str("$\\times$"),
            '–' => out.push_str("--"),
            '<' => out.push_str("$<$"),
            '>' => out.push_str("$>$"),
            c => out.push(c),
        }
    }
    if in_code {
        out.push('}');
    }
    out
}
