package dev.jqlora.engine.cuda;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
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
  private final Function<String, PtxModule> code;
  private final Map<String, Loaded> modules = new HashMap<>();

  /** @param code the compiled kernels of a source file by its name */
  Launcher(CUstream stream, Precision precision, Function<String, PtxModule> code) {
    this.stream = stream;
    this.precision = precision;
    this.code = code;
  }

  CUstream stream() {
    return stream;
  }

  Precision precision() {
    return precision;
  }

  /**
   * Puts a kernel into the stream, unless its grid is empty, as where a tensor has no elements.
   *
   * @param arguments Long for pointers and long long, Integer for int, Float for float
   */
  void launch(String file, String kernel, Grid grid, int threads, Object... arguments) {
    if (grid.isEmpty()) {
      return;
    }
    Loaded loaded = modules.computeIfAbsent(file, this::load);
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

  private Loaded load(String file) {
    PtxModule ptx = code.apply(file);
    return new Loaded(ptx, Driver.load(ptx.image(), file), new HashMap<>());
  }

  @Override
  public void close() {
    modules.values().forEach(loaded -> Driver.unload(loaded.module));
    modules.clear();
  }
}
