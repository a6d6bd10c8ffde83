#include "jqlora.cuh"

// nll = ln Σ exp(logits) - logits[label] of a row, 0 where the label is negative; where asked the logits become the gradient of
// Σ nll, softmax less 1 at the label. A block a row.
KERNEL(256) cross_entropy(float *logits, const int *labels, int width, int gradient, float *nll) {
  __shared__ float room[8];
  float *row = logits + static_cast<long long>(blockIdx.x) * width;
  int label = labels[blockIdx.x];
  if (label < 0 || label >= width) {
    if (threadIdx.x == 0) {
      nll[blockIdx.x] = label < 0 ? 0.0f : __uint_as_float(0x7fc00000u);
    }
    for (int i = threadIdx.x; gradient && i < width; i += blockDim.x) {
      row[i] = 0;
    }
    return;
  }
  float largest = -INFINITY;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    largest = fmaxf(largest, row[i]);
  }
  largest = block_max(largest, room);
  float sum = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    sum += expf(row[i] - largest);
  }
  float log_sum = largest + logf(block_sum(sum, room));
  if (threadIdx.x == 0) {
    nll[blockIdx.x] = log_sum - row[label];
  }
  __syncthreads();
  for (int i = threadIdx.x; gradient && i < width; i += blockDim.x) {
    row[i] = expf(row[i] - log_sum) - (i == label ? 1.0f : 0.0f);
  }
}
