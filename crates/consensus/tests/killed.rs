//! A process that is killed with proposals on their way.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use caravan_consensus::Config;
use support::*;
use tempfile::TempDir;

const DIRECTORY: &str = "CARAVAN_TEST_DOOMED_DIRECTORY";

/// Runs in the child only: proposes for ever, and prints what was acknowledged.
#[test]
fn doomed_child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (node, _) = single(Config {
            snapshot_threshold: 500,
            trailing_logs: 10,
            ..Config::new(1, disk(directory.as_ref()))
        })
        .await;
        let clients = (0..32).map(|client| {
            let node = node.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    let index = node.propose(format!("{client}.{n}")).await.unwrap().index;
                    println!("acknowledged {index} {client}.{n}");
                }
            })
        });
        futures::future::join_all(clients).await;
    });
}

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let directory = TempDir::new().unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..=3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "doomed_child", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.by_ref() {
            acknowledged.extend(parse(&line.unwrap()));
            if acknowledged.len() >= round * 700 {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Whatever was still in the pipe was acknowledged, too.
        acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| parse(&line)));

        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let (node, records) = single(Config::new(1, disk(directory.path()))).await;
            node.barrier().await.unwrap();
            let rows = records.seen().rows;
            for (index, value) in &acknowledged {
                let row = rows.get(index).map(|row| String::from_utf8_lossy(row));
                assert_eq!(row.as_deref(), Some(value.as_str()), "index {index}");
            }
            node.shutdown().await;
        });
    }
}

fn parse(line: &str) -> Option<(u64, String)> {
    // The test harness prints its own text in front of the first line.
    let (_, rest) = line.split_once("acknowledged ")?;
    let (index, value) = rest.split_once(' ')?;
    Some((index.parse().ok()?, value.to_owned()))
}
