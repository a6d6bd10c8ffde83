/** The cases of each op, one file an op and found by its name: what must be right, what must fail, what is timed. */
@NullMarked
package dev.jqlora.engine.testkit.cases;

import org.jspecify.annotations.NullMarked;
