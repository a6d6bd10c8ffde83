#include "jqlora.cuh"

// The index of the largest logit of each row, the lowest among equals. A block a row.
KERNEL(256) arg_max(const float *logits, int width, int *ids) {
  __shared__ float largest[256];
  __shared__ int places[256];
  const float *row = logits + static_cast<long long>(blockIdx.x) * width;
  int thread = threadIdx.x;
  largest[thread] = -INFINITY;
  places[thread] = 0;
  for (int i = thread; i < width; i += blockDim.x) {
    if (row[i] > largest[thread]) {
      largest[thread] = row[i];
      places[thread] = i;
    }
  }
  __syncthreads();
  for (int step = blockDim.x / 2; step > 0; step /= 2) {
    if (thread < step) {
      float other = largest[thread + step];
      int place = places[thread + step];
      if (other > largest[thread] || (other == largest[thread] && place < places[thread])) {
        largest[thread] = other;
        places[thread] = place;
      }
    }
    __syncthreads();
  }
  if (thread == 0) {
    ids[blockIdx.x] = places[0];
  }
}
