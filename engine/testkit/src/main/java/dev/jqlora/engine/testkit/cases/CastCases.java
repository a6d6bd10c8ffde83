package dev.jqlora.engine.testkit.cases;

import static dev.jqlora.engine.testkit.Input.between;
import static dev.jqlora.engine.testkit.Input.bf16;
import static dev.jqlora.engine.testkit.Input.codes;
import static dev.jqlora.engine.testkit.Input.f16;
import static dev.jqlora.engine.testkit.Input.f32;
import static dev.jqlora.engine.testkit.Input.floats;
import static dev.jqlora.engine.testkit.Input.ids;
import static dev.jqlora.engine.testkit.Input.ints;

import dev.jqlora.engine.graph.Array64;
import dev.jqlora.engine.op.Cast;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import dev.jqlora.engine.tensor.TensorType;
import dev.jqlora.engine.testkit.CaseList;
import dev.jqlora.engine.testkit.Input;
import dev.jqlora.engine.testkit.ModelShape;
import dev.jqlora.engine.testkit.OpCases;
import dev.jqlora.engine.testkit.Tolerance;
import java.lang.foreign.Arena;

/** Cases of {@link Cast}. */
final class CastCases implements OpCases {
  @Override
  public void list(CaseList cases) {
    cases.tolerance(DType.F32, Tolerance.exact("every 16-bit number is a float32"));
    cases.tolerance(DType.BF16, Tolerance.exact("rounded to nearest even"));
    cases.tolerance(DType.F16, Tolerance.exact("rounded to nearest even"));
    cases.add("to BF16", new Cast(DType.BF16), f32(5, 33));
    cases.add("ties to even", new Cast(DType.BF16), floats(1.00390625f, 1.01171875f, -1.00390625f, 0, -0.0f));
    cases.add("to F16", new Cast(DType.F16), f32(17));
    cases.add("F16 subnormal", new Cast(DType.F16), floats(1e-7f, 6e-8f, 2.9e-8f, 65504, -1e-5f));
    cases.add("from BF16", new Cast(DType.F32), bf16(100));
    cases.add("from F16", new Cast(DType.F32), f16(100));
    for (DType from : new DType[]{DType.F32, DType.BF16, DType.F16}) {
      for (DType to : new DType[]{DType.F32, DType.BF16, DType.F16}) {
        cases.add("special numbers, %s to %s".formatted(from, to), new Cast(to), special(from));
        cases.add("%s to %s, 301 elements".formatted(from, to), new Cast(to), stored(from, between(-300, 300, 301)));
      }
    }
    cases.add("from I32, all bits", new Cast(DType.F32), ints(-1, -7, 0, 1 << 24, (1 << 24) + 1, (1 << 24) + 3,
        -(1 << 24) - 1, (1 << 30) + 65, Integer.MAX_VALUE, Integer.MIN_VALUE));
    cases.add("from I32", new Cast(DType.F32), ids(1 << 20, 17));
    cases.add("from U8", new Cast(DType.F32), codes(17));
    cases.add("no elements", new Cast(DType.BF16), f32(0, 33));
    cases.fails("Cast: no cast from f32[2] to I32", new Cast(DType.I32), f32(2));
    cases.fails("Cast: no cast from u8[2] to BF16", new Cast(DType.BF16), codes(2));
    for (ModelShape model : ModelShape.ALL) {
      cases.modelShape(model.name() + " carry to BF16", new Cast(DType.BF16), f32(model.tokens(), model.hidden()));
      cases.modelShape(model.name() + " carry from BF16", new Cast(DType.F32), bf16(model.tokens(), model.hidden()));
    }
  }

  /** What has no value, no bound or no sign that counts, what overflows and what underflows, several vectors of each. */
  private static Input special(DType dtype) {
    float[] numbers = {Float.NaN, Float.intBitsToFloat(0x7f800001), Float.intBitsToFloat(0xffffffff),
        Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 0, -0.0f, Float.MAX_VALUE, -Float.MAX_VALUE, 65504, 65519,
        65520, -65520, Float.MIN_VALUE, -Float.MIN_VALUE, Float.MIN_NORMAL, 6e-8f, -6e-8f, 0x1p-25f, 1};
    float[] repeated = new float[numbers.length * 5 + 1];
    for (int i = 0; i < repeated.length; i++) {
      repeated[i] = numbers[i % numbers.length];
    }
    return stored(dtype, floats(repeated));
  }

  private static Input stored(DType dtype, Input input) {
    TensorType type = new TensorType(dtype, input.type().shape());
    return new Input(type, samples -> {
      Tensor tensor = Tensor.allocate(Arena.ofAuto(), type);
      Array64.of(input.make(samples)).copyTo(tensor);
      return tensor;
    });
  }
}
