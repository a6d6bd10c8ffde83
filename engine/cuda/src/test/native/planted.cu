// Kernels of the backend with a bug planted in each. Where a test asks for it, the driver takes them for those whose names
// follow planted_, and the suite of the op must fail.
#include "jqlora.cuh"

// Wrong index: the second element of a pair is turned by its neighbour's angle.
KERNEL(256) planted_rope_f32(const float *x, const int *positions, const float *cosines, const float *sines, int heads,
                             int half, float sign, float *y) {
  long long angles = static_cast<long long>(positions[blockIdx.x]) * half;
  for (int i = threadIdx.x; i < heads * half; i += blockDim.x) {
    long long at = (static_cast<long long>(blockIdx.x) * heads + i / half) * 2 * half + i % half;
    float x1 = x[at];
    float x2 = x[at + half];
    y[at] = x1 * cosines[angles + i % half] - x2 * sines[angles + i % half] * sign;
    y[at + half] = x2 * cosines[angles + (i + 1) % half] + x1 * sines[angles + (i + 1) % half] * sign;
  }
}

// Missing barrier: halves are compared before the other half is there.
KERNEL(256) planted_arg_max(const float *logits, int width, int *ids) {
  __shared__ float largest[256];
  __shared__ int places[256];
  const float *row = logits + static_cast<long long>(blockIdx.x) * width;
  int thread = threadIdx.x;
  largest[thread] = thread < width ? row[thread] : -INFINITY;
  places[thread] = thread;
  for (int step = blockDim.x / 2; step > 0; step /= 2) {
    if (thread < step && largest[thread + step] > largest[thread]) {
      largest[thread] = largest[thread + step];
      places[thread] = places[thread + step];
    }
    __syncthreads();
  }
  if (thread == 0) {
    ids[blockIdx.x] = places[0];
  }
}

// Race: all warps add to one place.
KERNEL(256) planted_sum_of_squares_of_runs(const float *x, long long count, float *sums) {
  __shared__ float total;
  if (threadIdx.x == 0) {
    total = 0;
  }
  __syncthreads();
  long long first = static_cast<long long>(blockIdx.x) * 4096;
  long long end = min(first + 4096, count);
  float sum = 0;
  for (long long i = first + threadIdx.x; i < end; i += blockDim.x) {
    sum += x[i] * x[i];
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) {
    total += sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    sums[blockIdx.x] = total;
  }
}

// Out of bounds: one element too many.
KERNEL(256) planted_swi_glu_f32(const float *gate, const float *up, float *y, long long count) {
  for (long long i = first_index(); i <= count; i += all_threads()) {
    y[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
  }
}

// Wrong accumulate type: sums are bf16.
KERNEL(256) planted_mat_mul_mma_f32_f32_f32(const float *a, int transpose_a, const float *b, int transpose_b, int m, int n,
                                            int k, float alpha, int accumulate, float *c) {
  a += static_cast<long long>(blockIdx.z) * m * k;
  b += static_cast<long long>(blockIdx.z) * n * k;
  c += static_cast<long long>(blockIdx.z) * m * n;
  for (int i = threadIdx.x; i < 64 * 128; i += blockDim.x) {
    int row = blockIdx.y * 64 + i / 128;
    int column = blockIdx.x * 128 + i % 128;
    if (row < m && column < n) {
      Bf16 sum = {0};
      for (int l = 0; l < k; l++) {
        float left = a[transpose_a ? l * m + row : row * k + l];
        float right = b[transpose_b ? column * k + l : l * n + column];
        sum.bits = float_to_bf16(to_float(sum) + left * right);
      }
      c[row * n + column] = alpha * to_float(sum) + (accumulate ? c[row * n + column] : 0);
    }
  }
}
