/** The command line: one file a command. Only this module prints, and only it chooses a backend. */
@NullMarked
package dev.jqlora.cli;

import org.jspecify.annotations.NullMarked;
