//! Tests of rollouts, in plain values.
