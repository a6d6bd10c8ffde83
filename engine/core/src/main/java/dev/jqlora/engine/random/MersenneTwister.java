package dev.jqlora.engine.random;

/**
 * MT19937 (Matsumoto and Nishimura, 1998) seeded by {@code init_genrand}: torch's generator on the CPU, so that a seed
 * gives the data order that it gives there.
 */
public final class MersenneTwister {
  private static final int SIZE = 624;
  private static final int MIDDLE = 397;
  private static final int UPPER = 0x80000000;
  private static final int LOWER = 0x7fffffff;
  private static final int TWIST = 0x9908b0df;

  private final int[] state = new int[SIZE];
  private int next = SIZE;

  /** A generator from the low 32 bits of a seed. */
  public MersenneTwister(long seed) {
    state[0] = (int) seed;
    for (int i = 1; i < SIZE; i++) {
      state[i] = 1812433253 * (state[i - 1] ^ state[i - 1] >>> 30) + i;
    }
  }

  /** The next 32 random bits. */
  public int nextBits() {
    if (next == SIZE) {
      twist();
    }
    int bits = state[next++];
    bits ^= bits >>> 11;
    bits ^= bits << 7 & 0x9d2c5680;
    bits ^= bits << 15 & 0xefc60000;
    return bits ^ bits >>> 18;
  }

  /** A whole number from 0 to below {@code bound}: the bits' remainder, as torch's {@code randperm} takes it. */
  public int nextBelow(int bound) {
    return Integer.remainderUnsigned(nextBits(), bound);
  }

  /** A float32 from 0 to below 1 with 24 random bits, as torch's {@code uniform_} makes it of one draw. */
  public float nextFloat() {
    return (nextBits() & 0xffffff) * 0x1p-24f;
  }

  /** The order of {@code torch.randperm(n)} under {@code seed}: 0 to n - 1, each once. */
  public static int[] permutation(int n, long seed) {
    var random = new MersenneTwister(seed);
    int[] order = new int[n];
    for (int i = 0; i < n; i++) {
      order[i] = i;
    }
    for (int i = 0; i < n - 1; i++) {
      int other = i + random.nextBelow(n - i);
      int held = order[i];
      order[i] = order[other];
      order[other] = held;
    }
    return order;
  }

  private void twist() {
    for (int i = 0; i < SIZE; i++) {
      int bits = state[i] & UPPER | state[(i + 1) % SIZE] & LOWER;
      state[i] = state[(i + MIDDLE) % SIZE] ^ bits >>> 1 ^ ((bits & 1) == 0 ? 0 : TWIST);
    }
    next = 0;
  }
}
