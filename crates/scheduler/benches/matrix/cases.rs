//! The 120 cases, each with its answer checked.

use crate::best_ms;
use crate::cluster::{eval, job, node, process, register, with_nodes};
use caravan_model::*;
use caravan_state::State;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

/// Measures every case, and writes a table to a file or to the screen.
pub(crate) fn run(tsv: Option<&str>) -> std::io::Result<()> {
    let mut out: Box<dyn Write> = match tsv {
        Some(path) => Box::new(std::fs::File::create(path)?),
        None => Box::new(std::io::stdout()),
    };
    writeln!(out, "nodes\tracks\tallocations\tno_spread_ms\tspread_ms")?;
    for nodes in [500, 1000, 5000, 10_000] {
        for racks in [25, 50, 75] {
            let cluster = with_nodes((0..nodes).map(|number| node(number, racks)));
            for count in [50, 300, 600, 900, 1200] {
                let ms = [false, true].map(|spread| {
                    let mut state = cluster.clone();
                    register(&mut state, job(racks, count as i64, spread));
                    let eval = eval(&state, "bench", 1);
                    check(&state, &eval, (nodes, racks, count, spread));
                    best_ms(|| process(&state, &eval, 1))
                });
                writeln!(out, "{nodes}\t{racks}\t{count}\t{:.3}\t{:.3}", ms[0], ms[1])?;
                out.flush()?;
            }
        }
    }
    Ok(())
}

/// The answer that any right scheduler gives: how many are placed, two on a node at most, only on racks that the
/// constraint allows, and with spread as evenly as can be. And the same answer twice.
fn check(
    state: &State,
    eval: &Arc<Evaluation>,
    (nodes, racks, count, spread): (usize, usize, usize, bool),
) {
    let plans = process(state, eval, 1);
    let again = process(state, eval, 1);
    assert_eq!(plans, again, "the same arguments give the same plan");
    assert_eq!(plans.len(), 1);
    let eligible = (0..nodes)
        .filter(|number| number % racks < racks / 2)
        .count();
    let placed = &plans[0].node_allocation;
    let total: usize = placed.values().map(Vec::len).sum();
    assert_eq!(total, count.min(eligible * 2));
    assert!(placed.values().all(|allocs| allocs.len() <= 2));
    let mut by_rack: BTreeMap<usize, usize> = BTreeMap::new();
    for (node, allocs) in placed {
        let rack = state.node(node).expect("a node").meta["rack"][1..].parse();
        *by_rack.entry(rack.expect("a number")).or_insert(0) += allocs.len();
    }
    assert!(by_rack.keys().all(|rack| *rack < racks / 2));
    if spread && count <= eligible {
        let (min, max) = (by_rack.values().min(), by_rack.values().max());
        assert!(
            max.zip(min).is_some_and(|(max, min)| max - min <= 1),
            "{by_rack:?}"
        );
    }
}
