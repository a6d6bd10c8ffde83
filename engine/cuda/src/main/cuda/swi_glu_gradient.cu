#include "jqlora.cuh"

// dgate = dy · up · s · (1 + gate · (1 - s)) and dup = dy · gate · s with s = 1 / (1 + exp(-gate)); outputs may be inputs.
template <class T>
static __device__ __forceinline__ void input_gradients(const T *gate, const T *up, const T *dy, T *dgate, T *dup,
                                                       long long count) {
  for (long long i = first_index(); i < count; i += all_threads()) {
    float g = to_float(gate[i]);
    float u = to_float(up[i]);
    float d = to_float(dy[i]);
    float s = 1 / (1 + expf(-g));
    store(dgate + i, d * u * (s * (1 + g * (1 - s))));
    store(dup + i, d * (g * s));
  }
}

KERNEL(256) swi_glu_gradient_f32(const float *gate, const float *up, const float *dy, float *dgate, float *dup,
                                 long long count) {
  input_gradients(gate, up, dy, dgate, dup, count);
}

KERNEL(256) swi_glu_gradient_bf16(const Bf16 *gate, const Bf16 *up, const Bf16 *dy, Bf16 *dgate, Bf16 *dup,
                                  long long count) {
  input_gradients(gate, up, dy, dgate, dup, count);
}
