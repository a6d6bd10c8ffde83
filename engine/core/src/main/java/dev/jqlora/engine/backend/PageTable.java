package dev.jqlora.engine.backend;

import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Slot;
import dev.jqlora.engine.plan.Step;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The states that live in pages, and what they ask of device memory: all that they could fill, and the least that a
 * program can run with. A function of types and plans alone, so a run's paging is known before the run.
 */
public final class PageTable {
  /** Where pages begin in device memory, in bytes: a cache line and the widest vector. */
  static final long ALIGNMENT = SessionAccount.ALIGNMENT;

  /** Part {@code index} of a state; pages of a state are of one size and lie one behind another. */
  public record Page(String state, int index, long bytes) {
    /** Where the page begins in its state. */
    public long offset() {
      return index * bytes;
    }

    /** Device memory that it takes. */
    public long deviceBytes() {
      return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
  }

  private final Map<String, List<Page>> states = new HashMap<>();
  private final List<Page> all = new ArrayList<>();
  private long totalBytes;

  /** Enters a state of so many pages; throws IllegalArgumentException where its bytes cannot be divided so. */
  public void add(String state, TensorType type, int pages) {
    if (pages < 1 || type.bytes() % pages != 0) {
      throw new IllegalArgumentException("state %s, %s, cannot be cut into %d pages".formatted(state, type, pages));
    }
    List<Page> cut = IntStream.range(0, pages).mapToObj(i -> new Page(state, i, type.bytes() / pages)).toList();
    states.put(state, cut);
    all.addAll(cut);
    totalBytes += pages * cut.getFirst().deviceBytes();
  }

  public boolean contains(String state) {
    return states.containsKey(state);
  }

  /** All pages, in the order in which their states were entered. */
  public List<Page> pages() {
    return List.copyOf(all);
  }

  /** The page that holds a byte of a state. */
  public Page page(String state, long offset) {
    List<Page> pages = Objects.requireNonNull(states.get(state), state);
    return pages.get(Math.toIntExact(offset / pages.getFirst().bytes()));
  }

  /** Device memory for all pages at once. */
  public long totalBytes() {
    return totalBytes;
  }

  /** Device memory that the pages get where so much is left beside everything else: as much as is of use. */
  public long poolBytes(long availableBytes) {
    return Math.min(totalBytes, Math.max(0, availableBytes) / ALIGNMENT * ALIGNMENT);
  }

  /**
   * Device memory for the pages that a plan needs at the same time: the least with which it runs.
   *
   * @throws IllegalArgumentException where a step uses more than a page of a state as one operand
   */
  public long workingSetBytes(Plan plan) {
    return Math.max(workingSetBytes(plan, plan.steps()), bytesOf(plan, plan.fetches().values()));
  }

  private long workingSetBytes(Plan plan, List<Step> steps) {
    return steps.stream().mapToLong(step -> switch (step) {
      case Step.Launch launch ->
        bytesOf(plan, Stream.concat(launch.inputs().stream(), launch.outputs().stream()).toList());
      case Step.Copy(Operand from, Operand to) -> bytesOf(plan, List.of(from, to));
      case Step.Loop loop -> workingSetBytes(plan, loop.body());
    }).max().orElse(0);
  }

  /** Operands whose pages are the same in each iteration are counted once. */
  private long bytesOf(Plan plan, Collection<Operand> operands) {
    record Place(Page first, List<Long> strides) {}
    Set<Place> places = new HashSet<>();
    for (Operand operand : operands) {
      Slot slot = operand.slot();
      String state = slot.state();
      if (state != null && contains(state)) {
        Page page = page(state, slot.offset());
        checkWithin(plan, operand, page);
        places.add(new Place(page, page.bytes() == bytes(state) ? List.of() : slot.strides()));
      }
    }
    return places.stream().mapToLong(place -> place.first().deviceBytes()).sum();
  }

  private void checkWithin(Plan plan, Operand operand, Page page) {
    boolean whole = page.bytes() == bytes(page.state());
    boolean stays = whole || operand.slot().strides().stream().allMatch(stride -> stride % page.bytes() == 0);
    if (!stays || operand.slot().offset() + operand.type().bytes() > page.offset() + page.bytes()) {
      throw new IllegalArgumentException("%s: an operand of %,d bytes lies in more than one page of state %s".formatted(
          plan.program().name(), operand.type().bytes(), page.state()));
    }
  }

  private long bytes(String state) {
    List<Page> pages = Objects.requireNonNull(states.get(state), state);
    return pages.size() * pages.getFirst().bytes();
  }
}
