package dev.jqlora.engine.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.error.JqloraException.Kind;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import jcuda.driver.CUresult;
import org.junit.jupiter.api.Test;

class DriverCodeTest {
  @Test
  void everyCodeThatJCudaKnowsHasItsMeaning() throws IllegalAccessException {
    int codes = 0;
    for (Field field : CUresult.class.getFields()) {
      if (Modifier.isStatic(field.getModifiers()) && field.getName().startsWith("CUDA_ERROR_")) {
        int code = field.getInt(null);
        assertTrue(DriverCode.isKnown(code, field.getName()), field.getName() + " = " + code);
        assertTrue(DriverCode.explain(code, "x").matches("CUDA: x: [^\\n]+ \\(CUDA_ERROR_\\w+\\): [^\\n]{10,}"),
            DriverCode.explain(code, "x"));
        codes++;
      }
    }
    assertTrue(codes > 90, "only %d codes".formatted(codes));
  }

  @Test
  void onlyMissingMemoryIsOfItsOwnKind() {
    assertEquals(Kind.MEMORY, DriverCode.failure(2, "x").kind());
    assertEquals(Kind.BACKEND, DriverCode.failure(700, "x").kind());
    assertTrue(DriverCode.explain(12345, "x").contains("code 12345"));
  }
}
