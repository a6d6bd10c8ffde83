// Kernels with one fault each, and each fault's kernel without it: what the checks must find, and what they must let pass.
#include "jqlora.cuh"

KERNEL(64) sound_reverse(const float *x, float *y) {
  __shared__ float room[64];
  room[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = room[63 - threadIdx.x];
}

KERNEL(64) missing_barrier(const float *x, float *y) {
  __shared__ float room[64];
  room[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] = room[63 - threadIdx.x];
}

KERNEL(64) missing_barrier_before_reuse(const float *x, float *y) {
  __shared__ float room[64];
  room[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = room[63 - threadIdx.x];
  room[threadIdx.x] = 0;
}

KERNEL(64) two_writers(const float *x, float *y) {
  __shared__ float room[64];
  room[threadIdx.x / 2] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = room[threadIdx.x / 2];
}

KERNEL(64) barrier_of_some(const float *x, float *y) {
  if (threadIdx.x < 32) {
    __syncthreads();
  }
  y[threadIdx.x] = x[threadIdx.x];
}

KERNEL(64) barriers_apart(const float *x, float *y) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = x[threadIdx.x];
}

KERNEL(64) lanes_apart(const float *x, float *y) {
  float sum = threadIdx.x % 2 == 0 ? warp_sum(x[threadIdx.x]) : 0;
  y[threadIdx.x] = sum;
}

KERNEL(64) reads_too_far(const float *x, float *y) { y[threadIdx.x] = x[threadIdx.x + 1]; }

KERNEL(64) writes_too_far(const float *x, float *y) { y[threadIdx.x + 1] = x[threadIdx.x]; }

KERNEL(64) writes_before(const float *x, float *y) { y[static_cast<int>(threadIdx.x) - 1] = x[threadIdx.x]; }

KERNEL(64) sound_copy(const float *x, float *y) {
  __shared__ __align__(16) float room[64];
  if (threadIdx.x < 16) {
    cp_async_16(&room[threadIdx.x * 4], &x[threadIdx.x * 4]);
  }
  cp_async_commit();
  cp_async_wait<0>();
  __syncthreads();
  y[threadIdx.x] = room[threadIdx.x];
}

KERNEL(64) copy_not_waited_for(const float *x, float *y) {
  __shared__ __align__(16) float room[64];
  if (threadIdx.x < 16) {
    cp_async_16(&room[threadIdx.x * 4], &x[threadIdx.x * 4]);
  }
  cp_async_commit();
  cp_async_wait<1>();
  __syncthreads();
  y[threadIdx.x] = room[threadIdx.x];
}

KERNEL(64) copy_waited_for_by_one_alone(const float *x, float *y) {
  __shared__ __align__(16) float room[64];
  if (threadIdx.x < 16) {
    cp_async_16(&room[threadIdx.x * 4], &x[threadIdx.x * 4]);
  }
  cp_async_commit();
  cp_async_wait<0>();
  y[threadIdx.x] = room[63 - threadIdx.x];
}
