/** Reading text strictly as UTF-8, writing files all or nothing, and quoting foreign text in a message of one line. */
@NullMarked
package dev.jqlora.training.files;

import org.jspecify.annotations.NullMarked;
