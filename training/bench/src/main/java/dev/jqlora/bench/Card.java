package dev.jqlora.bench;

import dev.jqlora.engine.tensor.DType;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What NVIDIA states of a GPU.
 *
 * @param name by which the page of GPUs has it
 * @param device finds it in the name that the driver gives
 * @param floats operations in a second in float32, a fused multiply-add counted as two
 * @param tensors the same on tensor cores, with bfloat16 factors and float32 sums, none of them skipped as zero
 * @param bandwidth bytes in a second from and to its memory
 * @param source where that stands
 */
record Card(String name, Pattern device, double floats, double tensors, double bandwidth, String source) {
  /** 20 multiprocessors of the Ada generation at 2.37 GHz: 256 operations a clock in float32, 512 on tensor cores. */
  private static final Card RTX_4050 = new Card("RTX 4050 Laptop", Pattern.compile("RTX 4050"), 20 * 256 * 2.37e9,
      20 * 512 * 2.37e9, 192e9,
      "2,560 CUDA cores, up to 2.37 GHz, 6 GB of GDDR6 on 96 bits (NVIDIA's page of GeForce RTX "
          + "40 laptops); tensor cores twice as fast, as in the RTX 4090");
  private static final Card RTX_4090 = new Card("RTX 4090", Pattern.compile("RTX 4090(?! Laptop)"), 82.6e12, 165.2e12,
      1008e9, "NVIDIA's paper *Ada GPU Architecture*, appendix A");
  private static final Card H100 = new Card("H100 SXM", Pattern.compile("H100(?! PCIe)(?! NVL)"), 66.9e12, 989.4e12,
      3350e9, "NVIDIA's paper *H100 Tensor Core GPU Architecture*; the bandwidth is the data sheet's");

  static final List<Card> ALL = List.of(RTX_4050, RTX_4090, H100);

  /** The card of a device's name. */
  static Optional<Card> named(String device) {
    return ALL.stream().filter(card -> card.device.matcher(device).find()).findFirst();
  }

  /** @param products what factors are rounded to */
  Roofs roofs(DType products) {
    return new Roofs(products == DType.BF16 ? tensors : floats, bandwidth, bandwidth);
  }
}
