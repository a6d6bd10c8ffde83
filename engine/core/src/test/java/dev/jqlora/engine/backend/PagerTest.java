package dev.jqlora.engine.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.jqlora.engine.backend.PageTable.Page;
import dev.jqlora.engine.tensor.Alignment;
import dev.jqlora.engine.tensor.TensorType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class PagerTest {
  /** Pages whose content is a number, in a pool that knows who lies where. */
  private static final class World implements Pager.Mover {
    private final PageTable table = new PageTable();
    private final Pager pager = new Pager(table, this);
    private final Map<Page, Integer> host = new HashMap<>();
    /** What each unit of the pool holds: the content of the page over it. */
    private final int[] pool;
    /** The right content of each page. */
    private final Map<Page, Integer> truth = new HashMap<>();
    /** When each page was last used. */
    private final Map<Page, Integer> lastUse = new HashMap<>();
    private int uses;
    private final List<Page> in = new ArrayList<>();
    private final List<Page> out = new ArrayList<>();
    /** Copies until one fails; negative for none. */
    private int copiesLeft = -1;

    World(int poolUnits) {
      pool = new int[poolUnits];
      pager.open(poolUnits * Alignment.BYTES);
    }

    @Override
    public void moveIn(Page page, long offset) {
      copy();
      in.add(page);
      fill(page, offset, host.getOrDefault(page, 0));
    }

    @Override
    public void moveOut(Page page, long offset) {
      copy();
      out.add(page);
      host.put(page, content(page, offset));
    }

    private void copy() {
      if (copiesLeft-- == 0) {
        throw new IllegalStateException("the copy fails");
      }
    }

    private void fill(Page page, long offset, int content) {
      int first = Math.toIntExact(offset / Alignment.BYTES);
      Arrays.fill(pool, first, first + units(page), content);
    }

    /** The content of a page in the pool, which must be the same in all of it. */
    private int content(Page page, long offset) {
      assertEquals(0, offset % Alignment.BYTES);
      int first = Math.toIntExact(offset / Alignment.BYTES);
      for (int i = first; i < first + units(page); i++) {
        assertEquals(pool[first], pool[i], "torn " + page);
      }
      return pool[first];
    }

    private static int units(Page page) {
      return Math.toIntExact(page.deviceBytes() / Alignment.BYTES);
    }

    /** The pages in the pool, with their offsets. */
    private Map<Page, Long> resident() {
      Map<Page, Long> resident = new HashMap<>();
      table.pages().forEach(page -> pager.offset(page).ifPresent(offset -> resident.put(page, offset)));
      return resident;
    }

    void use(Set<Page> wanted) {
      pager.bring(wanted);
      uses++;
      for (Page page : wanted) {
        assertEquals(truth.getOrDefault(page, 0), content(page, pager.offset(page).orElseThrow()), page.toString());
        lastUse.put(page, uses);
      }
    }

    void write(Page page, int content) {
      fill(page, pager.offset(page).orElseThrow(), content);
      pager.written(page);
      truth.put(page, content);
    }

    void checkPlaces() {
      int[] owners = new int[pool.length];
      for (Page page : resident().keySet()) {
        int first = Math.toIntExact(pager.offset(page).orElseThrow() / Alignment.BYTES);
        for (int i = first; i < first + units(page); i++) {
          assertEquals(1, ++owners[i], "two pages lie at unit " + i);
        }
      }
    }
  }

  @Test
  void whateverFitsIsThereAndNoByteIsLost() {
    int compactions = 0;
    for (int seed = 0; seed < 300; seed++) {
      Random random = new Random(seed);
      int units = 8 + random.nextInt(40);
      World world = new World(units);
      for (int state = 0; state < 6; state++) {
        int pages = 1 + random.nextInt(5);
        world.table.add("state " + state, TensorType.u8(pages, 1 + random.nextInt(64 * 8)), pages);
      }
      for (int use = 0; use < 100; use++) {
        Set<Page> wanted = someThatFit(world.table.pages(), units, random);
        Map<Page, Long> before = world.resident();
        world.use(wanted);
        world.checkPlaces();
        compactions += checkOrder(world, wanted, before) ? 1 : 0;
        for (Page page : wanted) {
          if (random.nextBoolean()) {
            world.write(page, 1 + seed * 100 + use);
          }
        }
      }
      world.pager.evictAll();
      world.truth.forEach((page, content) -> assertEquals(content, world.host.get(page), page.toString()));
      checkCounts(world);
    }
    assertTrue(compactions > 0, "gaps were never too small");
  }

  /** Who went was used before all that stayed, but for those in use; returns whether one of these was moved. */
  private static boolean checkOrder(World world, Set<Page> wanted, Map<Page, Long> before) {
    Map<Page, Long> after = world.resident();
    int latestGone = before.keySet().stream().filter(page -> !after.containsKey(page)).mapToInt(world.lastUse::get)
        .max()
        .orElse(0);
    after.keySet().stream().filter(page -> !wanted.contains(page)).forEach(page -> {
      assertTrue(world.lastUse.getOrDefault(page, 0) >= latestGone, page.toString());
      assertEquals(before.get(page), after.get(page), "a page that nothing asked for moved");
    });
    return wanted.stream().anyMatch(page -> before.containsKey(page) && !before.get(page).equals(after.get(page)));
  }

  private static void checkCounts(World world) {
    PagingCounts counts = world.pager.counts();
    assertEquals(world.in.size(), counts.pagesIn());
    assertEquals(world.out.size(), counts.pagesOut());
    assertEquals(world.in.stream().mapToLong(Page::bytes).sum(), counts.bytesIn());
    assertEquals(world.out.stream().mapToLong(Page::bytes).sum(), counts.bytesOut());
    assertEquals(PagingCounts.NONE, counts.since(counts));
    assertFalse(counts.isNone());
  }

  private static Set<Page> someThatFit(List<Page> pages, int units, Random random) {
    List<Page> shuffled = new ArrayList<>(pages);
    Collections.shuffle(shuffled, random);
    Set<Page> some = new LinkedHashSet<>();
    int used = 0;
    for (Page page : shuffled.subList(0, 1 + random.nextInt(shuffled.size()))) {
      if (used + World.units(page) <= units) {
        used += World.units(page);
        some.add(page);
      }
    }
    return some;
  }

  private static World fourPagesInThree() {
    World world = new World(3);
    world.table.add("a", TensorType.u8(4, 64), 4);
    return world;
  }

  private static Set<Page> set(World world, int... pages) {
    Set<Page> set = new LinkedHashSet<>();
    Arrays.stream(pages).forEach(i -> set.add(world.table.pages().get(i)));
    return set;
  }

  @Test
  void theLeastRecentlyUsedGoesAndACleanPageIsNotCopied() {
    World world = fourPagesInThree();
    world.use(set(world, 0));
    world.use(set(world, 1));
    world.write(world.table.pages().get(1), 7);
    world.use(set(world, 2));
    world.use(set(world, 0));
    world.use(set(world, 3));
    assertEquals(set(world, 0, 2, 3), world.resident().keySet());
    assertEquals(List.copyOf(set(world, 1)), world.out);
    world.use(set(world, 1));
    assertEquals(set(world, 0, 1, 3), world.resident().keySet());
    assertEquals(1, world.out.size());
  }

  @Test
  void gapsThatAreTooSmallAreClosed() {
    World world = new World(4);
    world.table.add("small", TensorType.u8(4, 64), 4);
    world.table.add("large", TensorType.u8(2, 64), 1);
    world.use(set(world, 0, 1, 2, 3));
    world.use(set(world, 1, 3));
    world.use(set(world, 1, 3, 4));
    world.checkPlaces();
    assertEquals(set(world, 1, 3, 4), world.resident().keySet());
  }

  @Test
  void whereAllFitNoneMoves() {
    World world = new World(4);
    world.table.add("a", TensorType.u8(4, 64), 4);
    world.pager.beginInPool();
    world.use(set(world, 0, 1, 2, 3));
    assertTrue(world.pager.counts().isNone());
    world.pager.evictAll();
    assertEquals(4, world.out.size());
  }

  /** Whichever copy of a use fails, to the host or from it: the same use finds all bytes when it is tried again. */
  @Test
  void aCopyThatFailsLosesNoPage() {
    int failures = 0;
    for (int copy = 0; copy < 8; copy++) {
      World world = new World(4);
      world.table.add("small", TensorType.u8(4, 64), 4);
      world.table.add("large", TensorType.u8(2, 64), 1);
      for (int i = 0; i < 4; i++) {
        world.use(set(world, i));
        world.write(world.table.pages().get(i), 7 + i);
      }
      // There are gaps of one where two are asked for: all four go, two come back, and the large one.
      world.use(set(world, 1, 3));
      world.copiesLeft = copy;
      try {
        world.use(set(world, 1, 3, 4));
      } catch (IllegalStateException _) {
        failures++;
      }
      world.copiesLeft = -1;
      world.checkPlaces();
      world.use(set(world, 0, 1, 2, 3));
      world.use(set(world, 1, 3, 4));
      world.checkPlaces();
      world.pager.evictAll();
      world.truth.forEach((page, content) -> assertEquals(content, world.host.get(page), page.toString()));
    }
    assertEquals(7, failures);
  }

  @Test
  void misuseIsRefused() {
    World world = fourPagesInThree();
    assertThrows(IllegalStateException.class, () -> world.pager.bring(set(world, 0, 1, 2, 3)));
    World other = fourPagesInThree();
    other.use(set(other, 0));
    assertThrows(IllegalStateException.class, () -> other.pager.open(64));
    assertThrows(IllegalArgumentException.class, () -> other.table.add("b", TensorType.u8(3), 2));
  }
}
