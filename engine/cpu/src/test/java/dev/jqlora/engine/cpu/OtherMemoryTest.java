package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * Kernels in a program that also has memory of other kinds. Java's compiler learns about memory from the whole program; where
 * that misleads it about a kernel, it must not compile the kernel over and over (see {@link FloatMemory}). Counted in a
 * process of its own.
 */
class OtherMemoryTest {
  /** The compiled code of a kernel was left since what was checked before its loop did not hold. */
  private static final Pattern TRAP = Pattern
      .compile("dev\\.jqlora\\.engine\\.cpu\\.(RmsNorm|SwiGlu)Kernel.* profile_predicate ");
  /** Once or twice is learning. It was 6 to 12 times in this program, and about 30 in a longer one. */
  private static final int MOST = 2;

  @Test
  void kernelsAreNotCompiledOverAndOver() throws IOException, InterruptedException {
    List<String> lines = JavaProcess.run(Program.class, "-Xlog:deoptimization=debug", JavaProcess.SAME_VECTORS,
        "--enable-native-access=ALL-UNNAMED");
    long traps = lines.stream().filter(line -> TRAP.matcher(line).find()).count();
    assertTrue(traps <= MOST, () -> traps + " times:\n" + String.join("\n", lines));
  }

  @Test
  void withoutNativeAccessTheBackendSaysWhatToDo() throws IOException, InterruptedException {
    List<String> lines = JavaProcess.run(Denied.class, "--illegal-native-access=deny");
    assertTrue(lines.contains(CpuBackendProvider.NO_ACCESS), () -> String.join("\n", lines));
    assertTrue(lines.contains("the cpu backend cannot run: " + CpuBackendProvider.NO_ACCESS),
        () -> String.join("\n", lines));
  }

  /** What a Java that denies native access makes of the backend. */
  static final class Denied {
    private Denied() {}

    public static void main(String[] arguments) {
      System.out.println(new CpuBackendProvider().unavailable());
      try (CpuBackend _ = new CpuBackend(1)) {
        System.out.println("made");
      } catch (JqloraException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  /** Reads memory of several kinds, then runs kernels. */
  static final class Program {
    private static final int ROWS = 64;
    private static final int WIDTH = 1024;
    private static final int FLOATS = ROWS * WIDTH;

    private Program() {}

    public static void main(String[] arguments) {
      MemorySegment heap = MemorySegment.ofArray(new float[FLOATS]);
      try (Arena shared = Arena.ofShared(); Workers workers = new Workers(1)) {
        MemorySegment[] memory = new MemorySegment[5];
        for (int i = 0; i < memory.length; i++) {
          memory[i] = shared.allocate(FLOATS * (long) Float.BYTES, 64);
        }
        float sum = 0;
        for (int i = 0; i < 200; i++) {
          try (Arena confined = Arena.ofConfined()) {
            sum += sum(confined.allocate(FLOATS * (long) Float.BYTES, 64)) + sum(heap) + sum(memory[0]);
          }
        }
        for (int i = 0; i < 3000; i++) {
          RmsNormKernel.inputGradient(workers, memory[0], memory[1], memory[2], ROWS, WIDTH, 1e-5f, memory[3]);
          SwiGluKernel.gradient(workers, memory[0], memory[1], memory[2], FLOATS, memory[3], memory[4]);
        }
        System.out.println(sum);
      }
    }

    private static float sum(MemorySegment memory) {
      var sum = FloatMemory.load(memory, 0);
      for (long i = VectorWidth.LANES; i < FLOATS; i += VectorWidth.LANES) {
        sum = sum.add(FloatMemory.load(memory, i));
      }
      return sum.lane(0);
    }
  }
}
