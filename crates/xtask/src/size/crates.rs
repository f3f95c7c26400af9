//! Whose code is in a program: the linker's map, summed up by crate. A rough answer, since what is inlined counts for
//! whom it is inlined into.

use std::collections::HashMap;

/// The crates and their bytes of code, the largest first. `C` is what Rust did not compile.
pub(super) fn by_size(map: &str) -> Vec<(&str, u64)> {
    let mut sums: HashMap<&str, u64> = HashMap::new();
    for line in map.lines() {
        // VMA, LMA, size (all in hex), alignment, `file:(section)`.
        let mut words = line.split_whitespace();
        let Some(size) = words.nth(2).and_then(|size| u64::from_str_radix(size, 16).ok()) else { continue };
        let Some(section) = words.nth(1).and_then(|input| input.split_once(":(.text")) else { continue };
        *sums.entry(owner(section.1)).or_default() += size;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    sums
}

/// The crate of a section's mangled name, of either mangling: its first path, which is that of the type in an `impl`.
fn owner(section: &str) -> &str {
    if let Some((_, name)) = section.split_once("_ZN") {
        return legacy(name);
    }
    // `Cs`, a hash, `_`, the length, the name: the first crate root of a v0 name.
    let root =
        section.split_once("_R").and_then(|(_, name)| name.split_once("Cs")).and_then(|(_, root)| root.split_once('_'));
    root.map_or("C", |(_, name)| counted(name))
}

/// `4name…`.
fn counted(name: &str) -> &str {
    let digits = name.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(name.len());
    let (length, rest) = name.split_at(digits);
    length.parse().ok().and_then(|length| rest.get(..length)).unwrap_or("C")
}

/// A length and a name; or a type in angle brackets, whose parts `..` divides.
fn legacy(name: &str) -> &str {
    let first = counted(name);
    let mut rest = first;
    // `_$LT$`, `$RF$mut$u20$`, `dyn$u20$`: what stands before a path.
    while let Some((_, after)) = rest.split_once('$').filter(|(before, _)| matches!(*before, "" | "_" | "mut" | "dyn"))
    {
        rest = after.split_once('$').map_or(after, |(_, after)| after);
    }
    let path = rest.split(['$', '.']).next().unwrap_or(rest);
    // `$LT$T$u20$as$u20$…`: the type is a parameter, and the trait says whose code it is.
    match first.split_once("$u20$as$u20$") {
        Some((_, of)) if path.len() <= 1 => of.split(['$', '.']).next().unwrap_or(of),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_its_crates() {
        for (section, name) in [
            ("._ZN10serde_json2de21Deserializer4next17h0E)", "serde_json"),
            ("._ZN64_$LT$lockstep_core..error..Error$u20$as$u20$core..fmt..Debug$GT$3fmt17h0E)", "lockstep_core"),
            ("._ZN67_$LT$$RF$mut$u20$http..uri..Uri$u20$as$u20$core..fmt..Debug$GT$3fmt17hE)", "http"),
            ("._ZN46_$LT$T$u20$as$u20$serde_core..de..Expected$GT$3fmt17h0E)", "serde_core"),
            (".unlikely._RINvNtNtCsaz6eC2DG7l_3std3sys9backtrace)", "std"),
            ("._RNvXsZ_NtCs2Nb3gJ4iU0I_5alloc6string)", "alloc"),
            (".memcpy)", "C"),
            (")", "C"),
        ] {
            assert_eq!(owner(section), name, "{section}");
        }
    }

    #[test]
    fn sections_of_code_are_summed_and_the_largest_comes_first() {
        let map = "             VMA              LMA     Size Align Out     In      Symbol\n\
                   \x20 100 100 10 1 a.o:(.text._ZN5bytes3newE)\n\
                   \x20 110 110 0a 1 a.o:(.text._ZN4http3newE)\n\
                   \x20 110 110 0a 1                 http::new\n\
                   \x20 120 120 ff 1 a.o:(.rodata.x)\n\
                   \x20 130 130 08 16 a.o:(.text._ZN4http3oldE)\n";
        assert_eq!(by_size(map), [("http", 18), ("bytes", 16)]);
    }
}
