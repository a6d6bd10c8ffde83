#include "jqlora.cuh"

// y = factor · x + offset
KERNEL(256) scale(const float *x, float factor, float offset, float *y, long long count) {
  for (long long i = first_index(); i < count; i += all_threads()) {
    y[i] = factor * x[i] + offset;
  }
}
