package dev.jqlora.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.BackendProvider;
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
    device.put("available", reason.isEmpty());
    if (!reason.isEmpty()) {
      return device.put("reason", reason);
    }
    try (Backend backend = provider.create(BackendOptions.allProcessors())) {
      return device.put("device", backend.device());
    }
  }
}
