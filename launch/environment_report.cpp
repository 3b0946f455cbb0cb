#include "launch/environment_report.h"

#include <string>

#include <sys/utsname.h>
#include <torch/version.h>
#include <unistd.h>

#include "core/base/host_threads.h"
#include "core/base/standard_output.h"
#include "core/io/file_reader.h"
#include "core/io/hdf5_file.h"
#include "distributed/comm/mpi_environment.h"
#include "distributed/comm/nccl_communicator.h"
#include "launch/version.h"

namespace xkde {
namespace {

/// The value of the first "key ... : value" line of a /proc file.
std::string proc_value(const char* path, const std::string& key) {
  auto lines = LineReader::open_if_there(path, FileOrigin::kOwn);
  for (std::string line; lines && lines->next(line);) {
    const size_t colon = line.find(':');
    if (line.rfind(key, 0) != 0 || colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "unknown";
}

std::string system_name() {
  utsname name{};
  ::uname(&name);
  return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

}  // namespace

Json version_report() {
  const dist::MpiLibrary mpi = dist::mpi_library();
  return {{"xkde_dist", kVersion},
          {"git_commit", kGitCommit},
          {"build_type", kBuildType},
          {"compiler", __VERSION__},
          {"libtorch", TORCH_VERSION},
          {"mpi", mpi.version},
          {"mpi_library", mpi.path.string()},
          {"nccl", dist::has_nccl() ? "compiled in" : "not compiled in"},
          {"hdf5", hdf5_version()},
          {"system", system_name()},
          {"processor", proc_value("/proc/cpuinfo", "model name")},
          {"cores", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"usable_cpus", usable_cpus()},
          {"memory", proc_value("/proc/meminfo", "MemTotal")}};
}

std::string environment_text() {
  std::string text;
  const Json report = version_report();
  for (const auto& [name, value] : report.items()) {
    text += name + ": " + (value.is_string() ? value.get<std::string>() : value.dump()) + "\n";
  }
  return text;
}

std::string_view EnvCommand::summary() const { return "versions of everything, for a bug report"; }

std::vector<std::string_view> EnvCommand::examples() const {
  return {"xkde_dist env", "xkde_dist env > environment.txt"};
}

int EnvCommand::run() {
  print(environment_text());
  return 0;
}

}  // namespace xkde
