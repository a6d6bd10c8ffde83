package dev.jqlora.bench;

import dev.jqlora.engine.cpu.CpuRoof;

/** Where the roofs of rows come from. */
sealed interface Ceiling {
  /** Measured in turn with each row. */
  record Measured(CpuRoof roof) implements Ceiling {}

  /** As the maker states it; 0 where it is not known. */
  record Stated(Roofs roofs) implements Ceiling {
    double rate(Roof roof) {
      return switch (roof) {
        case MULTIPLY_ADD -> roofs.multiplyAdd();
        case READ -> roofs.read();
        case NONE -> 0;
      };
    }
  }
}
