// NVRTC as far as the backend can tell: takes a source and its headers, refuses what includes anything else, and gives PTX as
// CUDA 12.6 would write it. That is not compiled here: it is the PTX of the repository, by the source's name.
#include <cstring>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

namespace {

enum { SUCCESS = 0, INVALID_PROGRAM = 4, COMPILATION = 6 };

struct Program {
  std::string source, name, log, ptx;
  std::map<std::string, std::string> headers;
};

// The first header that a text includes and the program does not have, or nothing.
std::string missing(const Program &program, const std::string &text) {
  static const std::regex host_part("#else[^]*?#endif"), include("#include [\"<]([^\">]+)[\">]");
  std::string device = std::regex_replace(text, host_part, "#endif");
  for (std::sregex_iterator at(device.begin(), device.end(), include), end; at != end; ++at) {
    auto header = program.headers.find((*at)[1]);
    std::string inner = header == program.headers.end() ? (*at)[1].str() : missing(program, header->second);
    if (!inner.empty()) {
      return inner;
    }
  }
  return "";
}

}  // namespace

extern "C" {

int nvrtcVersion(int *major, int *minor) {
  *major = 12;
  *minor = 6;
  return SUCCESS;
}

const char *nvrtcGetErrorString(int code) { return code == COMPILATION ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR"; }

int nvrtcCreateProgram(Program **program, const char *source, const char *name, int count, const char *const *headers,
                       const char *const *names) {
  *program = new Program{source, name, "", "", {}};
  for (int i = 0; i < count; i++) {
    (*program)->headers[names[i]] = headers[i];
  }
  return SUCCESS;
}

int nvrtcDestroyProgram(Program **program) {
  delete *program;
  *program = nullptr;
  return SUCCESS;
}

int nvrtcCompileProgram(Program *program, int, const char *const *) {
  std::string header = missing(*program, program->source);
  if (!header.empty()) {
    program->log = program->name + "(1): catastrophic error: cannot open source file \"" + header + "\"\n";
    return COMPILATION;
  }
  std::ifstream file(std::string(FOLDER "/") + program->name.substr(0, program->name.rfind('.')) + ".ptx");
  std::stringstream text;
  text << file.rdbuf();
  program->ptx = std::regex_replace(text.str(), std::regex("\\.version 9\\.0"), ".version 8.5");
  return SUCCESS;
}

int nvrtcGetPTXSize(Program *program, size_t *size) {
  *size = program->ptx.size() + 1;
  return program->ptx.empty() ? INVALID_PROGRAM : SUCCESS;
}

int nvrtcGetPTX(Program *program, char *text) {
  strcpy(text, program->ptx.c_str());
  return SUCCESS;
}

int nvrtcGetProgramLogSize(Program *program, size_t *size) {
  *size = program->log.size() + 1;
  return SUCCESS;
}

int nvrtcGetProgramLog(Program *program, char *text) {
  strcpy(text, program->log.c_str());
  return SUCCESS;
}

}  // extern "C"
