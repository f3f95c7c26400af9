//! Providers around another one: whom they name is there, and none is made around itself.

use super::{load, problems};

const MOCK: &str = "[providers.aws]\ntype = \"mock\"\n";

fn dry(alias: &str, of: &str) -> String {
    format!("[providers.{alias}]\ntype = \"dry-run\"\nof = \"{of}\"\n")
}

/// Break: leave `checks.around` out, or look at the first step alone.
#[test]
fn the_provider_inside_is_another_one_that_is_there() {
    for (text, expected) in [
        (
            format!("{MOCK}{}", dry("x", "awz")),
            "lockstep.toml:5:6: `providers.x.of`: there is no provider `awz`; did you mean `aws`?".to_owned(),
        ),
        (
            format!("{MOCK}{}", dry("x", "x")),
            "lockstep.toml:5:6: `providers.x.of`: `x` can't be made around itself; write one of `aws`".to_owned(),
        ),
        (
            format!("{}{}{}", dry("x", "y"), dry("y", "z"), dry("z", "y")),
            "lockstep.toml:6:6: `providers.y.of`: `y` would be made around itself, by way of `z`; name a provider of \
             another type\n\
             lockstep.toml:9:6: `providers.z.of`: `z` would be made around itself, by way of `y`; name a provider of \
             another type"
                .to_owned(),
        ),
        (
            format!("{MOCK}[providers.x]\ntype = \"record\"\nof = \"aws\"\nfile = \"\"\nkey = {{ env = \"K\" }}\n"),
            "lockstep.toml:6:8: `providers.x.file`: the path is empty; write for example `trace.lockstep`".to_owned(),
        ),
    ] {
        assert_eq!(problems(&text, &[]), expected, "{text}");
    }
    assert!(load(&format!("{MOCK}{}{}", dry("x", "aws"), dry("y", "x")), &[]).is_ok(), "one around one is no circle");
}
