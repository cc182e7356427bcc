//! What `facetui bench` prints.

use std::fmt::Write as _;

use crate::train::check::bench::Measured;

/// A measurement as lines.
pub fn text(measured: &Measured) -> String {
    let machine = &measured.machine;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<14} {value}");
    };
    line(
        "machine",
        &format!("{}, {} threads, {}, {}", machine.processor, machine.threads, machine.device, machine.system),
    );
    line("versions", &format!("facetui {}, libtorch {}", machine.facetui, machine.libtorch));
    line(
        "measured",
        &format!(
            "{} with {} and {}, {} classes, batch {}, {}",
            measured.model, measured.loss, measured.optimizer, measured.classes, measured.batch, measured.precision
        ),
    );
    line("start", &format!("{:.2} s until a step can be taken", measured.start_seconds));
    if let Some(step) = &measured.step {
        line(
            "step",
            &format!(
                "{:.1} images/s, {:.1} ms per step (median of {}, synthetic images)",
                step.images_per_second, step.milliseconds, step.steps
            ),
        );
    }
    if let Some(files) = &measured.files {
        let share = measured.step.map_or_else(String::new, |step| {
            format!(", {:.1} % of the synthetic rate", 100.0 * files.images_per_second / step.images_per_second)
        });
        line(
            "from files",
            &format!(
                "{:.1} images/s over {} steps, {:.1} % of the time waiting for images{share}",
                files.images_per_second,
                files.steps,
                100.0 * files.waited
            ),
        );
    }
    if let Some(evaluation) = &measured.evaluation {
        line("evaluation", &format!("{:.1} images/s, each with its mirror image", evaluation.images_per_second));
    }
    if measured.peak_memory > 0 {
        line("peak memory", &format!("{} MiB", measured.peak_memory >> 20));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::check::bench::{FromFiles, Machine, Rate};

    #[test]
    fn every_figure_has_its_line() {
        let measured = Measured {
            machine: Machine {
                processor: "A processor".to_owned(),
                threads: 2,
                device: "cpu".to_owned(),
                system: "Linux 6.1".to_owned(),
                facetui: "0.1.0".to_owned(),
                libtorch: "2.11.0".to_owned(),
            },
            model: "mobilefacenet".to_owned(),
            batch: 64,
            classes: 1000,
            precision: "fp32".to_owned(),
            loss: "arcface".to_owned(),
            optimizer: "sgd".to_owned(),
            start_seconds: 0.25,
            step: Some(Rate { images_per_second: 80.0, milliseconds: 800.0, steps: 5 }),
            files: Some(FromFiles { images_per_second: 79.0, waited: 0.001, steps: 5 }),
            evaluation: Some(Rate { images_per_second: 200.0, milliseconds: 320.0, steps: 9 }),
            peak_memory: 3 << 29,
        };
        insta::assert_snapshot!(text(&measured), @r"
        machine        A processor, 2 threads, cpu, Linux 6.1
        versions       facetui 0.1.0, libtorch 2.11.0
        measured       mobilefacenet with arcface and sgd, 1000 classes, batch 64, fp32
        start          0.25 s until a step can be taken
        step           80.0 images/s, 800.0 ms per step (median of 5, synthetic images)
        from files     79.0 images/s over 5 steps, 0.1 % of the time waiting for images, 98.8 % of the synthetic rate
        evaluation     200.0 images/s, each with its mirror image
        peak memory    1536 MiB
        ");
    }
}
