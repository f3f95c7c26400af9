//! [`Rules`]: what passwords are made of, and a password that keeps them.
//!
//! They are made here and not by Secrets Manager's `GetRandomPassword`: it would be one more permission and one more call
//! that can fail, and the value would come over the wire. The kinds of characters are those of that operation, so that
//! rules mean the same. Every password that keeps the rules is as likely as any other.

use lockstep_config::settings::PasswordRules;
use lockstep_core::{Env, Error, ErrorKind, Random, Result, SecretValue};
use zeroize::Zeroizing;

const LOWERCASE: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMBERS: &[u8] = b"0123456789";
const PUNCTUATION: &[u8] = br##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##;
/// Of AWS's own rotation functions: what breaks addresses, shells and quotes.
const EXCLUDED: &str = "/@\"'\\";
/// As long as `GetRandomPassword` makes them.
const LENGTH: usize = 32;
/// The longest that `GetRandomPassword` makes.
const MAX_LENGTH: usize = 4096;
/// Passwords that are thrown away for a kind that they lack. The hardest rules that there are (four characters, one of
/// each kind, one kind of one character) let one of a hundred through.
const TRIES: usize = 100_000;
/// Random bytes that are asked for at once.
const DRAW: usize = 256;

/// What passwords are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    length: usize,
    /// Every character there may be.
    alphabet: Vec<u8>,
    /// Kinds of which at least one has to be there.
    kinds: Vec<Vec<u8>>,
}

impl Rules {
    /// What is written; else what the variables say that AWS's own rotation functions read; else their defaults.
    ///
    /// # Errors
    /// `Config` when a variable can't be read, or when no password could keep the rules.
    pub(crate) fn new(written: &PasswordRules, env: &dyn Env) -> Result<Self> {
        let wrong = |message: String| Error::new(ErrorKind::Config, message);
        let flag = |written: Option<bool>, variable: &str, default: bool| match (written, env.var(variable)) {
            (Some(written), _) => Ok(written),
            (None, None) => Ok(default),
            (None, Some(text)) => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(wrong(format!("the variable {variable} is neither `true` nor `false`"))),
            },
        };
        let length = match (written.length, env.var("PASSWORD_LENGTH")) {
            (Some(length), _) => length as usize,
            (None, None) => LENGTH,
            (None, Some(text)) => {
                let length = text.parse().ok().filter(|length| (1..=MAX_LENGTH).contains(length));
                length
                    .ok_or_else(|| wrong(format!("the variable PASSWORD_LENGTH is no number from 1 to {MAX_LENGTH}")))?
            }
        };
        let from_env = || env.var("EXCLUDE_CHARACTERS").unwrap_or_else(|| EXCLUDED.to_owned());
        let excluded = written.exclude_characters.clone().unwrap_or_else(from_env);
        let without = |all: &[u8]| all.iter().copied().filter(|byte| !excluded.as_bytes().contains(byte)).collect();
        let kinds: Vec<Vec<u8>> = [
            (LOWERCASE, flag(written.exclude_lowercase, "EXCLUDE_LOWERCASE", false)?),
            (UPPERCASE, flag(written.exclude_uppercase, "EXCLUDE_UPPERCASE", false)?),
            (NUMBERS, flag(written.exclude_numbers, "EXCLUDE_NUMBERS", false)?),
            (PUNCTUATION, flag(written.exclude_punctuation, "EXCLUDE_PUNCTUATION", false)?),
        ]
        .into_iter()
        .filter(|(_, excluded)| !excluded)
        .map(|(all, _)| without(all))
        .collect();
        let alphabet: Vec<u8> = kinds.concat();
        if alphabet.is_empty() {
            return Err(wrong("no character is left for passwords; exclude fewer of them".to_owned()));
        }
        let required = flag(written.require_each_included_type, "REQUIRE_EACH_INCLUDED_TYPE", true)?;
        let kinds = if required { kinds } else { Vec::new() };
        if kinds.iter().any(Vec::is_empty) {
            let message = "every character of one kind is excluded, and one of each kind is required: exclude the kind \
                           itself, such as `exclude_punctuation = true`";
            return Err(wrong(message.to_owned()));
        }
        if length < kinds.len() {
            let message = format!("{length} characters can't be of {} kinds; write a longer `length`", kinds.len());
            return Err(wrong(message));
        }
        Ok(Self { length, alphabet, kinds })
    }

    /// A new password.
    ///
    /// # Errors
    /// `Internal` when the random numbers are none.
    pub(crate) fn password(&self, random: &dyn Random) -> Result<SecretValue> {
        let mut source = Source { random, bytes: Zeroizing::new([0; DRAW]), used: DRAW };
        for _ in 0..TRIES {
            let mut password = Zeroizing::new(Vec::with_capacity(self.length));
            while password.len() < self.length {
                password.extend(source.one_of(&self.alphabet));
            }
            // Thrown away as a whole: what is put in afterwards would be more likely than the rest.
            if self.kinds.iter().all(|kind| password.iter().any(|byte| kind.contains(byte))) {
                return Ok(SecretValue::from(std::mem::take(&mut *password)));
            }
        }
        Err(Error::new(ErrorKind::Internal, "the random numbers of this machine are none"))
    }
}

