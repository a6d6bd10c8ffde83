package dev.jqlora.training.data;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.engine.random.MersenneTwister;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Which examples each optimizer step reads. A pure function of the step's index, so that a resumed run goes on with
 * the very batches of an uninterrupted one. With shuffling, epoch e has the order of {@code torch.randperm} under
 * {@code seed + e}; an epoch's last update may have fewer micro-batches, and its last micro-batch fewer examples.
 */
public final class BatchPlan {
  private final int examples;
  private final int batchSize;
  private final int accumulation;
  private final int batchesPerEpoch;
  private final boolean shuffle;
  private final long seed;
  private int orderedEpoch = -1;
  private int[] order = {};

  /**
   * A plan over {@code examples} examples.
   *
   * @param batchSize examples per micro-batch
   * @param accumulation micro-batches per optimizer step
   * @param dropLast whether a last micro-batch that is not full is left out
   * @throws JqloraException {@code DATA} where there is nothing to train on
   */
  public BatchPlan(int examples, int batchSize, int accumulation, boolean dropLast, boolean shuffle, long seed) {
    if (examples < 1) {
      throw new JqloraException(Kind.DATA, "the training set is empty; check dataset, max_samples and cutoff_len");
    }
    this.examples = examples;
    this.batchSize = batchSize;
    this.accumulation = accumulation;
    this.shuffle = shuffle;
    this.seed = seed;
    this.batchesPerEpoch = dropLast ? examples / batchSize : Math.ceilDiv(examples, batchSize);
    if (batchesPerEpoch == 0) {
      throw new JqloraException(Kind.DATA, "dataloader_drop_last leaves no batch: " + examples
          + " examples with per_device_train_batch_size " + batchSize);
    }
  }

  /** Micro-batches in an epoch. */
  public int batchesPerEpoch() {
    return batchesPerEpoch;
  }

  /** Optimizer steps in an epoch. */
  public int updatesPerEpoch() {
    return Math.ceilDiv(batchesPerEpoch, accumulation);
  }

  /** Optimizer steps of a run: {@code maxSteps} where it is above 0, else those of {@code epochs}. */
  public int totalUpdates(double epochs, int maxSteps) {
    return maxSteps > 0 ? maxSteps : (int) Math.min(Integer.MAX_VALUE, Math.ceil(epochs * updatesPerEpoch()));
  }

  /**
   * The micro-batches of an optimizer step, each a list of example indices.
   *
   * @param update optimizer steps done before it, in all epochs
   */
  public List<int[]> update(int update) {
    int[] epochOrder = orderOf(update / updatesPerEpoch());
    int firstBatch = update % updatesPerEpoch() * accumulation;
    var microBatches = new ArrayList<int[]>();
    for (int batch = firstBatch; batch < Math.min(firstBatch + accumulation, batchesPerEpoch); batch++) {
      int from = batch * batchSize;
      int to = Math.min(from + batchSize, examples);
      microBatches.add(Arrays.copyOfRange(epochOrder, from, to));
    }
    return microBatches;
  }

  /** Epochs done after so many optimizer steps, with the share of the one in progress counted in micro-batches. */
  public double epochsAfter(int updates) {
    int batches = updates % updatesPerEpoch() * accumulation;
    return updates / updatesPerEpoch() + batches / (double) batchesPerEpoch;
  }

  private int[] orderOf(int epoch) {
    if (orderedEpoch != epoch) {
      order = shuffle
          ? MersenneTwister.permutation(examples, seed + epoch)
          : IntStream.range(0, examples).toArray();
      orderedEpoch = epoch;
    }
    return order;
  }
}
