package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
import dev.jqlora.engine.backend.GpuInfo;
import dev.jqlora.engine.error.JqloraException;
import java.util.Locale;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Lists the backends, and says of each that cannot run why not. */
@Command(name = "devices", description = "List the backends and devices that can compute.")
final class DevicesCommand implements Runnable {
  @Mixin
  private Output output;

  @Override
  public void run() {
    ObjectNode json = output.object();
    ArrayNode devices = json.putArray("devices");
    Backends.providers().forEach(provider -> devices.add(describe(provider)));
    output.print(json, () -> devices.forEach(device -> output.out().printf("%-10s %s%n", device.get("backend")
        .textValue(),
        device.get("available").booleanValue()
            ? device.get("device").textValue()
            : "not available: " + device.get("reason").textValue())));
  }

  private ObjectNode describe(BackendProvider provider) {
    ObjectNode device = output.object().put("backend", provider.name());
    String reason = provider.unavailable();
    if (reason.isEmpty()) {
      try (Backend backend = provider.create(BackendOptions.threads(null))) {
        String text = backend.device();
        Optional<GpuInfo> gpu = backend.gpu();
        device.put("available", true).put("device", text + gpu.map(DevicesCommand::more).orElse(""));
        gpu.ifPresent(info -> describe(info, device.putObject("gpu")));
        return device;
      } catch (JqloraException e) {
        reason = String.valueOf(e.getMessage());
      }
    }
    return device.put("available", false).put("reason", reason);
  }

  static void describe(GpuInfo gpu, ObjectNode json) {
    json.put("name", gpu.name()).put("memory_bytes", gpu.memoryBytes());
    gpu.freeBytes().ifPresent(free -> json.put("free_bytes", free));
    gpu.versions().forEach(json::put);
  }

  /** What the description of the device leaves out, since it changes or is not always known. */
  private static String more(GpuInfo gpu) {
    String free = gpu.freeBytes().isPresent()
        ? String.format(Locale.ROOT, ", %.1f GiB free", gpu.freeBytes().getAsLong() / (double) (1L << 30))
        : "";
    String driver = gpu.versions().get("driver");
    return driver == null ? free : free + ", driver " + driver;
  }
}
