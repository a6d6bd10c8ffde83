package dev.jqlora.engine.backend;

import java.util.OptionalLong;
import java.util.SequencedMap;

/**
 * A GPU that a backend computes on.
 *
 * @param name as its driver has it
 * @param memoryBytes all of its memory
 * @param freeBytes what nobody holds now; empty where the driver does not tell
 * @param versions of its hardware and its driver, by what they are versions of, such as {@code compute_capability}
 */
public record GpuInfo(String name, long memoryBytes, OptionalLong freeBytes, SequencedMap<String, String> versions) {}
