package dev.jqlora.bench;

import dev.jqlora.engine.graph.Cost;

/** What bounds a computation. */
public enum Roof {
  /** Fused multiply-adds, counted as two operations. */
  MULTIPLY_ADD,
  /** Bytes that are streamed from memory. */
  READ,
  /** Something else. */
  NONE;

  /** The part of some work that this bounds: operations or bytes. */
  double work(Cost cost) {
    return switch (this) {
      case MULTIPLY_ADD -> cost.flops();
      case READ, NONE -> cost.bytes();
    };
  }
}
