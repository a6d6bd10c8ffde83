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

// Kernels are named after the elements of their matrices.
using f32 = float;
using f16 = F16;
using bf16 = Bf16;

#define MAT_MUL(B)                                                                                                     \
  KERNEL(256) mat_mul_##B(const float *a, int transpose_a, const B *b, int transpose_b, int m, int n, int k,           \
                          float alpha, int accumulate, float *c) {                                                     \
    __shared__ GemmRoom room;                                                                                          \
    multiply_batch(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);                               \
  }

MAT_MUL(f32)
MAT_MUL(bf16)
MAT_MUL(f16)

// The same on tensor cores. Lines of a and b are multiples of 16 bytes.
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

#define MAT_MUL_MMA(A, B, C)                                                                                           \
  KERNEL(256) mat_mul_mma_##A##_##B##_##C(const A *a, int transpose_a, const B *b, int transpose_b, int m, int n,      \
                                          int k, float alpha, int accumulate, C *c) {                                  \
    __shared__ Room<A, B> room;                                                                                        \
    multiply_batch_mma(a, transpose_a, b, transpose_b, m, n, k, alpha, accumulate, c, room);                           \
  }

MAT_MUL_MMA(f32, f32, f32)
MAT_MUL_MMA(f32, bf16, f32)
MAT_MUL_MMA(f32, f16, f32)
MAT_MUL_MMA(bf16, f32, f32)
MAT_MUL_MMA(f32, f32, bf16)
MAT_MUL_MMA(bf16, f32, bf16)
MAT_MUL_MMA(bf16, bf16, bf16)
MAT_MUL_MMA(bf16, f16, bf16)

// c = x · bᵀ for one row x [k] and b [n, k].
#define MAT_VEC(B)                                                                                                     \
  KERNEL(128) mat_vec_##B(const float *x, const B *b, int n, int k, float *c) {                                        \
    gemv(x, Matrix<B>{b, k, 1}, n, k, c);                                                                              \
  }

MAT_VEC(f32)
MAT_VEC(bf16)
MAT_VEC(f16)
