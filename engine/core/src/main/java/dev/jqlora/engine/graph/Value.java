package dev.jqlora.engine.graph;

import dev.jqlora.engine.tensor.TensorType;

/**
 * One tensor of a graph. The id is unique within its builder, which takes no value of another; the name is for people.
 */
public record Value(int id, TensorType type, String name) {
  @Override
  public String toString() {
    return "%" + id + ":" + type;
  }
}
