package dev.jqlora.training.run;

import java.nio.file.Path;

/**
 * A checkpoint that a run can go on from, checked to be whole.
 *
 * @param folder with the weights, {@link SessionStates#FILE} and the rest
 */
public record SavedRun(Path folder, TrainerState trainer, ResumeState resume) {}
