//! The condition of a contrast in plain words: data set, net and training length.

use super::conditions::{net_words, program, shared};
use super::summary::Condition;
use crate::data::entry_of;
use crate::recipe::{DataName, Length};
use crate::spec::{Arm, Contrast, Spec, When};

/// The condition of the arms that `contrast` compares.
pub(super) fn condition(spec: &Spec, contrast: &Contrast) -> Condition {
    let arms: Vec<&Arm> = contrast.arms(&spec.arms).map(|(arm, _)| arm).collect();
    if let Some(program) = program(spec, &arms) {
        return Condition {
            net: program,
            ..Condition::default()
        };
    }
    let data = shared(&arms, |net| {
        let name = match net.data.name {
            DataName::Digits => "digits",
            _ => entry_of(&net.data).title,
        };
        match net.data.subset {
            Some(examples) => format!("{name}, {examples} training examples"),
            None => name.to_owned(),
        }
    });
    let length = shared(&arms, |net| length(net.train.length, contrast.when));
    Condition {
        data: data.unwrap_or_else(|| "several data sets".to_owned()),
        net: net_words(&arms).unwrap_or_else(|| "nets of several sizes".to_owned()),
        length: length.unwrap_or_else(|| "several lengths".to_owned()),
    }
}

fn length(whole: Length, when: When) -> String {
    let (count, unit) = match when {
        When::Epoch(n) => (n, "epoch"),
        When::Step(n) => (n, "step"),
        When::Last | When::EqualAccuracy | When::EqualNll => (whole.count(), whole.unit()),
    };
    crate::text::counted(count, unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture;

    #[test]
    fn condition_is_that_of_the_compared_arms() {
        let mut spec = fixture::spec(3, 1, 4);
        spec.arms[2].net_mut().unwrap().data.name = DataName::Digits;
        let words = |spec: &Spec| {
            let found = condition(spec, &spec.contrasts[0]);
            [found.data, found.net, found.length]
        };
        assert_eq!(words(&spec), ["MNIST", "dense net 32", "4 epochs"]);
        spec.contrasts[0].when = When::Epoch(1);
        for arm in &mut spec.arms {
            arm.net_mut().unwrap().data.subset = Some(100);
        }
        assert_eq!(
            words(&spec),
            ["MNIST, 100 training examples", "dense net 32", "1 epoch"]
        );
        spec.arms[1].net_mut().unwrap().data.name = DataName::Digits;
        assert_eq!(words(&spec)[0], "several data sets");
    }
}
