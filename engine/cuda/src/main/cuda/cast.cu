#include "jqlora.cuh"

static __device__ __forceinline__ float load_as_float(const void *x, int type, long long i) {
  switch (type) {
    case TYPE_F32:
      return static_cast<const float *>(x)[i];
    case TYPE_BF16:
      return to_float(static_cast<const Bf16 *>(x)[i]);
    case TYPE_F16:
      return to_float(static_cast<const F16 *>(x)[i]);
    case TYPE_I32:
      return static_cast<float>(static_cast<const int *>(x)[i]);
    default:
      return static_cast<float>(static_cast<const unsigned char *>(x)[i]);
  }
}

// Elements in another type, rounded to nearest even.
KERNEL(256) cast(const void *x, int from, void *y, int to, long long count) {
  for (long long i = first_index(); i < count; i += all_threads()) {
    float value = load_as_float(x, from, i);
    if (to == TYPE_F32) {
      static_cast<float *>(y)[i] = value;
    } else {
      static_cast<unsigned short *>(y)[i] = to == TYPE_BF16 ? float_to_bf16(value) : float_to_half(value);
    }
  }
}
