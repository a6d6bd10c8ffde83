package dev.jqlora.engine.plan;

import dev.jqlora.engine.tensor.TensorType;

/** A tensor of a step and its place. */
public record Operand(TensorType type, Slot slot) {}
