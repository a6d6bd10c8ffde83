#include "jqlora.cuh"

// Turns elements i and i + half of each head by the angle of the row's position; sign -1 turns back. A block a row; y may be x.
template <class T>
static __device__ __forceinline__ void turn(const T *x, const int *positions, const float *cosines, const float *sines,
                                            int heads, int half, float sign, T *y) {
  long long angles = static_cast<long long>(positions[blockIdx.x]) * half;
  for (int i = threadIdx.x; i < heads * half; i += blockDim.x) {
    long long at = (static_cast<long long>(blockIdx.x) * heads + i / half) * 2 * half + i % half;
    float c = cosines[angles + i % half];
    float s = sines[angles + i % half] * sign;
    float x1 = to_float(x[at]);
    float x2 = to_float(x[at + half]);
    store(y + at, x1 * c - x2 * s);
    store(y + at + half, x2 * c + x1 * s);
  }
}

KERNEL(256) rope_f32(const float *x, const int *positions, const float *cosines, const float *sines, int heads, int half,
                     float sign, float *y) {
  turn(x, positions, cosines, sines, heads, half, sign, y);
}

KERNEL(256) rope_bf16(const Bf16 *x, const int *positions, const float *cosines, const float *sines, int heads, int half,
                      float sign, Bf16 *y) {
  turn(x, positions, cosines, sines, heads, half, sign, y);
}
