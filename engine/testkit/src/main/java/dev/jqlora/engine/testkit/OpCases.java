package dev.jqlora.engine.testkit;

/**
 * The cases of one op. The class stands in the package {@code cases}, is named after the op ({@code RmsNormCases}) and has
 * a constructor without parameters; being there is all it takes to be found.
 */
public interface OpCases {
  void list(CaseList cases);
}
