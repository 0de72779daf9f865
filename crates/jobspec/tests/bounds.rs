//! What is deep or large and still allowed, in time.

use caravan_jobspec::{Inputs, NoCluster, Source, admit, canonicalize, parse};
use std::time::{Duration, Instant};

/// Generous: the point is that nothing takes seconds.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 4 } else { 1 });

fn in_meta(value: &str) -> String {
    format!("job \"j\" {{\n  meta {{\n    a = {value}\n  }}\n}}\n")
}

#[test]
fn the_deepest_that_is_allowed_is_evaluated() {
    for value in [
        format!("1{}", " + 1".repeat(240)),
        format!("{}1{}", "(".repeat(140), ")".repeat(140)),
        format!("jsonencode({}1{})", "[".repeat(120), "]".repeat(120)),
        format!("{}1{}", "abs(".repeat(120), ")".repeat(120)),
        format!("{}1", "true ? ".repeat(0) + &"false ? 0 : ".repeat(120)),
        format!("\"{}\"", "${\"".repeat(60) + "x" + &"\"}".repeat(60)),
    ] {
        let source = Source::new("deep.hcl", in_meta(&value));
        if let Err(why) = parse(&source, &Inputs::default()) {
            panic!("{}: {why}", &value[..40]);
        }
    }
}

#[test]
fn large_jobs_take_time_in_proportion() {
    let groups = |count: usize| -> String {
        let group = |n: usize| {
            format!(
                "  group \"g{n}\" {{\n    count = 2\n    task \"t\" {{\n      driver = \"raw_exec\"\n      config {{\n        \
                 command = \"x\"\n      }}\n      env {{\n        A = \"${{NOMAD_ALLOC_ID}}\"\n      }}\n    }}\n  }}\n"
            )
        };
        format!(
            "job \"j\" {{\n{}}}\n",
            (0..count).map(group).collect::<String>()
        )
    };
    let source = Source::new("wide.hcl", groups(2000));
    let start = Instant::now();
    let mut job = parse(&source, &Inputs::default()).unwrap().job;
    canonicalize(&mut job);
    let admission = admit(job, &NoCluster);
    assert_eq!(admission.errors, Vec::<String>::new());
    assert_eq!(admission.job.task_groups.len(), 2000);
    let took = start.elapsed();
    assert!(took < LONGEST, "2,000 groups took {took:?}");
}
