//! `${VAR}`, `${VAR:-default}`, `$$` and `~` in the texts of a schedule.

use std::ops::Range;

/// What is wrong with a reference to a variable, and where in the text it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExpandError {
    pub message: String,
    pub label: String,
    pub help: String,
    pub at: Range<usize>,
}

/// Defaults within defaults, at most.
const MAX_DEPTH: usize = 8;

/// `text` with its variables replaced by what `env` says. As in the shell, an empty variable counts as unset where a
/// default is given.
pub(super) fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    expand_from(text, 0, env, MAX_DEPTH)
}

/// As [`expand`]; `offset` is where `text` begins in the whole text, for the places of errors.
fn expand_from(
    text: &str,
    offset: usize,
    env: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<String, ExpandError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let at = offset + text.len() - rest.len() + dollar;
        let after = &rest[dollar + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some(inner) = after.strip_prefix('{') {
            let Some(length) = closing(inner) else {
                return Err(ExpandError {
                    message: format!("`{}` is not closed", &rest[dollar..]),
                    label: "there is no `}` to this `${`".to_owned(),
                    help: "write ${NAME} or ${NAME:-default}; a dollar sign itself is written $$".to_owned(),
                    at: at..at + 2,
                });
            };
            let whole = at..at + length + 3;
            out.push_str(&variable(&inner[..length], &whole, env, depth)?);
            rest = &inner[length + 1..];
        } else if after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            let name: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            return Err(ExpandError {
                message: format!("`${name}` is not how a schedule names a variable"),
                label: format!("write `${{{name}}}`"),
                help: format!("a dollar sign itself is written $$: `$${name}`"),
                at: at..at + 1 + name.len(),
            });
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the brace closes that was opened before `inner`.
fn closing(inner: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut before = '\0';
    for (at, c) in inner.char_indices() {
        match c {
            '{' if before == '$' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        before = c;
    }
    None
}

/// The value of what stood between the braces; `whole` is the place of the reference with its braces.
fn variable(
    inner: &str,
    whole: &Range<usize>,
    env: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<String, ExpandError> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let fail = |message: String, label: String, help: String| ExpandError { message, label, help, at: whole.clone() };
    let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !well_formed {
        return Err(fail(
            format!("`{name}` cannot be the name of a variable"),
            "expected ${NAME} or ${NAME:-default}".to_owned(),
            "names are letters, digits and _; a dollar sign itself is written $$".to_owned(),
        ));
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(_)) if depth == 0 => Err(fail(
            format!("the default of `{name}` is nested too deeply"),
            format!("at most {MAX_DEPTH} defaults within each other"),
            format!("set {name} in the environment"),
        )),
        (_, Some(default)) => {
            let default_at = whole.start + 2 + name.len() + 2;
            expand_from(default, default_at, env, depth - 1)
        }
        (None, None) => Err(fail(
            format!("the environment variable `{name}` is not set"),
            "needed here, and no default is given".to_owned(),
            format!("set it (`export {name}=...`), or write a default: ${{{name}:-value}}"),
        )),
    }
}

/// A path with `~` at its start replaced by the home folder; none when that is needed and unknown.
pub(super) fn home(path: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            env("HOME").filter(|home| !home.is_empty()).map(|home| format!("{home}{rest}"))
        }
        _ => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "A" => Some("one".to_owned()),
            "EMPTY" => Some(String::new()),
            "HOME" => Some("/home/me".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_defaults_and_escapes() {
        for (text, expected) in [
            ("plain", "plain"),
            ("${A}/x", "one/x"),
            ("${B:-two}/x", "two/x"),
            ("${A:-two}", "one"),
            ("${EMPTY:-two}", "two"),
            ("${EMPTY}", ""),
            ("${B:-${A}/${C:-three}}/x", "one/three/x"),
            ("${B:-}", ""),
            ("$$ $${A} 5$", "$ ${A} 5$"),
        ] {
            assert_eq!(expand(text, &env).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_point_at_the_reference() {
        for (text, at) in
            [("x/${B}/y", 2..6), ("x${", 1..3), ("${C:-${B}}", 5..9), ("${A B}", 0..6), ("a$HOME/x", 1..6)]
        {
            assert_eq!(expand(text, &env).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn home_is_expanded_at_the_start_only() {
        assert_eq!(home("~/faces", &env).as_deref(), Some("/home/me/faces"));
        assert_eq!(home("~", &env).as_deref(), Some("/home/me"));
        assert_eq!(home("~other/x", &env).as_deref(), Some("~other/x"));
        assert_eq!(home("a/~", &env).as_deref(), Some("a/~"));
        assert_eq!(home("~/x", &|_| None), None);
    }
}