/// Random bytes, wiped when they were used.
struct Source<'a> {
    random: &'a dyn Random,
    bytes: Zeroizing<[u8; DRAW]>,
    used: usize,
}

impl Source<'_> {
    /// One of these, each as likely as any other; `None` for a byte that would make some of them more likely.
    fn one_of(&mut self, of: &[u8]) -> Option<u8> {
        if self.used == DRAW {
            self.random.fill(&mut *self.bytes);
            self.used = 0;
        }
        let byte = usize::from(self.bytes[self.used]);
        self.used += 1;
        // The largest multiple of the alphabet's size that a byte can count to.
        let fair = 256 / of.len() * of.len();
        (byte < fair).then(|| of[byte % of.len()])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lockstep_testkit::{TestEnv, TestRandom};
    use proptest::prelude::*;

    use super::*;

    fn rules(written: &PasswordRules) -> Result<Rules> {
        Rules::new(written, &*TestEnv::of(&[]))
    }

    proptest! {
        /// Break: leave a kind out of `kinds`, or `without`, or the test in `password`.
        #[test]
        fn every_password_keeps_the_rules(
            length in 4_u32..200, exclude in "[ -~]{0,20}", flags in any::<[bool; 5]>(), seed in any::<u64>(),
        ) {
            let [lower, upper, numbers, punctuation, each] = flags;
            let written = PasswordRules {
                length: Some(length),
                exclude_characters: Some(exclude.clone()),
                exclude_lowercase: Some(lower),
                exclude_uppercase: Some(upper),
                exclude_numbers: Some(numbers),
                exclude_punctuation: Some(punctuation),
                require_each_included_type: Some(each),
            };
            let Ok(rules) = rules(&written) else {
                // Rules that nothing could keep: no kind is left, or one that is required has no character.
                let all = [(LOWERCASE, lower), (UPPERCASE, upper), (NUMBERS, numbers), (PUNCTUATION, punctuation)];
                let mut kept = all.iter().filter(|(_, excluded)| !excluded).map(|(kind, _)| kind);
                let gone = |kind: &&&[u8]| kind.iter().all(|byte| exclude.as_bytes().contains(byte));
                prop_assert!(kept.clone().count() == 0 || kept.any(|kind| gone(&kind)));
                return Ok(());
            };
            let password = rules.password(&*TestRandom::seeded(seed)).unwrap();
            let text = password.expose_text().unwrap();
            prop_assert_eq!(text.len(), length as usize);
            for (kind, excluded) in [(LOWERCASE, lower), (UPPERCASE, upper), (NUMBERS, numbers), (PUNCTUATION, punctuation)] {
                let there = text.bytes().any(|byte| kind.contains(&byte));
                prop_assert!(!excluded || !there);
                prop_assert!(excluded || !each || there);
            }
            prop_assert!(text.chars().all(|c| c.is_ascii_graphic() && !exclude.contains(c)));
        }
    }

    /// Break: `byte % of.len()` without the bound, or a bound that is too high by one alphabet.
    #[test]
    fn every_character_is_as_likely_as_any_other_whatever_the_byte() {
        // Every byte once: each character comes equally often, and the rest is thrown away.
        struct Counting;
        impl Random for Counting {
            fn fill(&self, bytes: &mut [u8]) {
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::try_from(at).unwrap();
                }
            }
        }
        for size in 1..=94 {
            let alphabet: Vec<u8> = (b'!'..=b'~').take(size).collect();
            let mut source = Source { random: &Counting, bytes: Zeroizing::new([0; DRAW]), used: DRAW };
            let mut counts = BTreeMap::new();
            for _ in 0..DRAW {
                if let Some(byte) = source.one_of(&alphabet) {
                    *counts.entry(byte).or_insert(0_usize) += 1;
                }
            }
            assert_eq!(counts.len(), size);
            assert!(counts.values().all(|count| *count == 256 / size), "{size}: {counts:?}");
        }
    }

    /// What users of AWS's functions have set goes on to count. Break: the name of a variable, the order of `flag`, or a
    /// default.
    #[test]
    fn variables_of_awss_own_functions_count_where_nothing_is_written() {
        let default = rules(&PasswordRules::default()).unwrap();
        assert_eq!((default.length, default.alphabet.len(), default.kinds.len()), (32, 94 - 5, 4));
        let env = TestEnv::of(&[
            ("PASSWORD_LENGTH", "12"),
            ("EXCLUDE_CHARACTERS", "abc"),
            ("EXCLUDE_NUMBERS", "true"),
            ("EXCLUDE_PUNCTUATION", "True"),
            ("EXCLUDE_UPPERCASE", "false"),
            ("REQUIRE_EACH_INCLUDED_TYPE", "false"),
        ]);
        let from_env = Rules::new(&PasswordRules::default(), &*env).unwrap();
        assert_eq!((from_env.length, from_env.alphabet.len(), from_env.kinds.len()), (12, 26 - 3 + 26, 0));
        let written = PasswordRules {
            length: Some(20),
            exclude_characters: Some(String::new()),
            exclude_numbers: Some(false),
            exclude_lowercase: Some(true),
            require_each_included_type: Some(true),
            ..PasswordRules::default()
        };
        let written = Rules::new(&written, &*env).unwrap();
        assert_eq!((written.length, written.alphabet.len(), written.kinds.len()), (20, 26 + 10, 2));
        for (variable, text) in [("PASSWORD_LENGTH", "0"), ("PASSWORD_LENGTH", "x"), ("EXCLUDE_NUMBERS", "yes")] {
            let refused = Rules::new(&PasswordRules::default(), &*TestEnv::of(&[(variable, text)])).unwrap_err();
            assert!(refused.kind() == ErrorKind::Config && refused.message().contains(variable), "{refused}");
        }
    }

    /// Break: any refusal of `Rules::new`.
    #[test]
    fn rules_that_nothing_could_keep_are_refused_at_the_start() {
        let short = PasswordRules { length: Some(3), ..PasswordRules::default() };
        let no_digit = PasswordRules { exclude_characters: Some("0123456789".to_owned()), ..PasswordRules::default() };
        let nothing = PasswordRules {
            exclude_lowercase: Some(true),
            exclude_uppercase: Some(true),
            exclude_numbers: Some(true),
            exclude_punctuation: Some(true),
            ..PasswordRules::default()
        };
        for (written, expected) in
            [(short, "can't be of 4 kinds"), (no_digit, "exclude the kind"), (nothing, "no character is left")]
        {
            let refused = rules(&written).unwrap_err();
            assert!(refused.kind() == ErrorKind::Config && refused.message().contains(expected), "{refused}");
        }
    }
}
