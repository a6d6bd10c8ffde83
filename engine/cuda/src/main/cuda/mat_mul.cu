#include "gemm.cuh"
#include "gemm_mma.cuh"

// c[batch] = alpha · op(a[batch]) · op(b[batch]) (+ c[batch] where accumulate), with c [m, n] and the inner extent k; op
// transposes where asked.
template <class T>
static __device__ void multiply_batch(const float *a, int transpose_a, const T *b, int transpose_b, int m, int n, int k,
                                      float alpha, int accumulate, float *c, GemmRoom &room) {
  long long batch = blockIdx.z;
  Matrix<float> left = {a + batch * m * k, transpose_a ? 1 : k, transpose_a ? m : 1};
  Matrix<T> right = {b + batch * n * k, transpose_b ? k : 1, transpose_b ? 1 : n};
  float *to = c + batch * m * n;
  gemm(left, right, m, n, k, alpha, accumulate ? to : nullptr, to, room);
}

KERNEL(256) mat_mul_f32(const float *a, int transpose_a, const float *b, int transpose_b, int m, int n, int k, float alpha,
                        int accumulate, float *c) {
  __shared__ GemmRoom room;
  multiply_batch(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

KERNEL(256) mat_mul_bf16(const float *a, int transpose_a, const Bf16 *b, int transpose_b, int m, int n, int k, float alpha,
                         int accumulate, float *c) {
  __shared__ GemmRoom room;
  multiply_batch(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

KERNEL(256) mat_mul_f16(const float *a, int transpose_a, const F16 *b, int transpose_b, int m, int n, int k, float alpha,
                        int accumulate, float *c) {
  __shared__ GemmRoom room;
  multiply_batch(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

// The same on tensor cores, named after the elements of a, b and c. Lines of a and b are multiples of 16 bytes.
template <class A, class B>
using Room = MmaRoom<MmaMatrix<A, MMA_ROWS>, MmaMatrix<B, MMA_COLUMNS>>;

template <class A, class B, class C>
static __device__ __forceinline__ void multiply_batch_mma(const A *a, int transpose_a, const B *b, int transpose_b, int m,
                                                          int n, int k, float alpha, int accumulate, C *c,
                                                          Room<A, B> &room) {
  long long batch = blockIdx.z;
  C *to = c + batch * m * n;
  gemm_mma(MmaMatrix<A, MMA_ROWS>{a + batch * m * k, m, k, transpose_a != 0},
           MmaMatrix<B, MMA_COLUMNS>{b + batch * n * k, n, k, transpose_b == 0}, m, n, k, alpha,
           accumulate ? to : static_cast<const C *>(nullptr), to, room);
}

KERNEL(256) mat_mul_mma_f32_f32_f32(const float *a, int transpose_a, const float *b, int transpose_b, int m, int n,
                                    int k, float alpha, int accumulate, float *c) {
  __shared__ Room<float, float> room;
  multiply_batch_mma(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

KERNEL(256) mat_mul_mma_f32_bf16_f32(const float *a, int transpose_a, const Bf16 *b, int transpose_b, int m, int n,
                                     int k, float alpha, int accumulate, float *c) {
  __shared__ Room<float, Bf16> room;
  multiply_batch_mma(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

KERNEL(256) mat_mul_mma_f32_f16_f32(const float *a, int transpose_a, const F16 *b, int transpose_b, int m, int n,
                                    int k, float alpha, int accumulate, float *c) {
  __shared__ Room<float, F16> room;
  multiply_batch_mma(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

KERNEL(256) mat_mul_mma_bf16_f32_f32(const Bf16 *a, int transpose_a, const float *b, int transpose_b, int m, int n,
                                     int k, float alpha, int accumulate, float *c) {
  __shared__ Room<Bf16, float> room;
  multiply_batch_mma(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

KERNEL(256) mat_mul_mma_f32_f32_bf16(const float *a, int transpose_a, const float *b, int transpose_b, int m, int n,
                                     int k, float alpha, int accumulate, Bf16 *c) {
  __shared__ Room<float, float> room;
  multiply_batch_mma(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

KERNEL(256) mat_mul_mma_bf16_f32_bf16(const Bf16 *a, int transpose_a, const float *b, int transpose_b, int m, int n,
                                      int k, float alpha, int accumulate, Bf16 *c) {
  __shared__ Room<Bf16, float> room;
  multiply_batch_mma(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

KERNEL(256) mat_mul_mma_bf16_bf16_bf16(const Bf16 *a, int transpose_a, const Bf16 *b, int transpose_b, int m, int n,
                                       int k, float alpha, int accumulate, Bf16 *c) {
  __shared__ Room<Bf16, Bf16> room;
  multiply_batch_mma(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

KERNEL(256) mat_mul_mma_bf16_f16_bf16(const Bf16 *a, int transpose_a, const F16 *b, int transpose_b, int m, int n,
                                      int k, float alpha, int accumulate, Bf16 *c) {
  __shared__ Room<Bf16, F16> room;
  multiply_batch_mma(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);
}

// c = x · bᵀ for one row x [k] and b [n, k].
KERNEL(128) mat_vec_f32(const float *x, const float *b, int n, int k, float *c) {
  gemv(x, Matrix<float>{b, k, 1}, n, k, c);
}

KERNEL(128) mat_vec_bf16(const float *x, const Bf16 *b, int n, int k, float *c) {
  gemv(x, Matrix<Bf16>{b, k, 1}, n, k, c);
}

KERNEL(128) mat_vec_f16(const float *x, const F16 *b, int n, int k, float *c) {
  gemv(x, Matrix<F16>{b, k, 1}, n, k, c);
}
