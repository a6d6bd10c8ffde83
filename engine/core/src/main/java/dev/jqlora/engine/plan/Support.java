package dev.jqlora.engine.plan;

/** A backend's answer to whether it has a kernel for an op on given types. */
public sealed interface Support {
  /** It has; the kernel wants this much scratch memory. */
  record Native(long scratchBytes) implements Support {}

  /** It has not, because. */
  record Unsupported(String reason) implements Support {}

  Support NATIVE = new Native(0);
}
