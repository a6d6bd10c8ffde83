package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
import dev.jqlora.engine.backend.Executable;
import dev.jqlora.engine.backend.Session;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.Tensor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Map;

/** The CPU backend, but the first number of each float32 result that the host is given is a hundredth too large. */
public final class FaultyBackend implements BackendProvider {
  @Override
  public String name() {
    return "faulty";
  }

  @Override
  public String unavailable() {
    return "";
  }

  @Override
  public Backend create(int threads) {
    return new ForwardingBackend(Backends.named(Backends.CPU).create(threads)) {
      @Override
      public String name() {
        return FaultyBackend.this.name();
      }

      @Override
      public String device() {
        return "made to compute wrongly";
      }

      @Override
      public Session open(long memoryLimitBytes) {
        return faulty(super.open(memoryLimitBytes));
      }
    };
  }

  private static Session faulty(Session session) {
    return (Session) Proxy.newProxyInstance(FaultyBackend.class.getClassLoader(), new Class<?>[]{Session.class},
        (_, method, arguments) -> {
          try {
            Object result = method.invoke(session, arguments);
            return result instanceof Executable executable ? faulty(executable) : result;
          } catch (InvocationTargetException e) {
            throw e.getCause();
          }
        });
  }

  private static Executable faulty(Executable executable) {
    return new Executable() {
      @Override
      public Plan plan() {
        return executable.plan();
      }

      @Override
      public Map<String, Tensor> run(Map<String, Tensor> feeds) {
        Map<String, Tensor> results = executable.run(feeds);
        for (Tensor result : results.values()) {
          if (result.type().dtype() == DType.F32 && result.type().elements() > 0) {
            result.set(0, 1.01 * result.get(0));
          }
        }
        return results;
      }
    };
  }
}
