#include "jqlora.cuh"

// y = gate / (1 + exp(-gate)) · up; y may be either.
KERNEL(256) swi_glu(const float *gate, const float *up, float *y, long long count) {
  for (long long i = first_index(); i < count; i += all_threads()) {
    y[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
  }
}
