//! Cores by number, and how to halve them.

use std::collections::BTreeSet;
use std::fs;

pub(super) type Cores = BTreeSet<usize>;

/// Of these cores a half each, the first with the one that is left over; `None` if there is one alone. Hardware threads of
/// one physical core stay together where there are two such cores or more.
pub(super) fn halves(allowed: &Cores, siblings: impl Fn(usize) -> Cores) -> Option<[Cores; 2]> {
    let mut physical: Vec<Cores> = Vec::new();
    for core in allowed {
        if !physical.iter().any(|one| one.contains(core)) {
            let together = siblings(*core);
            physical.push(together.intersection(allowed).copied().chain([*core]).collect());
        }
    }
    if physical.len() < 2 {
        physical = allowed.iter().map(|core| Cores::from([*core])).collect();
    }
    let second = physical.split_off(physical.len().div_ceil(2));
    let halves = [physical, second].map(|cores| cores.into_iter().flatten().collect::<Cores>());
    (!halves[1].is_empty()).then_some(halves)
}

/// `core 0`, `cores 0-3, 8`.
pub(super) fn named(cores: &Cores) -> String {
    let mut ranges: Vec<[usize; 2]> = Vec::new();
    for core in cores {
        match ranges.last_mut() {
            Some([_, last]) if *last + 1 == *core => *last = *core,
            _ => ranges.push([*core; 2]),
        }
    }
    let range = |[first, last]: &[usize; 2]| if first == last { first.to_string() } else { format!("{first}-{last}") };
    let word = if cores.len() == 1 { "core" } else { "cores" };
    format!("{word} {}", ranges.iter().map(range).collect::<Vec<_>>().join(", "))
}

/// The hardware threads of a physical core; none where the system does not tell.
pub(super) fn siblings(core: usize) -> Cores {
    let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    fs::read_to_string(path).map(|list| listed(&list)).unwrap_or_default()
}

/// `0-1,4`, as the kernel lists cores.
pub(super) fn listed(list: &str) -> Cores {
    let range = |part: &str| -> Option<std::ops::RangeInclusive<usize>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halved(cores: &[usize], siblings: impl Fn(usize) -> Cores) -> Option<[String; 2]> {
        Some(halves(&cores.iter().copied().collect(), siblings)?.map(|half| named(&half)))
    }

    fn alone(core: usize) -> Cores {
        [core].into()
    }

    #[test]
    fn each_has_a_half_and_the_first_the_core_that_is_left_over() {
        assert_eq!(halved(&[0, 1], alone).unwrap(), ["core 0", "core 1"]);
        assert_eq!(halved(&[2, 3, 4, 5, 9], alone).unwrap(), ["cores 2-4", "cores 5, 9"]);
        assert_eq!(halved(&[3], alone), None);
        assert_eq!(halved(&[], alone), None);
    }

    #[test]
    fn hardware_threads_of_one_core_stay_together_where_there_are_two_cores() {
        let neighbours = |core: usize| Cores::from([core & !1, core | 1]);
        assert_eq!(halved(&[0, 1, 2, 3], neighbours).unwrap(), ["cores 0-1", "cores 2-3"]);
        let far_apart = |core: usize| Cores::from([core % 2, core % 2 + 2]);
        assert_eq!(halved(&[0, 1, 2, 3], far_apart).unwrap(), ["cores 0, 2", "cores 1, 3"]);
        assert_eq!(halved(&[0, 1], neighbours).unwrap(), ["core 0", "core 1"]);
        // One that this process must not use is left alone.
        assert_eq!(halved(&[0, 2, 3], neighbours).unwrap(), ["core 0", "cores 2-3"]);
    }

    #[test]
    fn lists_of_the_kernel_are_read() {
        assert_eq!(listed("0-1,4\n"), Cores::from([0, 1, 4]));
        assert_eq!(listed("7"), Cores::from([7]));
        assert_eq!(listed("x"), Cores::new());
    }
}
