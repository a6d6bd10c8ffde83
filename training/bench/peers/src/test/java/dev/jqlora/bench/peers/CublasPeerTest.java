package dev.jqlora.bench.peers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.jqlora.bench.Task;
import dev.jqlora.engine.error.JqloraException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.util.List;
import java.util.ServiceLoader;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What can be known of cuBLAS without a GPU: what it is asked for, and what is said where it is not. */
class CublasPeerTest {
  /** A product as cuBLAS's manual defines it, all matrices column by column, second factor not transposed. */
  private static float[] byItsManual(CublasGemm gemm, float[] first, float[] second, int results) {
    float[] result = new float[results];
    for (int i = 0; i < gemm.m(); i++) {
      for (int j = 0; j < gemm.n(); j++) {
        float sum = 0;
        for (int l = 0; l < gemm.k(); l++) {
          float factor = gemm.transposesFirst() ? first[l + i * gemm.first()] : first[i + l * gemm.first()];
          sum += factor * second[l + j * gemm.second()];
        }
        result[i + j * gemm.result()] = sum;
      }
    }
    return result;
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aProductOfRowsIsAskedForInColumns(boolean transposed) {
    int m = 2;
    int k = 3;
    int n = 4;
    float[] a = numbers(m * k);
    float[] b = numbers(k * n);
    float[] c = new float[m * n];
    for (int row = 0; row < m; row++) {
      for (int column = 0; column < n; column++) {
        for (int l = 0; l < k; l++) {
          c[row * n + column] += a[row * k + l] * (transposed ? b[column * k + l] : b[l * n + column]);
        }
      }
    }
    assertArrayEquals(c, byItsManual(CublasGemm.of(new Task.Product(m, k, n, transposed)), b, a, m * n));
  }

  private static float[] numbers(int count) {
    float[] numbers = new float[count];
    IntStream.range(0, count).forEach(i -> numbers[i] = i * i % 7 - 3);
    return numbers;
  }

  @Test
  void aBackendHasOnePeer() {
    for (String backend : List.of("cpu", "tornado", "cuda")) {
      List<Class<?>> peers = ServiceLoader.load(dev.jqlora.bench.Peer.class).stream().map(ServiceLoader.Provider::get)
          .filter(peer -> peer.isPeerOf(backend)).<Class<?>>map(Object::getClass).toList();
      assertEquals(List.of(backend.equals("cuda") ? CublasPeer.class : PyTorchPeer.class), peers);
    }
  }

  @Test
  void itDoesProductsAlone() {
    try (CublasPeer peer = new CublasPeer()) {
      assertTrue(peer.does(new Task.Product(1, 2, 3, true)));
      assertFalse(peer.does(new Task.Head(1, 2, 3)));
    }
    assertEquals("12.6.3", CublasPeer.version(120603));
  }

  @Test
  void withoutTheLibraryItSaysWhatIsMissing() {
    assumeFalse(isInstalled(), "cuBLAS is installed here: skipped");
    try (CublasPeer peer = new CublasPeer()) {
      JqloraException thrown = assertThrows(JqloraException.class, () -> peer.open(1));
      assertEquals(JqloraException.Kind.BACKEND, thrown.kind());
      assertEquals("cuBLAS cannot be loaded: libcublas.so.12 of a CUDA 12 toolkit must be on LD_LIBRARY_PATH",
          thrown.getMessage());
    }
  }

  private static boolean isInstalled() {
    try (Arena arena = Arena.ofConfined()) {
      SymbolLookup.libraryLookup("libcublas.so.12", arena);
      return true;
    } catch (IllegalArgumentException _) {
      return false;
    }
  }
}
