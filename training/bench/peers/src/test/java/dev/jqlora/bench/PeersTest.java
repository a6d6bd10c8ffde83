package dev.jqlora.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.bench.peers.PyTorchPeer;
import dev.jqlora.llama.config.KnownConfigs;
import dev.jqlora.llama.config.LlamaConfig;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** PyTorch and we compute the same: the set itself refuses to compare other results. */
class PeersTest {
  @Test
  void everyComparisonIsOfTheSameResults() {
    LlamaConfig big = KnownConfigs.named("llama-3-8b").orElseThrow();
    LlamaConfig tiny = new LlamaConfig(40, 64, 96, 2, 4, 2, 16, 64, 1e-5, big.rope(), true, 0.02, big.ids(),
        big.dtype(), big.quantization());
    Sizes sizes = new Sizes("tiny", tiny, 24, 70, 6, 2, 2, 40, false, new LinkedHashMap<>(), 3 << 20);
    Pattern compared = Pattern.compile("^(matmul N|attention|head|decoder layer)");
    try (PyTorchPeer peer = new PyTorchPeer()) {
      peer.open(2);
      assertEquals("PyTorch 2.7.1", peer.name());
      Report report = new Bench(new Bench.Options(Bench.Extent.QUICK, null, 2, compared, OptionalInt.empty(), OptionalInt.empty(), peer),
          sizes, new Effort(3, 0, 0)).run(new Bench.Listener() {
            @Override
            public void measuring(String row) {}

            @Override
            public void measured(RowResult result) {}
          });
      assertEquals(List.of("matmul NT", "matmul NN", "attention", "attention", "attention", "attention", "head +",
          "decoder layer", "decoder layer"),
          report.rows().stream().map(row -> row.name().replaceFirst(
              "^(matmul ..|attention|head .|decoder layer).*", "$1")).toList());
      for (RowResult row : report.rows()) {
        Double difference = row.rivals().getFirst().difference();
        assertNotNull(difference, row.name());
        assertTrue(difference < 1e-5, row.toString());
      }
    }
  }
}
