package dev.jqlora.engine.cuda;

import java.util.HashMap;
import java.util.Map;
import jcuda.NativePointerObject;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;

/** Puts kernels into a stream, by the name of their source file and their own; a file is loaded when it is first needed. */
final class Launcher implements AutoCloseable {
  private record Loaded(PtxModule ptx, CUmodule module, Map<String, CUfunction> functions) {}

  private final CUstream stream;
  private final Precision precision;
  private final Map<String, Loaded> modules = new HashMap<>();

  Launcher(CUstream stream, Precision precision) {
    this.stream = stream;
    this.precision = precision;
  }

  CUstream stream() {
    return stream;
  }

  Precision precision() {
    return precision;
  }

  /**
   * Puts a kernel into the stream.
   *
   * @param arguments Long for pointers and long long, Integer for int, Float for float
   */
  void launch(String file, String kernel, Grid grid, int threads, Object... arguments) {
    Loaded loaded = modules.computeIfAbsent(file, Launcher::load);
    loaded.ptx.check(kernel, arguments);
    CUfunction function = loaded.functions.computeIfAbsent(kernel, name -> Driver.function(loaded.module, name));
    NativePointerObject[] pointers = new NativePointerObject[arguments.length];
    for (int i = 0; i < arguments.length; i++) {
      pointers[i] = switch (arguments[i]) {
        case Long value -> Pointer.to(new long[]{value});
        case Integer value -> Pointer.to(new int[]{value});
        case Float value -> Pointer.to(new float[]{value});
        default -> throw new IllegalArgumentException("an argument of " + arguments[i].getClass());
      };
    }
    Driver.launch(function, kernel, grid, threads, stream, Pointer.to(pointers));
  }

  private static Loaded load(String file) {
    PtxModule ptx = PtxModule.read(file);
    return new Loaded(ptx, Driver.load(ptx.image(), file), new HashMap<>());
  }

  @Override
  public void close() {
    modules.values().forEach(loaded -> Driver.unload(loaded.module));
    modules.clear();
  }
}
