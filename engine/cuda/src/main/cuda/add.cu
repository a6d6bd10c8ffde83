#include "jqlora.cuh"

// c = a + b; a step of 0 repeats a single number.
KERNEL(256) add(const float *a, int a_step, const float *b, int b_step, float *c, long long count) {
  for (long long i = first_index(); i < count; i += all_threads()) {
    c[i] = a[i * a_step] + b[i * b_step];
  }
}
