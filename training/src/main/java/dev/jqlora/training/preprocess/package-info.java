/** From raw data in MedQA's layout to the datasets of the two training stages. */
@NullMarked
package dev.jqlora.training.preprocess;

import org.jspecify.annotations.NullMarked;
