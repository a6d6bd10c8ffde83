#include "jqlora.cuh"

static __device__ __forceinline__ unsigned mix(unsigned x) {
  unsigned h = x + 0x9e3779b9u;
  h = (h ^ h >> 16) * 0x7feb352du;
  h = (h ^ h >> 15) * 0x846ca68bu;
  return h ^ h >> 16;
}

// Keeps an element where the hash of (seed, index, site, element) is at least p in steps of 2^-24.
template <class T>
static __device__ __forceinline__ void drop(const T *x, const int *seed, const int *index, int site, float p, T *y,
                                            long long count) {
  unsigned stream = mix(static_cast<unsigned>(site) + mix(static_cast<unsigned>(*index) + mix(*seed)));
  float kept = 1 / (1 - p);
  for (long long i = first_index(); i < count; i += all_threads()) {
    float drawn = static_cast<float>(mix(stream + static_cast<unsigned>(i)) & 0xffffffu) * 0x1p-24f;
    store(y + i, drawn >= p ? to_float(x[i]) * kept : 0);
  }
}

KERNEL(256) dropout_f32(const float *x, const int *seed, const int *index, int site, float p, float *y, long long count) {
  drop(x, seed, index, site, p, y, count);
}

KERNEL(256) dropout_bf16(const Bf16 *x, const int *seed, const int *index, int site, float p, Bf16 *y, long long count) {
  drop(x, seed, index, site, p, y, count);
}
