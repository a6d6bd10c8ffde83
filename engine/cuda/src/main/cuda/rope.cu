#include "jqlora.cuh"

// Turns elements i and i + half of each head by the angle of the row's position; sign -1 turns back. A block a row; y may be x.
KERNEL(256) rope(const float *x, const int *positions, const float *cosines, const float *sines, int heads, int half,
                 float sign, float *y) {
  long long angles = static_cast<long long>(positions[blockIdx.x]) * half;
  for (int i = threadIdx.x; i < heads * half; i += blockDim.x) {
    long long at = (static_cast<long long>(blockIdx.x) * heads + i / half) * 2 * half + i % half;
    float c = cosines[angles + i % half];
    float s = sines[angles + i % half] * sign;
    float x1 = x[at];
    float x2 = x[at + half];
    y[at] = x1 * c - x2 * s;
    y[at + half] = x2 * c + x1 * s;
  }
}
