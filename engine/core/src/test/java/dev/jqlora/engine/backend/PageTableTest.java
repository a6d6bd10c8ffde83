package dev.jqlora.engine.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PageTableTest {
  /** Whatever is left, pools together take all of it or all that is of use, and each at least what it needs. */
  @Test
  void poolsShareWhatIsLeft() {
    PageTable table = new PageTable(type -> type);
    table.add("codes", TensorType.u8(8, 6400), 8);
    table.add("absmax", TensorType.f32(8, 25), 8);
    assertEquals(8 * 6400 + 8 * 128, table.totalBytes());
    Map<DType, Long> least = Map.of(DType.U8, 6400L, DType.F32, 128L);
    for (long available = 6528; available < 60_000; available += 57) {
      Map<DType, Long> pools = table.pools(available, least);
      assertEquals(table.poolBytes(available), pools.values().stream().mapToLong(Long::longValue).sum());
      pools.forEach((kind, bytes) -> {
        assertEquals(0, bytes % Alignment.BYTES);
        assertTrue(bytes >= least.getOrDefault(kind, 0L));
      });
      assertTrue(pools.getOrDefault(DType.U8, 0L) <= 8 * 6400 && pools.getOrDefault(DType.F32, 0L) <= 8 * 128,
          pools.toString());
    }
    assertEquals(Map.of(DType.U8, 8L * 6400, DType.F32, 8L * 128), table.pools(Long.MAX_VALUE / 2, least));
  }
}
