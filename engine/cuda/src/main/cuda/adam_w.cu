#include "jqlora.cuh"

// One step of AdamW with float moments, in place; rates are {stepSize, correction, decay}, scale the clipping's factor.
KERNEL(256) adam_w(float *p, const float *gradient, float *m, float *v, const float *rates, const float *scale,
                   float beta1, float gradient1, float beta2, float gradient2, float epsilon, long long count) {
  for (long long i = first_index(); i < count; i += all_threads()) {
    float g = *scale * gradient[i];
    float new_m = m[i] * beta1 + gradient1 * g;
    float new_v = v[i] * beta2 + gradient2 * (g * g);
    m[i] = new_m;
    v[i] = new_v;
    p[i] = p[i] * rates[2] + rates[0] * (new_m / (sqrtf(new_v) / rates[1] + epsilon));
  }
}
