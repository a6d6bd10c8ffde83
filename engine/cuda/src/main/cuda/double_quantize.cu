#include "dynamic_map.cuh"

// The sum of each 256 numbers in order, a thread a sum.
KERNEL(256) absmax_sums(const float *absmax, long long count, double *sums) {
  long long first = first_index() * 256;
  if (first >= count) {
    return;
  }
  double sum = 0;
  for (long long i = first; i < min(first + 256, count); i++) {
    sum += absmax[i];
  }
  sums[first / 256] = sum;
}

// The mean of count numbers, of which there are sums, by a single thread: there is one order.
KERNEL(32) absmax_mean(const double *sums, long long blocks, long long count, float *mean) {
  double sum = 0;
  for (long long i = 0; i < blocks; i++) {
    sum += sums[i];
  }
  *mean = static_cast<float>(sum / static_cast<double>(count));
}

// Distances from the mean as codes of the signed map times the largest of 256, a block of threads 256 of them.
KERNEL(256) double_quantize(const float *absmax, long long count, const float *mean, unsigned char *codes, float *nested) {
  __shared__ float map[256];
  __shared__ float room[8];
  map[threadIdx.x] = signed_value(threadIdx.x);
  long long i = static_cast<long long>(blockIdx.x) * 256 + threadIdx.x;
  float distance = i < count ? __fadd_rn(absmax[i], -*mean) : 0.0f;
  float largest = block_max(fabsf(distance), room);
  if (i < count) {
    codes[i] = static_cast<unsigned char>(quantize(map, distance, largest));
  }
  if (threadIdx.x == 0) {
    nested[blockIdx.x] = largest;
  }
}
