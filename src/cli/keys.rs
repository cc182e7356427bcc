//! `facetui keys`: the actions of the front end with their keys, for `config.toml`.

use super::output::say;

/// Prints the actions of the front end with their keys, for the settings.
pub(super) fn keys() {
    let actions = crate::tui::actions();
    let wide = |of: fn(&(String, String, &str)) -> usize| actions.iter().map(of).max().unwrap_or(0);
    let (names, keys) = (wide(|action| action.0.chars().count()), wide(|action| action.1.chars().count()));
    let line = |(name, key, help): &(String, String, &str)| format!("{name:names$}  {key:keys$}  {help}\n");
    say(&actions.iter().map(line).collect::<String>());
}
