package dev.jqlora.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.jqlora.engine.backend.Backend;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import org.junit.jupiter.api.Test;

class ForwardingBackendTest {
  /** A default that is inherited where the backend has an answer of its own would be a wrong answer. */
  @Test
  void everyQuestionIsPassedOn() throws NoSuchMethodException {
    for (Method method : Backend.class.getMethods()) {
      boolean isDerived = method.getName().equals("supports") && method.getParameterCount() == 1;
      if (!Modifier.isStatic(method.getModifiers()) && !isDerived) {
        Class<?> declaring = ForwardingBackend.class.getMethod(method.getName(), method.getParameterTypes())
            .getDeclaringClass();
        assertEquals(ForwardingBackend.class, declaring, method.toString());
      }
    }
  }
}
