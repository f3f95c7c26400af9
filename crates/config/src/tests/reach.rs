//! Name templates and what a provider may be asked for, as they are written.

use super::{load, problems};

const MOCK: &str = "[providers.m]\ntype = \"mock\"\n";

/// R4. Break: parse no `Segment` in `Word`, or check no template in `Checks::provider`.
#[test]
fn r4_a_template_a_variable_and_a_bound_say_what_to_write_where_they_are_wrong() {
    for (text, expected) in [
        (
            "[context]\nenvironment = \"*\"".to_owned(),
            "lockstep.toml:2:15: `context.environment`: this fills one segment of a name; write it without `/` and \
             without any of `* + , { } % : ?`",
        ),
        (
            "[context]\nenvironment = \"a/../b\"".to_owned(),
            "lockstep.toml:2:15: `context.environment`: the name has a `.` or `..` segment; write the whole path of \
             the secret instead",
        ),
        (
            format!("{MOCK}name_template = \"{{environment}}/{{key}}\""),
            "lockstep.toml:3:17: `providers.m.name_template`: the template has `{environment}`, which is not set; set \
             `context.environment`",
        ),
        (
            format!("{MOCK}name_template = \"{{stage}}/{{key}}\""),
            "lockstep.toml:3:17: `providers.m.name_template`: the template has a variable that is unknown; there are \
             `{organization}`, `{parent_stack}`, `{client_stack}`, `{environment}` and `{key}`",
        ),
        (
            format!("{MOCK}name_template = \"app\""),
            "lockstep.toml:3:17: `providers.m.name_template`: the template has no `{key}`; write it where the name \
             asked for belongs",
        ),
        (
            format!("{MOCK}only = {{ tags = [\"=x\"] }}"),
            "lockstep.toml:3:18: `providers.m.only.tags.0`: a tag is `name` or `name=value`; write for example \
             `team=payments`",
        ),
        (
            format!("{MOCK}only = {{ name = [\"a\"] }}"),
            "lockstep.toml:3:10: `providers.m.only.name`: there is no such key; did you mean `names`?",
        ),
    ] {
        assert_eq!(problems(&text, &[]), expected, "{text}");
    }
}

#[test]
fn what_is_written_of_context_and_bounds_is_shown_and_means_the_same() {
    let text = format!(
        "[context]\norganization = \"acme\"\n{MOCK}name_template = \"{{organization}}/{{key}}\"\n\
         only = {{ names = [\"acme/**\"], tags = [\"team=payments\", \"live\"] }}\n"
    );
    let config = load(&text, &[]).unwrap();
    let shown = config.to_toml();
    assert_eq!(load(&shown, &[]).unwrap().settings(), config.settings(), "{shown}");
    assert!(shown.contains("team=payments") && shown.contains("{organization}/{key}"), "{shown}");
}
