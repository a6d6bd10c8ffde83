#include "jqlora.cuh"

// c = a + b; a step of 0 repeats a single number.
template <class A, class B, class C>
static __device__ __forceinline__ void add_elements(const A *a, int a_step, const B *b, int b_step, C *c,
                                                    long long count) {
  for (long long i = first_index(); i < count; i += all_threads()) {
    store(c + i, to_float(a[i * a_step]) + to_float(b[i * b_step]));
  }
}

KERNEL(256) add_f32_f32(const float *a, int a_step, const float *b, int b_step, float *c, long long count) {
  add_elements(a, a_step, b, b_step, c, count);
}

KERNEL(256) add_f32_bf16(const float *a, int a_step, const Bf16 *b, int b_step, float *c, long long count) {
  add_elements(a, a_step, b, b_step, c, count);
}

KERNEL(256) add_bf16_bf16(const Bf16 *a, int a_step, const Bf16 *b, int b_step, Bf16 *c, long long count) {
  add_elements(a, a_step, b, b_step, c, count);
}
