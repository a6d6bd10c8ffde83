#include "jqlora.cuh"

// dgate = dy · up · s · (1 + gate · (1 - s)) and dup = dy · gate · s with s = 1 / (1 + exp(-gate)); outputs may be inputs.
KERNEL(256) swi_glu_gradient(const float *gate, const float *up, const float *dy, float *dgate, float *dup,
                             long long count) {
  for (long long i = first_index(); i < count; i += all_threads()) {
    float g = gate[i];
    float u = up[i];
    float d = dy[i];
    float s = 1 / (1 + expf(-g));
    dgate[i] = d * u * (s * (1 + g * (1 - s)));
    dup[i] = d * (g * s);
  }
}
