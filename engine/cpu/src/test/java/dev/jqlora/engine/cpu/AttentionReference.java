package dev.jqlora.engine.cpu;

/** Attention and its gradient by their definition, in float64 and with a matrix of scores. */
final class AttentionReference {
  private final AttentionShape shape;
  private final int tokens;
  private final AttentionShape.Visible visible;
  private final float[] q;
  private final float[] k;
  private final float[] v;

  AttentionReference(AttentionShape shape, float[] q, float[] k, float[] v, int tokens,
      AttentionShape.Visible visible) {
    this.shape = shape;
    this.q = q;
    this.k = k;
    this.v = v;
    this.tokens = tokens;
    this.visible = visible;
  }

  /** Output {@code [tokens, heads, headDim]}, then logsumexp {@code [tokens, heads]}. */
  double[] forward() {
    int d = shape.headDim();
    double[] result = new double[q.length + tokens * shape.heads()];
    for (int row = 0; row < tokens * shape.heads(); row++) {
      double[] p = probabilities(row);
      int kvHead = row % shape.heads() / shape.group();
      for (int key = 0; key < p.length; key++) {
        for (int i = 0; i < d; i++) {
          result[row * d + i] += p[key] * v[(key * shape.kvHeads() + kvHead) * d + i];
        }
      }
      result[q.length + row] = logSumExp(row);
    }
    return result;
  }

  /** dq, dk and dv one behind the other. */
  double[] backward(float[] dout) {
    int d = shape.headDim();
    double[] out = forward();
    double[] result = new double[q.length + k.length + v.length];
    for (int row = 0; row < tokens * shape.heads(); row++) {
      double[] p = probabilities(row);
      int kvHead = row % shape.heads() / shape.group();
      double delta = 0;
      for (int i = 0; i < d; i++) {
        delta += dout[row * d + i] * out[row * d + i];
      }
      for (int key = 0; key < p.length; key++) {
        int keyRow = (key * shape.kvHeads() + kvHead) * d;
        double dp = 0;
        for (int i = 0; i < d; i++) {
          dp += (double) dout[row * d + i] * v[keyRow + i];
        }
        double ds = p[key] * (dp - delta) / Math.sqrt(d);
        for (int i = 0; i < d; i++) {
          result[row * d + i] += ds * k[keyRow + i];
          result[q.length + keyRow + i] += ds * q[row * d + i];
          result[q.length + k.length + keyRow + i] += p[key] * dout[row * d + i];
        }
      }
    }
    return result;
  }

  private double[] probabilities(int row) {
    int token = row / shape.heads();
    double logSumExp = logSumExp(row);
    double[] p = new double[visible.last()[token] + 1];
    for (int key = visible.first()[token]; key < p.length; key++) {
      p[key] = Math.exp(score(row, key) - logSumExp);
    }
    return p;
  }

  private double logSumExp(int row) {
    int token = row / shape.heads();
    double max = Double.NEGATIVE_INFINITY;
    for (int key = visible.first()[token]; key <= visible.last()[token]; key++) {
      max = Math.max(max, score(row, key));
    }
    double sum = 0;
    for (int key = visible.first()[token]; key <= visible.last()[token]; key++) {
      sum += Math.exp(score(row, key) - max);
    }
    return max + Math.log(sum);
  }

  private double score(int row, int key) {
    int d = shape.headDim();
    int kvHead = row % shape.heads() / shape.group();
    double dot = 0;
    for (int i = 0; i < d; i++) {
      dot += (double) q[row * d + i] * k[(key * shape.kvHeads() + kvHead) * d + i];
    }
    return dot / Math.sqrt(d);
  }
}
