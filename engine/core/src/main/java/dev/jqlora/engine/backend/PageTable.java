package dev.jqlora.engine.backend;

import dev.jqlora.engine.plan.Operand;
import dev.jqlora.engine.plan.Plan;
import dev.jqlora.engine.plan.Slot;
import dev.jqlora.engine.plan.Step;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.DType;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The states that live in pages, and what they ask of device memory: all that they could fill, and the least that a
 * program can run with. A function of types and plans alone, so a run's paging is known before the run.
 */
public final class PageTable {
  /** Part {@code index} of a state; pages of a state are of one size and lie one behind another. */
  public record Page(String state, int index, long bytes) {
    /** Where the page begins in its state. */
    public long offset() {
      return index * bytes;
    }

    /** Device memory that it takes. */
    public long deviceBytes() {
      return Alignment.roundUp(bytes);
    }
  }

  private final UnaryOperator<DType> pools;
  private final Map<String, List<Page>> states = new HashMap<>();
  private final Map<String, DType> poolOf = new HashMap<>();
  private final List<Page> all = new ArrayList<>();
  private final Map<DType, Long> totals = new EnumMap<>(DType.class);

  /** A table whose pages share one pool. */
  public PageTable() {
    this(_ -> DType.U8);
  }

  /** @param pools pages whose element types it maps to the same type share a pool, which bears that type's name */
  public PageTable(UnaryOperator<DType> pools) {
    this.pools = pools;
  }

  /** Enters a state of so many pages; throws IllegalArgumentException where its bytes cannot be divided so. */
  public void add(String state, TensorType type, int pages) {
    if (pages < 1 || type.bytes() % pages != 0) {
      throw new IllegalArgumentException("state %s, %s, cannot be cut into %d pages".formatted(state, type, pages));
    }
    List<Page> cut = IntStream.range(0, pages).mapToObj(i -> new Page(state, i, type.bytes() / pages)).toList();
    states.put(state, cut);
    all.addAll(cut);
    DType pool = pools.apply(type.dtype());
    poolOf.put(state, pool);
    totals.merge(pool, pages * cut.getFirst().deviceBytes(), Long::sum);
  }

  /** Strikes out a state. */
  void remove(String state) {
    List<Page> cut = Objects.requireNonNull(states.remove(state), state);
    all.removeAll(cut);
    DType pool = Objects.requireNonNull(poolOf.remove(state));
    long bytes = cut.size() * cut.getFirst().deviceBytes();
    totals.computeIfPresent(pool, (_, total) -> total == bytes ? null : Long.valueOf(total - bytes));
  }

  /** The pools that have pages. */
  public Set<DType> pools() {
    return totals.keySet();
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
    return sum(totals);
  }

  /** Device memory that the pages get where so much is left beside everything else: as much as is of use. */
  public long poolBytes(long availableBytes) {
    return Math.min(totalBytes(), Alignment.roundDown(Math.max(0, availableBytes)));
  }

  /**
   * The size of each pool where so much device memory is left for all: the least that it needs, and of the rest a part in
   * proportion to what it could still use.
   *
   * @param least of {@link #workingSets}, for which there is enough
   */
  public Map<DType, Long> pools(long availableBytes, Map<DType, Long> least) {
    long rest = poolBytes(availableBytes) - sum(least);
    long wanted = totalBytes() - sum(least);
    Map<DType, Long> sizes = new EnumMap<>(DType.class);
    for (Map.Entry<DType, Long> pool : totals.entrySet()) {
      long needs = least.getOrDefault(pool.getKey(), 0L);
      long wants = pool.getValue() - needs;
      long part = wanted == 0 ? 0 : Alignment.roundDown((long) ((double) rest / wanted * wants));
      long gets = wants == wanted ? rest : Math.min(wants, part);
      rest -= gets;
      wanted -= wants;
      sizes.put(pool.getKey(), needs + gets);
    }
    return sizes;
  }

  private static long sum(Map<DType, Long> bytes) {
    return bytes.values().stream().mapToLong(Long::longValue).sum();
  }

  /** Device memory for the pages that a plan needs at the same time: the least with which it runs. */
  public long workingSetBytes(Plan plan) {
    return sum(workingSets(List.of(plan)));
  }

  /**
   * The least of each pool with which all of some plans run.
   *
   * @throws IllegalArgumentException where a step uses more than a page of a state as one operand
   */
  public Map<DType, Long> workingSets(Collection<Plan> plans) {
    Map<DType, Long> sets = new EnumMap<>(DType.class);
    for (Plan plan : plans) {
      enterOperands(plan, plan.fetches().values(), sets);
      enter(plan, plan.steps(), sets);
    }
    return sets;
  }

  private void enter(Plan plan, List<Step> steps, Map<DType, Long> sets) {
    for (Step step : steps) {
      switch (step) {
        case Step.Launch launch ->
          enterOperands(plan, Stream.concat(launch.inputs().stream(), launch.outputs().stream()).toList(), sets);
        case Step.Copy(Operand from, Operand to) -> enterOperands(plan, List.of(from, to), sets);
        case Step.Loop loop -> enter(plan, loop.body(), sets);
      }
    }
  }

  /** Enters what a step uses at once. Operands whose pages are the same in each iteration are counted once. */
  private void enterOperands(Plan plan, Collection<Operand> operands, Map<DType, Long> sets) {
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
    Map<DType, Long> bytes = new EnumMap<>(DType.class);
    places.forEach(place -> bytes.merge(Objects.requireNonNull(poolOf.get(place.first().state())),
        place.first().deviceBytes(), Long::sum));
    bytes.forEach((pool, size) -> sets.merge(pool, size, Math::max));
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
