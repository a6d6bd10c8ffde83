#include "jqlora.cuh"

// y = gate / (1 + exp(-gate)) · up; y may be either.
template <class T>
static __device__ __forceinline__ void activate(const T *gate, const T *up, T *y, long long count) {
  for (long long i = first_index(); i < count; i += all_threads()) {
    float g = to_float(gate[i]);
    store(y + i, g / (1 + expf(-g)) * to_float(up[i]));
  }
}

KERNEL(256) swi_glu_f32(const float *gate, const float *up, float *y, long long count) { activate(gate, up, y, count); }

KERNEL(256) swi_glu_bf16(const Bf16 *gate, const Bf16 *up, Bf16 *y, long long count) { activate(gate, up, y, count); }
