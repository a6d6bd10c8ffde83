/** The TornadoVM backend: kernels are Java methods that TornadoVM compiles for the device when they first run. */
@NullMarked
package dev.jqlora.engine.tornado;

import org.jspecify.annotations.NullMarked;
