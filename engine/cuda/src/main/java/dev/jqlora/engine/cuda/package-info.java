/** The backend for NVIDIA GPUs: kernels of its own, run through the CUDA driver by JCuda. */
@NullMarked
package dev.jqlora.engine.cuda;

import org.jspecify.annotations.NullMarked;
