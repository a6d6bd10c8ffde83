package dev.jqlora.engine.cpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.ClassFile;
import java.lang.classfile.MethodModel;
import java.lang.classfile.attribute.CodeAttribute;
import org.junit.jupiter.api.Test;

class GemmTileTest {
  /** With 2,493 bytes of code the quick compiler gave up on a kernel, for which the optimizing one was then never asked. */
  private static final int MOST_CODE = 2000;

  @Test
  void kernelsAreShortEnoughForBothCompilers() throws IOException {
    try (InputStream bytes = GemmTile.class.getResourceAsStream("GemmTile.class")) {
      for (MethodModel method : ClassFile.of().parse(bytes.readAllBytes()).methods()) {
        int length = ((CodeAttribute) method.code().orElseThrow()).codeLength();
        assertTrue(length <= MOST_CODE, method.methodName().stringValue() + " has " + length + " bytes of code");
      }
    }
  }
}
