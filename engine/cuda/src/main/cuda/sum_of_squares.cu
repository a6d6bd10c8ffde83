#include "jqlora.cuh"

// The sum of squares of each run of 4,096 elements, a block a run.
KERNEL(256) sum_of_squares_of_runs(const float *x, long long count, float *sums) {
  __shared__ float room[8];
  long long first = static_cast<long long>(blockIdx.x) * 4096;
  long long end = min(first + 4096, count);
  float sum = 0;
  for (long long i = first + threadIdx.x; i < end; i += blockDim.x) {
    sum += x[i] * x[i];
  }
  sum = block_sum(sum, room);
  if (threadIdx.x == 0) {
    sums[blockIdx.x] = sum;
  }
}

// The sum of some numbers in a fixed order, by one block.
KERNEL(256) sum_all(const float *x, long long count, float *total) {
  __shared__ float room[8];
  float sum = 0;
  for (long long i = threadIdx.x; i < count; i += blockDim.x) {
    sum += x[i];
  }
  sum = block_sum(sum, room);
  if (threadIdx.x == 0) {
    *total = sum;
  }
}
