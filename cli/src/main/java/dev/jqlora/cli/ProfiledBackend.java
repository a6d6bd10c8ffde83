package dev.jqlora.cli;

import dev.jqlora.engine.backend.Backend;
import dev.jqlora.engine.backend.Profile;
import dev.jqlora.engine.backend.Session;
import java.io.PrintWriter;

/** A backend all of whose sessions tell one profile, which is printed when it is closed. */
final class ProfiledBackend extends ForwardingBackend {
  private final Profile profile = new Profile();
  private final PrintWriter err;

  ProfiledBackend(Backend backend, PrintWriter err) {
    super(backend);
    this.err = err;
  }

  @Override
  public Session open(long memoryLimitBytes) {
    Session session = super.open(memoryLimitBytes);
    session.profile(profile);
    return session;
  }

  @Override
  public void close() {
    super.close();
    ProfileTable.print(profile, err::println);
    err.flush();
  }
}
