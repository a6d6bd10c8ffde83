package dev.jqlora.llama.hub;

import dev.jqlora.engine.error.JqloraException;
import dev.jqlora.engine.error.JqloraException.Kind;
import dev.jqlora.llama.files.FileErrors;
import java.net.http.HttpResponse;

/** What the hub's refusals mean and what to do about them. */
final class HubErrors {
  private HubErrors() {}

  static JqloraException of(RepoId repo, String revision, String what, HttpResponse<?> response, boolean hasToken) {
    int status = response.statusCode();
    String code = response.headers().firstValue("X-Error-Code").orElse("");
    String message = switch (code) {
      case "GatedRepo" ->
        "%s is gated: accept its licence on its page, then %s".formatted(repo.name(), gatedAdvice(status,
            hasToken));
      case "RepoNotFound" -> notFound(repo, hasToken);
      case "RevisionNotFound" -> "%s has no revision %s; check its page".formatted(repo.name(), FileErrors.quoted(
          revision));
      case "EntryNotFound" -> "%s at %s has no %s; it is no model that can be used here".formatted(repo.name(),
          FileErrors.printable(revision), what);
      default -> switch (status) {
        case 401, 404 -> notFound(repo, hasToken);
        default -> "the hub answered %d for %s of %s%s; try again later".formatted(status, what, repo.name(), response
            .headers().firstValue("X-Error-Message").map(text -> " (" + FileErrors.printable(text) + ")").orElse(""));
      };
    };
    return new JqloraException(Kind.NETWORK, message);
  }

  private static String gatedAdvice(int status, boolean hasToken) {
    if (!hasToken) {
      return "set HF_TOKEN to a token with read permission";
    }
    return status == 401
        ? "replace the token, which the hub does not know"
        : "wait until access is granted, and use a token that may read gated repositories";
  }

  private static String notFound(RepoId repo, boolean hasToken) {
    return "%s is not on the hub, or is private; check the name%s".formatted(repo.name(), hasToken
        ? " and that the token may read it"
        : ", or set HF_TOKEN if it is private");
  }
}
