/** What tests of every module share: reference data, cases, guards. */
@NullMarked
package dev.jqlora.engine.testkit;

import org.jspecify.annotations.NullMarked;
