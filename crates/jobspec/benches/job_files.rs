//! Job files from text to a stored job, and the difference of two.
//!
//! Targets: a file of 500 lines read, evaluated, canonicalized and validated in 2 ms; the difference of two such jobs
//! in 1 ms; 2,000 groups in 200 ms, and twice as many in twice the time.

use caravan_jobspec::{Inputs, NoCluster, Source, admit, format_source, parse};
use caravan_model::Job;
use criterion::{Criterion, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::hint::black_box;

/// A job of so many groups, about 45 lines each, that uses what real ones use.
fn file(groups: usize, image: &str) -> Source {
    let mut out = String::from(
        "variable \"image\" {\n  type    = string\n  default = \"redis:3.2\"\n}\n\nlocals {\n  ports = { http = 8080, admin = \
         9090 }\n  tags  = [for name, port in local.ports : \"${name}-${port}\"]\n}\n\njob \"bench\" {\n  datacenters = \
         [\"dc1\", \"dc2\"]\n  type        = \"service\"\n",
    );
    for n in 0..groups {
        let _ = write!(
            out,
            r#"
  group "g{n}" {{
    count = 3
    network {{
      mode = "bridge"
      port "http" {{
        to = local.ports.http
      }}
    }}
    service {{
      name     = "web-{n}"
      port     = "http"
      provider = "nomad"
      tags     = concat(local.tags, ["v${{1 + {n}}}"])
      check {{
        type     = "http"
        path     = "/health"
        interval = "10s"
        timeout  = "2s"
      }}
    }}
    task "t" {{
      driver = "docker"
      config {{
        image = "{image}"
        args  = ["-port", "${{NOMAD_PORT_http}}", upper("x")]
        mount {{
          type   = "bind"
          target = "/data"
        }}
      }}
      env {{
        ALLOC = "${{NOMAD_ALLOC_ID}}"
        HOST  = "${{attr.unique.hostname}}"
      }}
      template {{
        destination = "local/config"
        data        = <<-EOT
          {{{{ range service "web" }}}}
          image = ${{var.image}}
          {{{{ end }}}}
          EOT
      }}
      resources {{
        cpu    = 500
        memory = 256
      }}
    }}
  }}
"#
        );
    }
    out.push_str("}\n");
    Source::new("bench.nomad.hcl", out)
}

fn admitted(source: &Source) -> Job {
    let parsed = parse(source, &Inputs::default()).expect("a good file");
    let admission = admit(parsed.job, &NoCluster);
    assert_eq!(admission.errors, Vec::<String>::new());
    admission.job
}

fn job_files(criterion: &mut Criterion) {
    let small = file(10, "redis:3.2");
    let lines = small.bytes.iter().filter(|byte| **byte == b'\n').count();
    assert!((450..=550).contains(&lines), "{lines} lines");
    criterion.bench_function("500 lines: parse to stored", |bench| {
        bench.iter(|| admitted(black_box(&small)));
    });
    criterion.bench_function("500 lines: fmt", |bench| {
        bench.iter(|| format_source(black_box(&small)));
    });
    let (old, new) = (admitted(&small), admitted(&file(10, "redis:4.0")));
    criterion.bench_function("500 lines: diff", |bench| {
        bench.iter(|| caravan_diff::job_diff(Some(black_box(&old)), Some(black_box(&new)), true));
    });
    let mut large = criterion.benchmark_group("groups");
    large.sample_size(10);
    for groups in [1000, 2000, 4000] {
        let source = file(groups, "redis:3.2");
        large.bench_function(groups.to_string(), |bench| bench.iter(|| admitted(&source)));
    }
    large.finish();
}

criterion_group!(benches, job_files);
criterion_main!(benches);
