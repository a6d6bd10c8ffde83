package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.nf4;

import dev.jqlora.engine.op.Nf4Dequantize;
import dev.jqlora.engine.op.Nf4Weight;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;

/** Cases of {@link Nf4Dequantize}. */
final class Nf4DequantizeCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("one rounded product, as the format defines"));
    add(cases, "blocks cross rows", 7, 33, 64);
    add(cases, "odd element count", 5, 15, 32);
    add(cases, "one element", 1, 1, 64);
    add(cases, "whole blocks", 16, 64, 64);
    add(cases, "large blocks", 3, 500, 256);
    cases.fails("Nf4Dequantize: the tensors of an NF4 weight [2, 64] must be [u8[64], f32[2]], got [u8[64], f32[3]]",
        new Nf4Dequantize(2, 64, 64), codes(64), f32(3));
    cases.fails("Nf4Dequantize: expected 2 inputs, got 1", new Nf4Dequantize(2, 64, 64), codes(64));
  }

  private static void add(CaseList cases, String name, int out, int in, int blockSize) {
    cases.add(name, new Nf4Dequantize(out, in, blockSize), nf4(new Nf4Weight(out, in, blockSize, false)));
  }
}
