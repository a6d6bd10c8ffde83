package dev.jqlora.bench.peers;

import dev.jqlora.bench.Task;

/**
 * A product as cuBLAS is asked for it. To it matrices lie column by column, so our {@code c} is its transpose, and
 * {@code cᵀ = op(b)ᵀ · aᵀ}: b comes first, m and n change places, and what we call transposed it does not, and the reverse.
 *
 * @param transposesFirst whether its first factor, our b, is to be transposed
 * @param m columns of our c
 * @param n rows of our c
 * @param k the inner extent
 * @param first leading dimension of the first factor: the length of a row of our b
 * @param second of the second, our a, which is not transposed
 * @param result of the result
 */
record CublasGemm(boolean transposesFirst, int m, int n, int k, int first, int second, int result) {
  static CublasGemm of(Task.Product task) {
    return new CublasGemm(task.transposed(), task.n(), task.m(), task.k(), task.transposed() ? task.k() : task.n(),
        task.k(), task.n());
  }
}
