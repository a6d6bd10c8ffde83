package dev.jqlora.training.config;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The keys' values: those given, checked one by one, and the defaults of the others. */
final class Values {
  private final Map<String, Object> given = new HashMap<>();
  private final Map<String, Setting> settings = new LinkedHashMap<>();
  private final List<String> notices = new ArrayList<>();

  /**
   * Reads settings in order; a later one wins over an earlier one of the same key.
   *
   * @param allowUnknownKeys whether an unknown key is a notice rather than an error
   */
  Values(List<Setting> ordered, boolean allowUnknownKeys) {
    for (Setting setting : ordered) {
      settings.merge(setting.key(), setting, Values::later);
    }
    for (Setting setting : settings.values()) {
      Key<?> key = Keys.named(setting.key());
      if (key != null) {
        accept(key, setting);
      } else if (allowUnknownKeys) {
        notices.add(setting.origin() + ": unknown key " + setting.key() + " is ignored (ALLOW_EXTRA_ARGS)");
      } else {
        throw unknown(setting);
      }
    }
  }

  /** The later setting; the entries of a later mapping add to those of an earlier one. */
  private static Setting later(Setting earlier, Setting later) {
    if (earlier.value() instanceof RawValue.Mapping(var before)
        && later.value() instanceof RawValue.Mapping(var added)) {
      var merged = new LinkedHashMap<>(before);
      merged.putAll(added);
      return new Setting(later.key(), new RawValue.Mapping(merged), later.origin());
    }
    return later;
  }

  private static JqloraException unknown(Setting setting) {
    String nearest = Keys.nearest(setting.key());
    return new JqloraException(Kind.CONFIG, setting.origin() + ": unknown key " + setting.key()
        + (nearest == null ? "; docs/configuration.md lists all keys" : "; did you mean " + nearest + "?"));
  }

  private <T> void accept(Key<T> key, Setting setting) {
    if (setting.value() instanceof RawValue.Unset) {
      return;
    }
    T value = key.type().read(setting);
    boolean isDefault = value.equals(key.defaultValue());
    switch (key.status()) {
      case Key.Status.Supported() -> given.put(key.name(), value);
      case Key.Status.NoEffect(var reason) -> {
        if (!isDefault) {
          notices.add(setting.origin() + ": " + key.name() + " has no effect here: " + reason);
        }
      }
      case Key.Status.Refused(var reason) -> {
        if (!isDefault) {
          throw setting.error(key.type().show(value) + " is not supported: " + reason);
        }
      }
    }
  }

  /** The value given, or the default. */
  <T> T get(Key<T> key) {
    T value = orNull(key);
    if (value == null) {
      throw new IllegalStateException("key without a default: " + key.name());
    }
    return value;
  }

  /** The value given, or the default, or null where there is neither. */
  @SuppressWarnings("unchecked") // accept() puts a T under a Key<T> only
  <T> @Nullable T orNull(Key<T> key) {
    Object value = given.get(key.name());
    return value == null ? key.defaultValue() : (T) value;
  }

  /** Whether the key was given a value other than null. */
  boolean isGiven(Key<?> key) {
    return given.containsKey(key.name());
  }

  /** An error about a key, at the line that gives it, or at the configuration as a whole. */
  JqloraException error(Key<?> key, String complaint) {
    Setting setting = settings.get(key.name());
    return setting != null
        ? setting.error(complaint)
        : new JqloraException(Kind.CONFIG, "configuration: " + key.name() + ": " + complaint);
  }

  /** What the caller should print once. */
  List<String> notices() {
    return List.copyOf(notices);
  }
}
